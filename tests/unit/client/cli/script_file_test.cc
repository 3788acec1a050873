#include "client/cli/script_file.h"

#include <gtest/gtest.h>

#include <string>

#include "common/base/status.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

TEST(ScriptFileTest, ReadsTheWholeText) {
  const TempFolder folder;
  const std::string text(1 << 20, ' ');
  EXPECT_EQ(*ReadScript(folder.Write("a.sql", text)), text);
  EXPECT_EQ(*ReadScript(folder.Write("empty.sql", "")), "");
  EXPECT_ERROR(ReadScript(folder.Write("b.sql", text + ";")), SqlState::kProgramLimitExceeded,
               "longer than 1 MiB");
}

TEST(ScriptFileTest, AByteOrderMarkIsNoPartOfTheText) {
  const TempFolder folder;
  const std::string mark = "\xEF\xBB\xBF";
  const std::string text(1 << 20, ' ');
  EXPECT_EQ(*ReadScript(folder.Write("a.sql", mark + "SELECT 1")), "SELECT 1");
  EXPECT_EQ(*ReadScript(folder.Write("inside.sql", "SELECT 1" + mark)), "SELECT 1" + mark);
  EXPECT_EQ(*ReadScript(folder.Write("b.sql", mark)), "");
  EXPECT_EQ(*ReadScript(folder.Write("c.sql", mark + text)), text);
  EXPECT_ERROR(ReadScript(folder.Write("d.sql", mark + text + ";")),
               SqlState::kProgramLimitExceeded, "longer than 1 MiB");
}

TEST(ScriptFileTest, WhatCannotBeReadIsNotEmpty) {
  const TempFolder folder;
  EXPECT_ERROR(ReadScript(folder.path()), SqlState::kUndefinedFile, "is a folder");
  EXPECT_ERROR(ReadScript(folder.Path("missing.sql")), SqlState::kUndefinedFile, "cannot open");
  // Its first page is never there.
  EXPECT_ERROR(ReadScript("/proc/self/mem"), SqlState::kIoError, "Input/output error");
}

}  // namespace
}  // namespace millrace
