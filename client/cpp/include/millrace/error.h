#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace millrace {

// Why a call failed. Decide from `sqlstate` and `retry_safe`, never from the text.
struct Error {
  // Who has to act: the statement's author, a disk or network or another process, Millrace.
  enum class Blame : uint8_t { kUser = 1, kExternal = 2, kInternal = 3 };

  // Five characters, as PostgreSQL defines them: "42703" no such column, "08006" the cluster cannot
  // be reached, "57014" cancelled or out of time.
  std::string sqlstate;
  // One line, no period at its end.
  std::string message;
  // Character of the text that was sent, from 1; 0 = unknown.
  int position = 0;
  // What to do about it; may be empty.
  std::string hint;
  Blame blame = Blame::kInternal;
  // Doing the same again can help and does nothing twice. The connection has tried already.
  bool retry_safe = false;

  // For people: "42703: column \"pric\" does not exist, at character 8 (did you mean \"price\"?)".
  std::string ToString() const;
};

// A value, or why there is none. `value()` and `*` may be used only if ok(), `error()` only if not.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT: meant to be implicit
  Result(Error error) : state_(std::move(error)) {}  // NOLINT: meant to be implicit

  bool ok() const { return std::holds_alternative<T>(state_); }
  const Error& error() const { return std::get<Error>(state_); }
  T& value() & { return std::get<T>(state_); }
  const T& value() const& { return std::get<T>(state_); }
  T&& value() && { return std::get<T>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::get<T>(std::move(state_)); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Error> state_;
};

// The result of a call that gives nothing back.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: meant to be implicit

  bool ok() const { return !error_.has_value(); }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

}  // namespace millrace
