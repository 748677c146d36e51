// SlotRanges: a set of slots, kept as ascending ranges that neither overlap nor touch, so that the
// same set has the same ranges, the same text and the same bytes on every node.
//
//   bytes := count:varint range*          count <= 8192
//   range := gap:varint length:varint     gap: slots left out between the range before and this one
//                                         (before the first: its first slot), less one after the
//                                         first, for there two ranges would touch; length: its
//                                         slots, less one
//   Check: {0-2, 4, 16383} is 03 00 02 00 00 F9 7F 00.
//
// Thread safety: a value.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/coding.h"
#include "storage/base/slot.h"
#include "storage/base/status.h"

namespace syntropy {

/// Both ends belong to it; first <= last < kSlotCount.
struct SlotRange {
  uint16_t first = 0;
  uint16_t last = 0;

  uint32_t count() const { return 1u + last - first; }
  auto operator<=>(const SlotRange&) const = default;
};

class SlotRanges {
 public:
  SlotRanges() = default;
  /// In any order, may overlap.
  SlotRanges(std::initializer_list<SlotRange> ranges);
  static SlotRanges all() { return {{0, kSlotCount - 1}}; }

  void add(SlotRange range);
  void add(const SlotRanges& other);
  void remove(SlotRange range);
  void remove(const SlotRanges& other);
  void clear() { ranges_.clear(); }

  bool contains(uint16_t slot) const;
  bool contains(const SlotRanges& other) const;
  bool empty() const { return ranges_.empty(); }
  /// Slots, not ranges.
  uint32_t count() const;
  /// Ascending; neither overlapping nor touching.
  const std::vector<SlotRange>& ranges() const { return ranges_; }

  SlotRanges intersection(const SlotRanges& other) const;
  SlotRanges difference(const SlotRanges& other) const;
  bool intersects(const SlotRanges& other) const;

  /// "0-2 4 16383", as in CLUSTER NODES; empty for none.
  std::string text() const;

  /// Appends the bytes of the grammar above.
  void encode(std::string* out) const;
  size_t encoded_size() const;
  /// Takes one set off the front of `reader`. kCorruption when the bytes are not what encode()
  /// writes.
  static Result<SlotRanges> decode(ByteReader* reader);

  bool operator==(const SlotRanges&) const = default;

 private:
  std::vector<SlotRange> ranges_;
};

}  // namespace syntropy
