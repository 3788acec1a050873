#pragma once

#include <string>
#include <vector>

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace millrace {

namespace v1 {
class JobStatus;
class WorkerStatus;
}  // namespace v1

// Statuses as aligned text for people; lines end with a newline.

// "running", "finished".
std::string JobStateWord(const v1::JobStatus& job);
// Everything of one job: state, checkpoint, restarts, steps, tasks, errors.
std::string JobText(const v1::JobStatus& job);
// One line for each job.
std::string JobsText(const std::vector<v1::JobStatus>& jobs);
std::string WorkersText(const std::vector<v1::WorkerStatus>& workers);

// Any message as one line of JSON, for programs; fields keep their proto names.
std::string MessageToJsonLine(const google::protobuf::Message& message);

}  // namespace millrace
