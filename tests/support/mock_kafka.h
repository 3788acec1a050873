#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "absl/strings/string_view.h"
#include "librdkafka/rdkafka.h"
#include "librdkafka/rdkafka_mock.h"

namespace millrace {

// librdkafka's own stand-in for brokers, in this process, on loopback.
class MockKafka {
 public:
  explicit MockKafka(int num_brokers = 1) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    char reason[256] = {};
    rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
    rd_kafka_conf_set_dr_msg_cb(conf, OnDelivered);
    rd_kafka_conf_set_opaque(conf, this);
    rd_kafka_conf_set(conf, "linger.ms", "0", reason, sizeof(reason));
    handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
    cluster_ = rd_kafka_mock_cluster_new(handle_, num_brokers);
    EXPECT_GT(rd_kafka_brokers_add(handle_, address().c_str()), 0);
  }
  ~MockKafka() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(handle_);
  }
  MockKafka(const MockKafka&) = delete;
  MockKafka& operator=(const MockKafka&) = delete;

  rd_kafka_mock_cluster_t* cluster() const { return cluster_; }
  std::string address() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }

  void CreateTopic(const std::string& topic, int num_partitions) {
    ASSERT_EQ(rd_kafka_mock_topic_create(cluster_, topic.c_str(), num_partitions, 1),
              RD_KAFKA_RESP_ERR_NO_ERROR);
  }

  // Returns when the broker has it. Absent = null.
  void Send(const std::string& topic, int32_t partition, std::optional<std::string> value,
            std::optional<std::string> key = std::nullopt, rd_kafka_headers_t* headers = nullptr) {
    const auto bytes = [](std::optional<std::string>& text) {
      return text.has_value() ? text->data() : nullptr;
    };
    delivered_ = false;
    if (headers == nullptr) headers = rd_kafka_headers_new(0);
    ASSERT_EQ(
        rd_kafka_producev(handle_, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(partition),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_VALUE(bytes(value), value.has_value() ? value->size() : 0),
                          RD_KAFKA_V_KEY(bytes(key), key.has_value() ? key->size() : 0),
                          RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_TIMESTAMP(1'700'000'000'123),
                          RD_KAFKA_V_END),
        RD_KAFKA_RESP_ERR_NO_ERROR);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!delivered_ && std::chrono::steady_clock::now() < deadline) rd_kafka_poll(handle_, 10);
    ASSERT_TRUE(delivered_);
  }

 private:
  static void OnDelivered(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    EXPECT_EQ(message->err, RD_KAFKA_RESP_ERR_NO_ERROR) << rd_kafka_err2str(message->err);
    static_cast<MockKafka*>(opaque)->delivered_ = true;
  }

  rd_kafka_t* handle_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
  bool delivered_ = false;
};

}  // namespace millrace
