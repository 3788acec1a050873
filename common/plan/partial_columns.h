#pragma once

#include <vector>

#include "common/expr/expr.h"
#include "common/types/sql_type.h"

// What a two-phase aggregation sends between its phases. The planner gives the columns to the
// exchange, the accumulators of workers write and read them; both sides ask here, so that they
// agree.

namespace millrace {

// True if the aggregate can be computed in two phases. DISTINCT, string_agg and single_value need
// all rows of a group in one place.
bool SupportsPartial(const AggregateCall& call);

// True if the accumulator columns can also carry rows that were taken back (negative weights): all
// but min and max, which cannot forget a value.
bool SupportsPartialChanges(const AggregateCall& call);

// Types of the accumulator columns that the PARTIAL phase puts out for `call` and the FINAL phase
// takes in, in this order. `arg_types` are the types of the call's arguments in the input of the
// PARTIAL phase. Every column but those marked with * is never NULL. With changing input all counts
// and sums are weighted, so they may be negative.
//
//   count(*), count(x)    rows int8
//   sum, avg, integers    sum int8 (int2, int4) or numeric(38,0) (int8), count of values int8
//   sum, avg, intervals   sum interval, count of values int8
//   sum, avg, numeric     sum numeric(38,s), count of values int8
//   sum, avg, floats      sum of the finite values float8, count of all values int8, non-finite
//   bytea*
//   min, max              value* (the argument's type; NULL = no value yet)
//   bool_and, bool_or     count of true int8, count of false int8
//   stddev_*, var_*, floats            count of all values int8, mean of the finite ones float8,
//   sum of squared differences
//                                      from that mean float8, non-finite bytea*
//   stddev_*, var_*, exact numbers     count of values int8, sum numeric(38,s), sum of squares
//   bytea
//
// s is the argument's scale. "non-finite" is NULL where no value is NaN or infinite (the usual
// case), else three int64 in little endian: how often NaN, +∞ and −∞ occur. "sum of squares" has 32
// bytes: the unscaled sum of scale 2s, a two's complement number in little endian.
std::vector<SqlType> PartialColumns(const AggregateCall& call,
                                    const std::vector<SqlType>& arg_types);

}  // namespace millrace
