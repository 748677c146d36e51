// Lineage: which history a node's rows come from, and how far in it they are.
//
// A primary's log (storage/replication_log.h) is one growing sequence of bytes. A *lineage* is a
// stretch of it that one primary wrote in one go: a node that becomes primary, or starts again as
// one, begins a new lineage at the offset where it stands. So two nodes never write different bytes
// under the same (lineage, offset), which is what makes an offset mean something: a node that was
// cut off, or lost what it had not synced, goes on under another name.
//
//   lineage  A------------->B------->C----->        offsets grow over lineages
//   start    0              1000     1300
//
// A history is the list of lineages with their starts, newest last (Redis' PSYNC2 remembers one
// ancestor, we kMaxLineages). Two positions have in common everything up to common_offset().
//
//   history  := n:varint32 (lineage:20 start:u64)*n        (little-endian; starts don't descend)
//   position := offset:u64 (lineage:20 offset:u64)?        the second part: what is owed
//   Check: the history of one lineage of bytes 01 to 14 that starts at 5 is
//   01 0102030405060708090A0B0C0D0E0F1011121314 0500000000000000.
//
// Thread safety: values.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/coding.h"
#include "storage/base/lineage_id.h"
#include "storage/base/status.h"

namespace syntropy {

/// A point of a history: everything that its lineage, and those before it, hold up to the offset.
struct LogPoint {
  LineageId lineage;
  uint64_t offset = 0;

  bool operator==(const LogPoint&) const = default;
};

struct Lineage {
  LineageId id;
  uint64_t start = 0;  // the offset at which it began

  bool operator==(const Lineage&) const = default;
};

inline constexpr size_t kMaxLineages = 16;

/// Oldest first. Empty: a node that has never been part of one.
using History = std::vector<Lineage>;

void encode_history(const History& history, std::string* out);
/// kCorruption when the bytes are not exactly one history.
Result<History> decode_history(std::string_view bytes);

/// Where a node stands.
struct LogPosition {
  /// May name lineages that start above `offset`: those of the primary that it follows, whose log
  /// it has yet to reach.
  History history;
  uint64_t offset = 0;
  /// The node holds rows that its log up to `offset` doesn't account for: it copied them from, or
  /// handed them over to, a node whose log has them at this point. Nothing is owed once the node's
  /// own log has come that far, nor to a node whose log has.
  std::optional<LogPoint> owed;

  /// Of the bytes up to `offset`; none when there is no history.
  LineageId lineage() const;
  /// Everything up to the point is part of this position's log.
  bool contains(const LogPoint& point) const;
  /// Up to where both logs are the same; nullopt when they share no lineage.
  std::optional<uint64_t> common_offset(const LogPosition& other) const;
  /// Becomes a primary: what is written from here on belongs to `id`. A node that owes rows leaves
  /// its ancestors behind, because a node with their log alone doesn't hold what this one does.
  void begin_lineage(const LineageId& id);
  /// Forgets what is owed if the log has come that far.
  void settle();

  bool operator==(const LogPosition&) const = default;

 private:
  /// Where history[i] ends, as far as this position has come.
  uint64_t end_of(size_t i) const;
};

/// Without the history, which is stored apart because it changes so rarely.
std::string encode_position(const LogPosition& position);
/// Fills everything but the history. kCorruption when the bytes are not exactly one position.
Status decode_position(std::string_view bytes, LogPosition* position);

}  // namespace syntropy
