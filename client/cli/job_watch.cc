#include "client/cli/job_watch.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/status_text.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

constexpr char kHome[] = "\x1b[H";
constexpr char kClearToLineEnd[] = "\x1b[K";
constexpr char kClearToScreenEnd[] = "\x1b[J";

TerminalSize SizeOf(std::FILE* out) {
  TerminalSize size;
  winsize window{};
  if (ioctl(fileno(out), TIOCGWINSZ, &window) == 0 && window.ws_row > 1 && window.ws_col > 1) {
    size.rows = window.ws_row;
    size.columns = window.ws_col;
  }
  return size;
}

// The first `characters` of UTF-8 text.
absl::string_view Cut(absl::string_view text, int characters) {
  for (size_t i = 0; i < text.size(); ++i) {
    const bool starts = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (starts && characters-- == 0) return text.substr(0, i);
  }
  return text;
}

bool IsOver(const v1::JobStatus& job) { return job.state() >= v1::JOB_STATE_FINISHED; }

}  // namespace

std::string ScreenText(const std::string& text, TerminalSize size) {
  std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  // The cursor needs the last row.
  const size_t room = static_cast<size_t>(std::max(2, size.rows - 1));
  std::string more;
  if (lines.size() > room) {
    more = absl::StrCat("… ", lines.size() - room + 1, " more lines");
    lines.resize(room - 1);
    lines.push_back(more);
  }
  std::string screen = kHome;
  for (const absl::string_view line : lines) {
    absl::StrAppend(&screen, Cut(line, size.columns), kClearToLineEnd, "\n");
  }
  absl::StrAppend(&screen, kClearToScreenEnd);
  return screen;
}

std::string JobLine(const v1::JobStatus& job) {
  int done = 0;
  uint64_t rows_in = 0;
  for (const v1::StepStatus& step : job.steps()) {
    done += step.state() == v1::STEP_STATE_FINISHED ? 1 : 0;
    rows_in += step.rows_in();
  }
  return absl::StrCat(JobStateWord(job), "  steps done ", done, "/", job.steps_size(), "  rows in ",
                      rows_in, "  in/s ", static_cast<int64_t>(job.rows_in_per_second()),
                      "  epoch ", job.published_epoch(), "  durable ", job.durable_epoch(),
                      "  restarts ", job.num_restarts(), "\n");
}

JobWatch::JobWatch(std::FILE* out, bool json)
    : out_(out), json_(json), terminal_(!json && isatty(fileno(out)) != 0) {}

void JobWatch::Show(const v1::JobStatus& job) {
  if (json_) {
    std::fputs(MessageToJsonLine(job).c_str(), out_);
  } else if (terminal_ && !IsOver(job)) {
    std::fputs(ScreenText(JobText(job), SizeOf(out_)).c_str(), out_);
  } else if (IsOver(job)) {
    // The whole of it, also what a screen has no room for.
    if (terminal_) std::fputs(absl::StrCat(kHome, kClearToScreenEnd).c_str(), out_);
    std::fputs(JobText(job).c_str(), out_);
  } else {
    std::string line = JobLine(job);
    if (line != last_line_) std::fputs(line.c_str(), out_);
    last_line_ = std::move(line);
  }
  std::fflush(out_);
}

}  // namespace millrace
