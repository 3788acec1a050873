#pragma once

#include <string>

namespace millrace {

namespace v1 {
class PhysicalPlan;
}  // namespace v1

// Tells plans apart: 8 bytes over everything that the plan says. State belongs to the plan that
// wrote it, because operators are named by their numbers in it.
std::string PlanHash(const v1::PhysicalPlan& plan);

}  // namespace millrace
