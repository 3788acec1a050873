#include "common/kafka_client/kafka_client.h"

#include <netdb.h>

#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"

namespace millrace {
namespace {

struct ConfDestroyer {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using ConfPtr = std::unique_ptr<rd_kafka_conf_t, ConfDestroyer>;

struct Setting {
  const char* name;
  const char* value;
};
// A definition may give other values for those of them that are in its allow-list.
constexpr Setting kDefaults[] = {{"client.id", "millrace"},
                                 {"log.connection.close", "false"},
                                 {"reconnect.backoff.max.ms", "1000"},
                                 {"socket.connection.setup.timeout.ms", "10000"}};
// Bytes bound what is fetched ahead, not messages.
constexpr Setting kConsumerDefaults[] = {
    {"check.crcs", "true"}, {"fetch.error.backoff.ms", "100"}, {"queued.min.messages", "1000000"}};
constexpr Setting kConsumerFixed[] = {
    {"enable.auto.commit", "false"},       {"enable.auto.offset.store", "false"},
    {"enable.partition.eof", "true"},      {"auto.offset.reset", "error"},
    {"allow.auto.create.topics", "false"}, {"isolation.level", "read_committed"}};
constexpr Setting kProducerDefaults[] = {
    {"partitioner", "murmur2_random"}, {"linger.ms", "5"}, {"message.timeout.ms", "120000"}};
// The sink bounds its queue by itself.
constexpr Setting kProducerFixed[] = {{"enable.idempotence", "true"},
                                      {"queue.buffering.max.messages", "10000000"},
                                      {"queue.buffering.max.kbytes", "2097151"}};

absl::Status Set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  char reason[256] = {};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason, sizeof(reason)) ==
      RD_KAFKA_CONF_OK) {
    return absl::OkStatus();
  }
  return MakeError(SqlState::kInvalidParameterValue,
                   absl::StrCat("invalid value for option \"properties.", name, "\": ", reason));
}

template <size_t n>
absl::Status SetAll(rd_kafka_conf_t* conf, const Setting (&settings)[n]) {
  for (const Setting& setting : settings) {
    MR_RETURN_IF_ERROR(Set(conf, setting.name, setting.value));
  }
  return absl::OkStatus();
}

absl::StatusOr<ConfPtr> MakeConf(KafkaRole role, const KafkaOptions& options) {
  ConfPtr conf(rd_kafka_conf_new());
  MR_RETURN_IF_ERROR(SetAll(conf.get(), kDefaults));
  const bool consumes = role == KafkaRole::kConsumer;
  MR_RETURN_IF_ERROR(consumes ? SetAll(conf.get(), kConsumerDefaults)
                              : SetAll(conf.get(), kProducerDefaults));
  for (const auto& [name, value] : options.properties) {
    MR_RETURN_IF_ERROR(Set(conf.get(), name, value));
  }
  MR_RETURN_IF_ERROR(Set(conf.get(), "bootstrap.servers", absl::StrJoin(options.brokers, ",")));
  MR_RETURN_IF_ERROR(consumes ? SetAll(conf.get(), kConsumerFixed)
                              : SetAll(conf.get(), kProducerFixed));
  return conf;
}

// What librdkafka would write to stderr; what matters comes through the error callback, too.
void DropLog(const rd_kafka_t*, int, const char*, const char*) {}

// What is over when brokers and the ways to them are well again, or does not concern the client
// that the next attempt makes. An error that is not known to pass must not be tried for ever.
bool PassesByItself(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__UNKNOWN_BROKER:
    case RD_KAFKA_RESP_ERR__NODE_UPDATE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
    case RD_KAFKA_RESP_ERR__ISR_INSUFF:
    case RD_KAFKA_RESP_ERR__WAIT_CACHE:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__RETRY:
    case RD_KAFKA_RESP_ERR__INTR:
    case RD_KAFKA_RESP_ERR__OUTDATED:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
    case RD_KAFKA_RESP_ERR_PREFERRED_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_ELIGIBLE_LEADERS_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_STALE_BROKER_EPOCH:
    case RD_KAFKA_RESP_ERR_LISTENER_NOT_FOUND:
    case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
    case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
    case RD_KAFKA_RESP_ERR_FETCH_SESSION_ID_NOT_FOUND:
    case RD_KAFKA_RESP_ERR_INVALID_FETCH_SESSION_EPOCH:
    // Of one producer: the next attempt has another one.
    case RD_KAFKA_RESP_ERR__DESTROY:
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER:
      return true;
    default:
      return false;
  }
}

}  // namespace

struct KafkaClient::Shared {
  explicit Shared(AddressPolicy address_policy) : policy(std::move(address_policy)) {}

  void Note(absl::string_view text) {
    MutexLock lock(mutex);
    ++num_troubles;
    trouble = std::string(text);
  }
  std::string Trouble() {
    MutexLock lock(mutex);
    return refused.ok() ? trouble : std::string(refused.message());
  }

  const AddressPolicy policy;
  // Of the thread that calls Serve.
  KafkaDeliveryListener* listener = nullptr;
  Mutex mutex;
  std::string trouble ABSL_GUARDED_BY(mutex);
  uint64_t num_troubles ABSL_GUARDED_BY(mutex) = 0;
  // A refused address stays one: it is not forgotten when another broker answers.
  absl::Status refused ABSL_GUARDED_BY(mutex);
  absl::Status fatal ABSL_GUARDED_BY(mutex);
};

KafkaClient::KafkaClient(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

absl::StatusOr<std::unique_ptr<KafkaClient>> KafkaClient::Create(KafkaRole role,
                                                                 const KafkaOptions& options,
                                                                 const AddressPolicy& policy,
                                                                 KafkaDeliveryListener* listener) {
  for (const std::string& broker : options.brokers) MR_RETURN_IF_ERROR(policy.Check(broker));
  MR_ASSIGN_OR_RETURN(ConfPtr conf, MakeConf(role, options));
  std::unique_ptr<KafkaClient> client(new KafkaClient(std::make_shared<Shared>(policy)));
  client->shared_->listener = listener;
  rd_kafka_conf_set_opaque(conf.get(), client->shared_.get());
  rd_kafka_conf_set_log_cb(conf.get(), DropLog);
  rd_kafka_conf_set_error_cb(conf.get(), OnError);
  rd_kafka_conf_set_resolve_cb(conf.get(), Resolve);
  if (listener != nullptr) rd_kafka_conf_set_dr_msg_cb(conf.get(), OnDelivered);
  char reason[256] = {};
  const auto type = role == KafkaRole::kConsumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER;
  client->handle_ = rd_kafka_new(type, conf.get(), reason, sizeof(reason));
  if (client->handle_ == nullptr) {
    return MakeError(SqlState::kInvalidParameterValue,
                     absl::StrCat("cannot make a client for the brokers: ", reason));
  }
  (void)conf.release();  // Now the handle's.
  return client;
}

KafkaClient::~KafkaClient() {
  if (handle_ == nullptr) return;
  shared_->listener = nullptr;
  if (rd_kafka_type(handle_) == RD_KAFKA_PRODUCER) {
    rd_kafka_purge(handle_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_poll(handle_, 0);
  }
  std::thread([handle = handle_, shared = shared_] { rd_kafka_destroy(handle); }).detach();
}

std::string KafkaClient::trouble() const { return shared_->Trouble(); }

absl::Status KafkaClient::refused() const {
  MutexLock lock(shared_->mutex);
  return shared_->refused;
}

void KafkaClient::ClearTrouble() {
  MutexLock lock(shared_->mutex);
  shared_->trouble.clear();
}

uint64_t KafkaClient::num_troubles() const {
  MutexLock lock(shared_->mutex);
  return shared_->num_troubles;
}

void KafkaClient::NoteTrouble(absl::string_view text) { shared_->Note(text); }

absl::Status KafkaClient::fatal_error() const {
  MutexLock lock(shared_->mutex);
  return shared_->fatal;
}

// The one way to an address, for the brokers of the definition and for those that they advertise.
int KafkaClient::Resolve(const char* node, const char* service, const struct addrinfo* hints,
                         struct addrinfo** res, void* opaque) {
  // Asked to let go of an earlier answer.
  if (node == nullptr && service == nullptr) {
    freeaddrinfo(*res);
    return 0;
  }
  auto& shared = *static_cast<Shared*>(opaque);
  const absl::string_view host(node == nullptr ? "" : node);
  const std::string address =
      absl::StrCat(absl::StrContains(host, ':') ? absl::StrCat("[", host, "]") : std::string(host),
                   ":", service == nullptr ? "0" : service);
  if (const absl::Status allowed = shared.policy.Check(address); !allowed.ok()) {
    MutexLock lock(shared.mutex);
    ++shared.num_troubles;
    shared.refused = allowed;
    return EAI_FAIL;
  }
  return getaddrinfo(node, service, hints, res);
}

void KafkaClient::OnError(rd_kafka_t* handle, int error, const char* reason, void* opaque) {
  auto& shared = *static_cast<Shared*>(opaque);
  if (error == RD_KAFKA_RESP_ERR__FATAL) {
    char text[512] = {};
    const rd_kafka_resp_err_t cause = rd_kafka_fatal_error(handle, text, sizeof(text));
    MutexLock lock(shared.mutex);
    shared.fatal = FromKafka(cause, text);
    return;
  }
  // Says only that all others have failed, too.
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !shared.Trouble().empty()) return;
  shared.Note(reason);
}

void KafkaClient::OnDelivered(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto& shared = *static_cast<Shared*>(opaque);
  if (shared.listener != nullptr) shared.listener->OnDelivered(*message);
}

absl::Status FromKafka(rd_kafka_resp_err_t error, absl::string_view message) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return MakeError(SqlState::kUndefinedObject, message);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      return MakeError(SqlState::kInsufficientPrivilege, message);
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      return MakeError(SqlState::kObjectNotInPrerequisiteState, message);
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      return MakeError(SqlState::kProgramLimitExceeded, message,
                       "the topic's max.message.bytes, or properties.message.max.bytes, is less");
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
      return MakeError(SqlState::kInvalidParameterValue, message,
                       "the topic's message.timestamp.before.max.ms and "
                       "message.timestamp.after.max.ms bound the times of its messages");
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
      return MakeError(SqlState::kInvalidParameterValue, message,
                       "a topic with cleanup.policy = compact takes no message without a key");
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
      return MakeError(SqlState::kInvalidParameterValue, message);
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS:
    case RD_KAFKA_RESP_ERR_INVALID_REQUEST:
      return MakeError(SqlState::kObjectNotInPrerequisiteState, message);
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
      return MakeError(SqlState::kDataCorrupted, message);
    default:
      return MakeError(PassesByItself(error) ? SqlState::kConnectionFailure : SqlState::kIoError,
                       message);
  }
}

absl::Status ForEndingStatement(const absl::Status& error) {
  if (error.ok()) return error;
  ErrorDetail detail = GetErrorDetail(error);
  if (detail.retry != Retry::kSafe) return error;
  detail.retry = Retry::kNever;
  if (detail.hint.empty()) detail.hint = "run the statement again when the brokers answer";
  return MakeError(detail, error.message());
}

}  // namespace millrace
