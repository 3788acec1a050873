#include "coordinator/service/view_progress.h"

#include <algorithm>
#include <map>
#include <vector>

#include "coordinator/catalog/catalog.h"
#include "coordinator/planner/planner.h"
#include "coordinator/scheduler/placement.h"
#include "millrace/v1/catalog.pb.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

// Scan id → fragment.
using Scans = std::map<uint32_t, uint32_t>;

// Those of the job's scans that follow stored tables.
std::vector<uint32_t> TableScans(const v1::PhysicalPlan& plan) {
  std::vector<uint32_t> scans;
  for (const v1::Fragment& fragment : plan.fragments()) {
    ForEachNode(fragment.root(), [&](const v1::PlanNode& node) {
      if (node.has_scan() && node.scan().connector() == "table") {
        scans.push_back(node.scan().scan_id());
      }
    });
  }
  return scans;
}

// The stored tables among the scans were read as far as `tables` shows them.
bool HasReadTables(const StreamView& stream, const Scans& scans, const CatalogSnapshot& tables) {
  const PositionMap& positions = stream.published.back().positions;
  bool read = true;
  for (const v1::Fragment& fragment : stream.plan->fragments()) {
    ForEachNode(fragment.root(), [&](const v1::PlanNode& node) {
      if (!node.has_scan() || node.scan().connector() != "table") return;
      if (!scans.contains(node.scan().scan_id())) return;
      const CatalogObjectPtr table = tables.FindById(node.scan().object_id());
      if (table == nullptr) return;
      const auto found = positions.find({node.scan().scan_id(), 0});
      const uint64_t position = found == positions.end() ? 0 : found->second.offset();
      read = read && position >= EndPosition(table->table_version());
    });
  }
  return read;
}

// All sources of the scans but stored tables, which never end, had ended at the epoch.
bool HasEnded(const StreamView& stream, const Scans& scans, const PublishedEpoch& epoch) {
  if (epoch.ended) return true;
  for (const auto& [scan_id, fragment] : scans) {
    const uint32_t tasks = stream.plan->fragments(static_cast<int>(fragment)).parallelism();
    for (uint32_t task = 0; task < tasks; ++task) {
      if (!epoch.ended_sources.contains({fragment, task})) return false;
    }
  }
  return true;
}

bool IsComplete(const StreamView& stream, const Scans& scans, const CatalogSnapshot& tables) {
  if (stream.complete) {
    // What the job writes outside is there too: whoever waits may end the cluster. An attempt that
    // only serves what had ended before a restart has epochs, and makes none of them durable.
    return FileSinksOf(*stream.plan).empty() || stream.phase == StreamPhase::kServing ||
           stream.durable_epoch >= stream.published.back().epoch;
  }
  const auto& published = stream.published;
  // The final epoch of the job comes next, and only it commits what the job writes outside. A job
  // that follows stored tables has no final epoch.
  const bool final_next = published.back().ended && TableScans(*stream.plan).empty();
  if (final_next && !FileSinksOf(*stream.plan).empty()) return false;
  if (!HasEnded(stream, scans, published.back()) || !HasReadTables(stream, scans, tables)) {
    return false;
  }
  // Where other sources of the job go on, the end of event time may come with the epoch behind.
  return published.back().ended ||
         (published.size() > 1 && HasEnded(stream, scans, published[published.size() - 2]));
}

std::optional<int64_t> WatermarkOf(const StreamView& stream, uint64_t view_id) {
  std::optional<int64_t> least;
  for (const v1::Fragment& fragment : stream.plan->fragments()) {
    const v1::PlanNode& root = fragment.root();
    if (!root.has_view_sink() || root.view_sink().object_id() != view_id) continue;
    uint32_t tasks = 0;
    for (const v1::TaskWatermark& watermark : stream.published.back().task_watermarks) {
      if (watermark.fragment() != fragment.id()) continue;
      ++tasks;
      least = std::min(least.value_or(INT64_MAX), watermark.watermark_micros());
    }
    if (tasks < fragment.parallelism()) return std::nullopt;
  }
  return least;
}

}  // namespace

ViewProgress ViewProgressOf(const StreamView& stream, uint64_t view_id,
                            const CatalogSnapshot& tables) {
  const Scans scans = ScansFeeding(*stream.plan, view_id);
  ViewProgress progress;
  progress.complete = IsComplete(stream, scans, tables);
  const std::vector<uint32_t> tables_read = TableScans(*stream.plan);
  progress.may_grow =
      !stream.complete && std::any_of(tables_read.begin(), tables_read.end(),
                                      [&](uint32_t scan) { return scans.contains(scan); });
  progress.watermark_micros = WatermarkOf(stream, view_id);
  for (const auto& [key, position] : stream.published.back().positions) {
    if (scans.contains(key.first)) progress.rows += position.rows();
  }
  return progress;
}

}  // namespace millrace
