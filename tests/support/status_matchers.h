#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/status.h"

// ASSERT_OK(status or statusor); EXPECT_ERROR(status or statusor, SqlState::kX, "part of the
// message").

namespace millrace {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& status_or) {
  return status_or.status();
}

}  // namespace millrace

#define ASSERT_OK(expr)                                   \
  do {                                                    \
    const auto& mr_ok_result = (expr);                    \
    ASSERT_TRUE(::millrace::StatusOf(mr_ok_result).ok())  \
        << ::millrace::StatusOf(mr_ok_result).ToString(); \
  } while (false)

#define EXPECT_ERROR(expr, state_, part)                                                   \
  do {                                                                                     \
    const auto& mr_error_result = (expr);                                                  \
    const ::absl::Status& mr_error_status = ::millrace::StatusOf(mr_error_result);         \
    EXPECT_FALSE(mr_error_status.ok());                                                    \
    EXPECT_EQ(::millrace::SqlStateCode(::millrace::GetErrorDetail(mr_error_status).state), \
              ::millrace::SqlStateCode(state_))                                            \
        << mr_error_status.ToString();                                                     \
    EXPECT_THAT(std::string(mr_error_status.message()), ::testing::HasSubstr(part));       \
  } while (false)
#define EXPECT_OK(expr)                                   \
  do {                                                    \
    const auto& mr_ok_result = (expr);                    \
    EXPECT_TRUE(::millrace::StatusOf(mr_ok_result).ok())  \
        << ::millrace::StatusOf(mr_ok_result).ToString(); \
  } while (false)
