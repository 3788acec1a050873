#include "common/base/secret_names.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

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
