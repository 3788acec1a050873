#include "coordinator/epoch/plan_hash.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cstdint>

#include "common/storage/checksum.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {

std::string PlanHash(const v1::PhysicalPlan& plan) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    // Options are maps, whose order differs from process to process otherwise.
    coded.SetSerializationDeterministic(true);
    plan.SerializeToCodedStream(&coded);
  }
  const uint64_t hash = Xxh3(bytes);
  std::string out;
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(hash >> shift));
  return out;
}

}  // namespace millrace
