#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/error_text.h"
#include "client/cli/interrupt.h"
#include "client/cli/job_watch.h"
#include "client/cli/script_file.h"
#include "client/cli/status_text.h"
#include "client/cli/verbs.h"
#include "client/cpp/client.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

struct JobFlags {
  std::string server = kDefaultServer;
  std::string job;
  std::string file;
  std::string name;
  std::string request_id;
  uint64_t checkpoint_epoch = 0;
  uint32_t limit = 100;
  bool wait = false;
  bool json = false;
};

ExitCode Report(const absl::Status& status, absl::string_view sql = "") {
  if (status.ok()) return ExitCode::kOk;
  std::fputs(ErrorText(status, sql).c_str(), stderr);
  return CallExitCode(status);
}

void PrintJob(const v1::JobStatus& status, bool json) {
  std::fputs(json ? MessageToJsonLine(status).c_str() : JobText(status).c_str(), stdout);
  std::fflush(stdout);
}

bool HasEnded(const v1::JobStatus& status) { return status.state() >= v1::JOB_STATE_FINISHED; }

// Who waits for a job's end wants its work done; who only watches sees a stop as a good end.
enum class Following : uint8_t { kWait, kWatch };

ExitCode EndCode(const v1::JobStatus& status, Following following) {
  switch (status.state()) {
    case v1::JOB_STATE_FAILED:
    case v1::JOB_STATE_CANCELLED:
      return ExitCode::kJobFailed;
    case v1::JOB_STATE_STOPPED:
      return following == Following::kWait ? ExitCode::kJobFailed : ExitCode::kOk;
    default:
      return ExitCode::kOk;
  }
}

// Follows the job to its end; kWatch shows every change, kWait the last status.
ExitCode Follow(Client& client, const JobFlags& flags, Following following) {
  CancelToken cancel;
  InterruptWatcher watcher([&cancel] { cancel.Cancel(); });
  v1::JobStatus last;
  JobWatch shown(stdout, flags.json);
  const absl::Status status = client.WatchJob(
      flags.job,
      [&](const v1::JobStatus& now) {
        last = now;
        if (following == Following::kWatch) shown.Show(now);
        // Nobody reads on, as `head` does.
        return !HasEnded(now) && std::ferror(stdout) == 0;
      },
      &cancel);
  if (watcher.interrupted()) return ExitCode::kInterrupted;
  if (!status.ok()) return Report(status);
  if (following == Following::kWait) PrintJob(last, flags.json);
  return EndCode(last, following);
}

ExitCode Submit(Client& client, JobFlags& flags) {
  auto sql = ReadScript(flags.file);
  if (!sql.ok()) return Report(sql.status());
  ExecuteOptions options;
  options.request_id = flags.request_id;
  std::error_code ignored;
  options.working_directory = std::filesystem::current_path(ignored).string();
  auto id = client.SubmitJob(*sql, flags.name, options);
  if (!id.ok()) {
    // What is wrong with the script is an SQL error, not a conflict of jobs.
    const ExitCode code = Report(id.status(), *sql);
    return code == ExitCode::kNotFound ? ExitCode::kSqlError : code;
  }
  if (!flags.wait) {
    std::printf("%s\n", id->c_str());
    return ExitCode::kOk;
  }
  std::fprintf(stderr, "job %s\n", id->c_str());
  flags.job = *id;
  return Follow(client, flags, Following::kWait);
}

ExitCode List(Client& client, const JobFlags& flags) {
  // One more tells whether there are more.
  auto jobs = client.ListJobs(flags.limit + 1);
  if (!jobs.ok()) return Report(jobs.status());
  const bool has_more = jobs->size() > flags.limit;
  if (has_more) jobs->resize(flags.limit);
  if (!flags.json) std::fputs(JobsText(*jobs).c_str(), stdout);
  for (const v1::JobStatus& job : *jobs) {
    if (flags.json) PrintJob(job, /*json=*/true);
  }
  if (has_more) {
    std::fprintf(stderr, "the newest %u are listed; --limit N lists more\n", flags.limit);
  }
  return ExitCode::kOk;
}

ExitCode Get(Client& client, const JobFlags& flags) {
  auto job = client.GetJob(flags.job);
  if (!job.ok()) return Report(job.status());
  PrintJob(*job, flags.json);
  return ExitCode::kOk;
}

ExitCode Plan(Client& client, const JobFlags& flags) {
  auto plan = client.GetJobPlan(flags.job);
  if (!plan.ok()) return Report(plan.status());
  std::fputs(plan->c_str(), stdout);
  return ExitCode::kOk;
}

ExitCode Restart(Client& client, const JobFlags& flags) {
  auto epoch = client.RestartJob(flags.job, flags.checkpoint_epoch, flags.request_id);
  if (!epoch.ok()) return Report(epoch.status());
  const std::string from = *epoch == 0 ? "what is committed" : absl::StrCat("epoch ", *epoch);
  std::fprintf(stderr, "goes on from %s\n", from.c_str());
  return ExitCode::kOk;
}

// Given and empty is a slip, as of a shell's variable that is not set: it must not mean "none".
std::string CheckNotEmpty(const std::string& value) {
  return value.empty() ? "must not be empty" : "";
}

using Action = std::function<ExitCode(Client&, JobFlags&)>;

// What a subcommand is called and does once it is connected.
struct ActionSpec {
  std::string name;
  std::string description;
  Action action;
};

CLI::App* AddAction(CLI::App& parent, const ActionSpec& spec,
                    const std::shared_ptr<JobFlags>& flags, ExitCode* exit_code) {
  CLI::App* verb = parent.add_subcommand(spec.name, spec.description);
  AddServerOption(*verb, &flags->server);
  verb->callback([flags, exit_code, action = spec.action] {
    auto client = Client::Connect({.server = flags->server});
    *exit_code = client.ok() ? action(**client, *flags) : Report(client.status());
  });
  return verb;
}

}  // namespace

void AddJobVerb(CLI::App& app, ExitCode* exit_code) {
  auto flags = std::make_shared<JobFlags>();
  CLI::App* job = app.add_subcommand("job", "Jobs of a cluster");
  job->require_subcommand(1);
  const auto add = [&](const std::string& name, const std::string& description, Action action) {
    return AddAction(*job, {name, description, std::move(action)}, flags, exit_code);
  };
  const auto add_named = [&](const std::string& name, const std::string& description,
                             Action action) {
    CLI::App* verb = add(name, description, std::move(action));
    verb->add_option("job", flags->job, "Id or name")->required();
    return verb;
  };
  const auto add_json = [&](CLI::App* verb) {
    verb->add_flag("--json", flags->json, "One JSON object a line");
  };

  CLI::App* submit = add("submit", "Start a script as one job; prints its id", Submit);
  submit->add_option("file", flags->file, "Script; - for standard input")->required();
  submit->add_option("--name", flags->name, "Name, unique among running jobs")
      ->check(CheckNotEmpty);
  submit
      ->add_option("--request-id", flags->request_id,
                   "Submitting twice with the same id starts one job")
      ->check(CheckNotEmpty);
  submit->add_flag("--wait", flags->wait, "Wait for the end and print the final status");
  add_json(submit);
  CLI::App* list = add("list", "Jobs, newest first", List);
  list->add_option("--limit", flags->limit, "How many at most")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  add_json(list);
  add_json(add_named("get", "Steps and tasks of a job", Get));
  add_json(
      add_named("watch", "Show the status at each change until the end",
                [](Client& client, JobFlags& f) { return Follow(client, f, Following::kWatch); }));
  add_named("plan", "The job's physical plan", Plan);
  add_named("stop", "Drain, take a final checkpoint, stop",
            [](Client& client, JobFlags& f) { return Report(client.StopJob(f.job)); });
  CLI::App* restart = add_named(
      "restart", "Go on from a checkpoint, spread over the slots that are there", Restart);
  restart->add_option("--checkpoint", flags->checkpoint_epoch,
                      "Epoch of a checkpoint that is kept; the newest if left out");
  restart
      ->add_option("--request-id", flags->request_id, "Asking twice with the same id restarts once")
      ->check(CheckNotEmpty);
  add_named("cancel", "End the job at once",
            [](Client& client, JobFlags& f) { return Report(client.CancelJob(f.job)); });
}

}  // namespace millrace
