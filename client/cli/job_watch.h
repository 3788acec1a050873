#pragma once

#include <cstdio>
#include <string>

namespace millrace {

namespace v1 {
class JobStatus;
}  // namespace v1

// Rows and columns of a terminal.
struct TerminalSize {
  int rows = 24;
  int columns = 80;
};

// Escape sequences that draw `text` over what a screen shows, cut to its size; the last line tells
// of lines that have no room. Cells are counted in characters.
std::string ScreenText(const std::string& text, TerminalSize size);

// One line for people: state, epochs, rows, rate, steps that are done.
std::string JobLine(const v1::JobStatus& job);

// Shows the statuses of one job as they come: redrawn in place on a terminal, else a line for each
// change that the line shows, and the whole status at the end. As JSON: one object a line, always.
class JobWatch {
 public:
  JobWatch(std::FILE* out, bool json);

  void Show(const v1::JobStatus& job);

 private:
  std::FILE* const out_;
  const bool json_;
  const bool terminal_;
  std::string last_line_;
};

}  // namespace millrace
