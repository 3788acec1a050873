#include "worker/connectors/factory/connector_factory.h"

#include <gtest/gtest.h>

#include "common/storage/local_file_system.h"
#include "common/types/sql_type.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

class ConnectorFactoryTest : public testing::Test {
 protected:
  static v1::ScanNode Scan(const std::string& connector) {
    v1::ScanNode node;
    node.set_connector(connector);
    ToProto(Field{"id", SqlType::Of(TypeId::kInt64)}, node.add_columns());
    node.add_projection(0);
    return node;
  }

  LocalFileSystem file_system_;
};

TEST_F(ConnectorFactoryTest, MakesASourceForEachConnector) {
  EXPECT_OK(CreateSource(Scan("table"), file_system_));
  EXPECT_OK(CreateSource(Scan("datagen"), file_system_));
  for (const char* path : {"a.csv", "a.json", "a.parquet"}) {
    v1::ScanNode node = Scan("file");
    node.mutable_options()->insert({"path", path});
    EXPECT_OK(CreateSource(node, file_system_));
  }
}

TEST_F(ConnectorFactoryTest, RefusesWhatCannotBeRead) {
  EXPECT_ERROR(CreateSource(Scan("blackhole"), file_system_), SqlState::kFeatureNotSupported,
               "reading from connector \"blackhole\"");
  EXPECT_ERROR(CreateSource(Scan("postgres"), file_system_), SqlState::kFeatureNotSupported,
               "postgres");
  EXPECT_ERROR(CreateSource(Scan("file"), file_system_), SqlState::kInvalidParameterValue,
               "needs the option \"path\"");
  v1::ScanNode broken = Scan("datagen");
  broken.add_projection(7);
  EXPECT_ERROR(CreateSource(broken, file_system_), SqlState::kInternalError, "missing column");
}

TEST_F(ConnectorFactoryTest, MakesSinks) {
  v1::FileSinkNode node;
  EXPECT_ERROR(CreateSink(node, SinkTask(), file_system_), SqlState::kInvalidParameterValue,
               "path");
  node.mutable_options()->insert({"path", "out.csv"});
  EXPECT_OK(CreateSink(node, SinkTask(), file_system_));
  (*node.mutable_options())["connector"] = "datagen";
  EXPECT_ERROR(CreateSink(node, SinkTask(), file_system_), SqlState::kFeatureNotSupported,
               "datagen");
  EXPECT_OK(CreateTableSink(v1::TableSinkNode(), SinkTask(), file_system_));
}

}  // namespace
}  // namespace millrace
