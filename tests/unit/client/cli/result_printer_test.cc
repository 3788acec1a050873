#include "client/cli/result_printer.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <limits>
#include <string>

namespace millrace {
namespace {

const Schema kSchema = {{"id", SqlType::Of(TypeId::kInt64)},
                        {"name", SqlType::Of(TypeId::kText)},
                        {"x", SqlType::Of(TypeId::kFloat64)}};

std::shared_ptr<arrow::RecordBatch> Rows() {
  arrow::Int64Builder ids;
  arrow::StringBuilder names;
  arrow::DoubleBuilder xs;
  EXPECT_TRUE(ids.AppendValues({1, 22}).ok());
  EXPECT_TRUE(names.Append("a \"b\",\n").ok());
  EXPECT_TRUE(names.AppendNull().ok());
  EXPECT_TRUE(xs.AppendValues({0.5, std::numeric_limits<double>::quiet_NaN()}).ok());
  return arrow::RecordBatch::Make(ToArrowSchema(kSchema), 2,
                                  {*ids.Finish(), *names.Finish(), *xs.Finish()});
}

std::string Printed(OutputFormat format, int num_batches) {
  char* text = nullptr;
  size_t size = 0;
  std::FILE* file = open_memstream(&text, &size);
  {
    auto printer = MakeResultPrinter(format, file);
    printer->Begin(kSchema);
    for (int i = 0; i < num_batches; ++i) printer->Write(*Rows());
    printer->End();
    EXPECT_TRUE(printer->ok());
  }
  std::fclose(file);
  std::string result(text, size);
  free(text);
  return result;
}

TEST(ResultPrinterTest, WritesCsv) {
  EXPECT_EQ(Printed(OutputFormat::kCsv, 1), "id,name,x\n1,\"a \"\"b\"\",\n\",0.5\n22,,NaN\n");
  EXPECT_EQ(Printed(OutputFormat::kCsv, 0), "id,name,x\n");
}

TEST(ResultPrinterTest, WritesJsonLines) {
  EXPECT_EQ(Printed(OutputFormat::kJsonl, 1),
            "{\"id\":1,\"name\":\"a \\\"b\\\",\\n\",\"x\":0.5}\n"
            "{\"id\":22,\"name\":null,\"x\":\"NaN\"}\n");
}

TEST(ResultPrinterTest, WritesOneJsonArrayForAResultSet) {
  EXPECT_EQ(Printed(OutputFormat::kJson, 0), "[]\n");
  const std::string two = Printed(OutputFormat::kJson, 2);
  EXPECT_EQ(two.front(), '[');
  EXPECT_EQ(two.substr(two.size() - 4), "}\n]\n");
}

TEST(ResultPrinterTest, AlignsTables) {
  EXPECT_EQ(Printed(OutputFormat::kTable, 0), " id | name | x\n----+------+---\n(0 rows)\n");
  EXPECT_NE(Printed(OutputFormat::kTable, 1).find("\n 22 |"), std::string::npos);
  EXPECT_NE(Printed(OutputFormat::kTable, 600).find("(1200 rows)\n"), std::string::npos);
}

TEST(ResultPrinterTest, ABatchWithoutRowsShowsWhatHasCome) {
  char* text = nullptr;
  size_t size = 0;
  std::FILE* file = open_memstream(&text, &size);
  auto printer = MakeResultPrinter(OutputFormat::kTable, file);
  printer->Begin(kSchema);
  const auto nothing = Rows()->Slice(0, 0);
  printer->Write(*nothing);
  EXPECT_EQ(std::string(text, size), "") << "columns are as wide as their first rows";
  printer->Write(*Rows()->Slice(1, 1));
  printer->Write(*nothing);
  EXPECT_EQ(std::string(text, size), " id | name |  x\n----+------+-----\n 22 |      | NaN\n");
  std::fclose(file);
  free(text);
}

TEST(ResultPrinterTest, RefusesUnknownFormats) {
  EXPECT_FALSE(ParseOutputFormat("xml").ok());
  EXPECT_EQ(*ParseOutputFormat("jsonl"), OutputFormat::kJsonl);
}

}  // namespace
}  // namespace millrace
