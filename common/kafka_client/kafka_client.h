#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/mutex.h"
#include "common/connector_spec/kafka_options.h"
#include "common/net/address_policy.h"
#include "librdkafka/rdkafka.h"

namespace millrace {

// kConsumer: reads committed messages, tells the ends of partitions, stops at offsets that the
// broker does not have, and keeps no position anywhere. kProducer: idempotent.
enum class KafkaRole : uint8_t { kConsumer, kProducer };

// Hears what became of each message of a producer.
class KafkaDeliveryListener {
 public:
  virtual ~KafkaDeliveryListener() = default;
  // Called in Serve.
  virtual void OnDelivered(const rd_kafka_message_t& message) = 0;
};

// One client of librdkafka with its threads. Every address that it connects to, those that brokers
// advertise too, has passed the policy; what has not shows as trouble and is never connected to.
// Used by one thread, apart from trouble().
class KafkaClient {
 public:
  // Connects in the background. 22023 if librdkafka does not take a property; 42501 for brokers
  // that the policy does not allow. `listener`: producers only; outlives the client.
  static absl::StatusOr<std::unique_ptr<KafkaClient>> Create(
      KafkaRole role, const KafkaOptions& options, const AddressPolicy& policy,
      KafkaDeliveryListener* listener = nullptr);
  // Drops what is under way, and does not wait for librdkafka, which comes to no end by itself when
  // a topic that was read has been deleted: a thread of its own takes it down.
  ~KafkaClient();
  KafkaClient(const KafkaClient&) = delete;
  KafkaClient& operator=(const KafkaClient&) = delete;

  rd_kafka_t* handle() const { return handle_; }
  // Calls back what has come since the last call, without waiting.
  void Serve() { Serve(0); }
  void Serve(int timeout_ms) { rd_kafka_poll(handle_, timeout_ms); }

  // Why brokers could not be reached, as of the last report; empty if nothing was reported since
  // ClearTrouble.
  std::string trouble() const;
  // 42501 if brokers have led to an address that the policy does not allow; stays.
  absl::Status refused() const;
  // Something came from the broker.
  void ClearTrouble();
  // Grows with each report, so that news can be told from what is known.
  uint64_t num_troubles() const;
  void NoteTrouble(absl::string_view text);
  // An error that no retry can heal, as of a producer that was fenced; OK if there is none.
  absl::Status fatal_error() const;

 private:
  // What librdkafka's callbacks use: lives until it is down.
  struct Shared;

  explicit KafkaClient(std::shared_ptr<Shared> shared);

  static int Resolve(const char* node, const char* service, const struct addrinfo* hints,
                     struct addrinfo** res, void* opaque);
  static void OnError(rd_kafka_t* handle, int error, const char* reason, void* opaque);
  static void OnDelivered(rd_kafka_t* handle, const rd_kafka_message_t* message, void* opaque);

  const std::shared_ptr<Shared> shared_;
  rd_kafka_t* handle_ = nullptr;
};

// An error of librdkafka as one of ours. Blame and retry follow from the code: what goes away by
// itself is 08006 and may be retried, what brokers refuse comes again and is never retried, and an
// error of which neither is known is 58030.
absl::Status FromKafka(rd_kafka_resp_err_t error, absl::string_view message);

// The same error for a statement that ends, which does not wait for brokers: nobody may start the
// statement again for it, as is done for a lost worker. A hint that is there stays.
absl::Status ForEndingStatement(const absl::Status& error);

}  // namespace millrace
