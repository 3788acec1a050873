#include "common/base/secret_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace millrace {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(SecretNamesTest, KnowsCredentialsByTheirNames) {
  for (const char* name :
       {"password", "sasl.password", "properties.sasl.password", "ssl.key.password", "SECRET_KEY",
        "properties.ssl.key.pem", "sasl.jaas.config", "api_token", "aws_secret_access_key"}) {
    EXPECT_TRUE(IsSecretName(name)) << name;
  }
  for (const char* name : {"path", "brokers", "topic", "key", "sasl.username", "format", "null"}) {
    EXPECT_FALSE(IsSecretName(name)) << name;
  }
}

TEST(SecretNamesTest, MasksEveryFormOfAValue) {
  for (const char* value : {"$$hunter2$$", "$tag$hunter2 $$ '$tag$", "$$hunter2", "E'hunter\\'2'",
                            "e'h\\\\'", "U&'hunter2'", "B'01'", "X'ff'", "N'hunter2'", "hunter2",
                            "\"hunter 2\"", "4711", "/* ' */ 'hunter2'", "-- it's\n'hunter2'"}) {
    SCOPED_TRACE(value);
    const std::string masked =
        MaskSecrets(absl::StrCat("WITH (\"sasl.password\" = ", value, ", path = 'd')"));
    EXPECT_THAT(masked, Not(AnyOf(HasSubstr("hunter"), HasSubstr("4711"), HasSubstr("01"),
                                  HasSubstr("ff"), HasSubstr("h\\"))));
    EXPECT_THAT(masked, HasSubstr("'***'"));
  }
  EXPECT_EQ(MaskSecrets("WITH (\"sasl.password\"=$a$x$a$, path=$$d$$)"),
            "WITH (\"sasl.password\"='***', path=$$d$$)");
  EXPECT_EQ(MaskSecrets("CREATE USER a PASSWORD 'x'"), "CREATE USER a PASSWORD '***'");
  EXPECT_EQ(MaskSecrets("CALL f(token => 'x', n := 1)"), "CALL f(token => '***', n := 1)");
  EXPECT_EQ(MaskSecrets("secret = 'x'\n 'y', a = 'z'"), "secret = '***'\n '***', a = 'z'");
}

TEST(SecretNamesTest, KnowsWhereLiteralsEnd) {
  // What only looks like the end of one would turn what follows inside out.
  EXPECT_EQ(MaskSecrets("\"it's\" = 'a', password = 'b'"), "\"it's\" = 'a', password = '***'");
  EXPECT_EQ(MaskSecrets("a = E'\\'', password = 'b'"), "a = E'\\'', password = '***'");
  EXPECT_EQ(MaskSecrets("a = '\\', password = 'b'"), "a = '\\', password = '***'");
  EXPECT_EQ(MaskSecrets("a = $$'$$, password = 'b'"), "a = $$'$$, password = '***'");
  EXPECT_EQ(MaskSecrets("/* it's /* */ ' */ password = 'b'"),
            "/* it's /* */ ' */ password = '***'");
  EXPECT_EQ(MaskSecrets("SELECT $1, '$1' FROM t WHERE a - 1 = 2"),
            "SELECT $1, '$1' FROM t WHERE a - 1 = 2");
}

TEST(SecretNamesTest, MasksTheLiteralsOfSecretOptionsOnly) {
  EXPECT_EQ(MaskSecrets("WITH (topic = 'a', password = 'b''c', path='d')"),
            "WITH (topic = 'a', password = '***', path='d')");
  EXPECT_EQ(MaskSecrets("WITH ('properties.sasl.password'='x', \"secret\" =  'y')"),
            "WITH ('properties.sasl.password'='***', \"secret\" =  '***')");
  EXPECT_EQ(MaskSecrets("WITH (password = 'not ended"), "WITH (password = '***'");
  EXPECT_EQ(MaskSecrets("SELECT 'password', a FROM t WHERE b = 'c'"),
            "SELECT 'password', a FROM t WHERE b = 'c'");
  EXPECT_EQ(MaskSecrets(""), "");
}

}  // namespace
}  // namespace millrace
