#include "common/logging/log.h"

#include <atomic>
#include <cstdio>
#include <iterator>
#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/nearest_name.h"
#include "common/base/secret_names.h"
#include "common/base/status.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace millrace {
namespace {

constexpr const char* kLevelNames[] = {"debug", "info", "warning", "error", "off"};

// One log per process, as there is one stderr. Set once in main; the pointer is exchanged as a
// whole.
struct ProcessLog {
  LogOptions options;
  std::shared_ptr<spdlog::logger> logger;
};

std::shared_ptr<const ProcessLog> MakeProcessLog(const LogOptions& options) {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("millrace", std::move(sink));
  // The line is complete when it gets here.
  logger->set_pattern("%v");
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::trace);
  return std::make_shared<const ProcessLog>(ProcessLog{options, std::move(logger)});
}

std::atomic<std::shared_ptr<const ProcessLog>>& CurrentLog() {
  static auto& current =
      *new std::atomic<std::shared_ptr<const ProcessLog>>(MakeProcessLog(LogOptions()));
  return current;
}

// Masks what stands between "://" and "@", everywhere in the text.
std::string WithoutUrlCredentials(absl::string_view text) {
  std::string result;
  while (true) {
    const size_t scheme = text.find("://");
    if (scheme == absl::string_view::npos) break;
    const size_t begin = scheme + 3;
    const size_t end = text.find_first_of("/?# \t\n\"'", begin);
    const absl::string_view authority =
        text.substr(begin, end == absl::string_view::npos ? absl::string_view::npos : end - begin);
    const size_t at = authority.rfind('@');
    absl::StrAppend(&result, text.substr(0, begin));
    text.remove_prefix(begin);
    if (at == absl::string_view::npos) continue;
    absl::StrAppend(&result, kSecretMask);
    text.remove_prefix(at);
  }
  absl::StrAppend(&result, text);
  return result;
}

std::string FieldText(const LogField& field) {
  return IsSecretName(field.key) ? std::string(kSecretMask) : WithoutUrlCredentials(field.value);
}

// With quotes and escapes, so that a value can never look like another line or field.
std::string Quoted(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
      case '\\':
        out.push_back('\\');
        out.push_back(c);
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned>(c));
        } else {
          out.push_back(c);
        }
    }
  }
  out.push_back('"');
  return out;
}

bool IsBareWord(absl::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || c == '"' || c == '\\' || c == '=') return false;
  }
  return true;
}

std::string TimeText(int64_t wall_micros) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::FromUnixMicros(wall_micros),
                          absl::UTCTimeZone());
}

std::string TextLine(const LogOptions& options, const LogEvent& event,
                     std::initializer_list<LogField> fields) {
  std::string line = absl::StrFormat("%s %-7s ", TimeText(event.wall_micros),
                                     kLevelNames[static_cast<size_t>(event.level)]);
  if (!options.process.empty()) absl::StrAppend(&line, options.process, " ");
  const std::string quoted = Quoted(WithoutUrlCredentials(event.message));
  absl::StrAppend(&line, event.component, ": ", quoted.substr(1, quoted.size() - 2));
  for (const LogField& field : fields) {
    const std::string value = FieldText(field);
    absl::StrAppend(&line, " ", field.key, "=", IsBareWord(value) ? value : Quoted(value));
  }
  return line;
}

std::string JsonLine(const LogOptions& options, const LogEvent& event,
                     std::initializer_list<LogField> fields) {
  std::string line = absl::StrCat("{\"time\":\"", TimeText(event.wall_micros), "\",\"level\":\"",
                                  kLevelNames[static_cast<size_t>(event.level)], "\"");
  if (!options.process.empty()) absl::StrAppend(&line, ",\"process\":", Quoted(options.process));
  absl::StrAppend(&line, ",\"component\":", Quoted(event.component),
                  ",\"message\":", Quoted(WithoutUrlCredentials(event.message)));
  for (const LogField& field : fields) {
    const std::string value = FieldText(field);
    // NaN and infinities are no JSON numbers.
    const bool bare =
        field.is_number && value.find_first_not_of("0123456789+-.e") == std::string::npos;
    absl::StrAppend(&line, ",", Quoted(field.key), ":", bare ? value : Quoted(value));
  }
  return line + "}";
}

}  // namespace

std::string FormatLogLine(const LogOptions& options, const LogEvent& event,
                          std::initializer_list<LogField> fields) {
  return options.format == LogFormat::kJson ? JsonLine(options, event, fields)
                                            : TextLine(options, event, fields);
}

void ConfigureLogging(const LogOptions& options) { CurrentLog().store(MakeProcessLog(options)); }

bool LogEnabled(LogLevel level) {
  return level != LogLevel::kOff && level >= CurrentLog().load()->options.level;
}

void Log(LogLevel level, absl::string_view component, absl::string_view message,
         std::initializer_list<LogField> fields) {
  const std::shared_ptr<const ProcessLog> log = CurrentLog().load();
  if (level == LogLevel::kOff || level < log->options.level) return;
  const LogEvent event{SystemClock().WallMicros(), level, component, message};
  const std::string line = FormatLogLine(log->options, event, fields);
  log->logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

void LogError(absl::string_view component, absl::string_view message, const absl::Status& status) {
  const ErrorDetail detail = GetErrorDetail(status);
  if (detail.hint.empty()) {
    Log(LogLevel::kError, component, message,
        {{"error", status.message()}, {"sqlstate", SqlStateCode(detail.state)}});
    return;
  }
  Log(LogLevel::kError, component, message,
      {{"error", status.message()},
       {"sqlstate", SqlStateCode(detail.state)},
       {"hint", detail.hint}});
}

absl::StatusOr<LogLevel> ParseLogLevel(absl::string_view name) {
  for (size_t i = 0; i < std::size(kLevelNames); ++i) {
    if (absl::EqualsIgnoreCase(name, kLevelNames[i])) return static_cast<LogLevel>(i);
  }
  return MakeError(SqlState::kInvalidParameterValue,
                   absl::StrCat("unknown log level \"", name, "\""),
                   NearestNameHint(name, {std::begin(kLevelNames), std::end(kLevelNames)}));
}

absl::StatusOr<LogFormat> ParseLogFormat(absl::string_view name) {
  if (absl::EqualsIgnoreCase(name, "text")) return LogFormat::kText;
  if (absl::EqualsIgnoreCase(name, "json")) return LogFormat::kJson;
  return MakeError(SqlState::kInvalidParameterValue,
                   absl::StrCat("unknown log format \"", name, "\""),
                   NearestNameHint(name, {"text", "json"}));
}

}  // namespace millrace
