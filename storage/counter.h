// Counter: the payload of a kCounter row, an integer to which several writers add at the same time
// without losing each other's increments.
//
// The version of the row is its *base version*: that of the write (SET, or the first INCR of an
// absent key) that gave the counter its base. An increment leaves the version alone and raises the
// running total of its writer; a write of another kind gives the row a greater version, and with it
// drops all totals. The expiry has a version of its own, so that EXPIRE does not collide with
// increments made elsewhere.
//
//   payload := base:i64 expiry_stamp:u64 expiry_writer:u64 n:varint32 entry*n   (little-endian)
//   entry   := writer:u64 stamp:u64 total:i64
//
// Entries ascend by writer. The expiry version is zero while the expiry is as old as the base;
// otherwise it is greater than the base version. value = base + sum of totals.
// Check vector: base 5, no expiry version, writer 7 at stamp 9 with total -2:
//   0500000000000000 0000000000000000 0000000000000000 01
//   0700000000000000 0900000000000000 feffffffffffffff
//
// A kString row whose payload is a decimal 64-bit integer in its shortest form is, for merging, the
// counter of the same version without entries (storage/merge.h). parse_counter() takes both.
//
// Thread safety: pure functions and values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "storage/row.h"
#include "storage/version.h"

namespace syntropy {

struct CounterEntry {
  WriterId writer = 0;
  HlcStamp stamp = 0;  // of the writer's newest increment
  int64_t total = 0;   // of all of the writer's increments since the base version

  bool operator==(const CounterEntry&) const = default;
};

struct Counter {
  int64_t base = 0;
  Version expiry_version;             // zero: the base version
  std::vector<CounterEntry> entries;  // ascending by writer, one per writer

  bool operator==(const Counter&) const = default;
};

/// The integer that `text` writes in its shortest decimal form (no sign but '-', no leading zeros,
/// no blanks); nullopt when it isn't one or needs more than 64 bits.
std::optional<int64_t> parse_integer(std::string_view text);

/// The counter in a kCounter or integer kString row. kInvalidArgument when the row is a string that
/// is no integer, or of another kind; kCorruption when the payload of a kCounter row is ill-formed.
Result<Counter> parse_counter(const RowView& row);

/// Appends the payload of `counter` to `out`.
void encode_counter(const Counter& counter, std::string* out);

/// The value of a counter or integer string row. Errors as parse_counter(), and kUnavailable when
/// the sum needs more than 64 bits, which increments made apart can bring about.
Result<int64_t> counter_value(const RowView& row);

/// As counter_value(), but a sum beyond 64 bits is the nearest that fits. What a reader sees.
/// Allocates nothing.
Result<int64_t> counter_value_saturated(const RowView& row);

/// Adds `delta` in the name of `writer` to a counter or integer string row. Replaces `payload` by
/// the payload of the resulting kCounter row, whose version, expiry and expiry version are as
/// before, and returns the new value. `stamp` is from the writer's clock; should the writer's own
/// entry carry one not below it, the entry's stamp grows by one instead.
/// `payload` may not be what `row` points into. On error it is unchanged:
///   kInvalidArgument, kCorruption  as parse_counter()
///   kUnavailable                   the value would need more than 64 bits
///   kIncomplete                    the value fits and the writer's running total would not: the
///                                  caller writes the sum as a string with a new version
Result<int64_t> counter_add(const RowView& row, WriterId writer, HlcStamp stamp, int64_t delta,
                            std::string* payload);

/// Replaces `payload` by that of the kCounter row that has `row`'s base and entries and whose
/// expiry was set at `version`, which must be greater than the row's. The new expiry itself goes
/// into RowView::expires_at_ms of the resulting row. Errors as parse_counter().
Status counter_set_expiry(const RowView& row, Version version, std::string* payload);

/// The version at which the expiry of a row of any kind was set.
Version expiry_version_of(const RowView& row);

/// The greatest stamp of what was ever written to the row. A counter's version is that of its base,
/// and may be far older than its expiry and its increments. kCorruption when a kCounter row's
/// payload is ill-formed.
Result<HlcStamp> newest_stamp_of(const RowView& row);

}  // namespace syntropy
