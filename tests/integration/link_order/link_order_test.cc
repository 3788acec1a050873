// The Arrow wheel's libraries export copies of libcrypto, simdjson and RE2. These tests fail when
// an executable of ours would run in one of those copies; see mr_link_first in
// deploy/cmake/third_party.cmake.
#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <arrow/compute/initialize.h>
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <parquet/properties.h>
#include <re2/re2.h>
#include <simdjson.h>

#include <memory>
#include <string>

namespace millrace {
namespace {

using ::testing::HasSubstr;

std::string LibraryOf(const void* address) {
  Dl_info info{};
  if (dladdr(address, &info) == 0) return "nowhere";
  return info.dli_fname;
}

TEST(LinkOrderTest, CryptoIsTheSystemsAlsoBesideParquet) {
  std::shared_ptr<parquet::WriterProperties> linked = parquet::default_writer_properties();
  ASSERT_NE(linked, nullptr);
  EXPECT_THAT(LibraryOf(reinterpret_cast<const void*>(&EVP_sha256)), HasSubstr("libcrypto.so"));
}

TEST(LinkOrderTest, SimdjsonIsTheSystems) {
  EXPECT_THAT(LibraryOf(reinterpret_cast<const void*>(&simdjson::get_active_implementation)),
              HasSubstr("libsimdjson.so"));
}

TEST(LinkOrderTest, Re2MatchesBesideArrowsOwnRe2) {
  EXPECT_TRUE(RE2::FullMatch("aaa", RE2("a+")));
  std::string replaced = "x1y22";
  EXPECT_EQ(RE2::GlobalReplace(&replaced, RE2("[0-9]+"), "-"), 2);
  EXPECT_EQ(replaced, "x-y-");
}

TEST(LinkOrderTest, ArrowKeepsItsOwnRe2) {
  ASSERT_TRUE(arrow::compute::Initialize().ok());
  arrow::StringBuilder builder;
  ASSERT_TRUE(builder.AppendValues({"aaa", "xyz"}).ok());
  const std::shared_ptr<arrow::Array> words = builder.Finish().ValueOrDie();
  const arrow::compute::MatchSubstringOptions options("a+$");
  const auto matched = arrow::compute::CallFunction("match_substring_regex", {words}, &options);
  ASSERT_TRUE(matched.ok()) << matched.status().ToString();
  EXPECT_EQ(matched->make_array()->ToString(), "[\n  true,\n  false\n]");
}

}  // namespace
}  // namespace millrace
