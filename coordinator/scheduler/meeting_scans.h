#pragma once

#include <cstdint>
#include <map>
#include <set>

namespace millrace {

namespace v1 {
class PhysicalPlan;
}  // namespace v1

// By scan, the other ones whose rows meet its own somewhere downstream: event time is the least of
// theirs from there on. Only scans with event time are listed, and only those that meet another.
// Pure.
std::map<uint32_t, std::set<uint32_t>> MeetingScans(const v1::PhysicalPlan& plan);

}  // namespace millrace
