#include "storage/base/slot_ranges.h"

#include <algorithm>
#include <cassert>

namespace syntropy {
namespace {

constexpr uint32_t kMaxRanges = kSlotCount / 2;

// The first range that ends at `slot` or above.
auto first_ending_at(const std::vector<SlotRange>& ranges, uint32_t slot) {
  return std::lower_bound(ranges.begin(), ranges.end(), slot,
                          [](const SlotRange& range, uint32_t at) { return range.last < at; });
}

}  // namespace

SlotRanges::SlotRanges(std::initializer_list<SlotRange> ranges) {
  for (const SlotRange& range : ranges) add(range);
}

void SlotRanges::add(SlotRange range) {
  assert(range.first <= range.last && range.last < kSlotCount);
  // Ranges that touch the new one are merged with it, as those that overlap it are.
  const auto begin = first_ending_at(ranges_, range.first == 0 ? 0u : range.first - 1u);
  auto end = begin;
  while (end != ranges_.end() && end->first <= range.last + 1u) {
    range.first = std::min(range.first, end->first);
    range.last = std::max(range.last, end->last);
    ++end;
  }
  ranges_.insert(ranges_.erase(begin, end), range);
}

void SlotRanges::add(const SlotRanges& other) {
  if (ranges_.empty()) {
    ranges_ = other.ranges_;
    return;
  }
  for (const SlotRange& range : other.ranges_) add(range);
}

void SlotRanges::remove(SlotRange range) {
  assert(range.first <= range.last && range.last < kSlotCount);
  const auto begin = first_ending_at(ranges_, range.first);
  auto end = begin;
  SlotRange rest[2];
  size_t rests = 0;
  for (; end != ranges_.end() && end->first <= range.last; ++end) {
    if (end->first < range.first) {
      rest[rests++] = {end->first, static_cast<uint16_t>(range.first - 1)};
    }
    if (end->last > range.last) {
      rest[rests++] = {static_cast<uint16_t>(range.last + 1), end->last};
    }
  }
  ranges_.insert(ranges_.erase(begin, end), rest, rest + rests);
}

void SlotRanges::remove(const SlotRanges& other) { *this = difference(other); }

bool SlotRanges::contains(uint16_t slot) const {
  const auto at = first_ending_at(ranges_, slot);
  return at != ranges_.end() && at->first <= slot;
}

bool SlotRanges::contains(const SlotRanges& other) const { return other.difference(*this).empty(); }

uint32_t SlotRanges::count() const {
  uint32_t slots = 0;
  for (const SlotRange& range : ranges_) slots += range.count();
  return slots;
}

SlotRanges SlotRanges::intersection(const SlotRanges& other) const {
  SlotRanges both;
  auto a = ranges_.begin();
  auto b = other.ranges_.begin();
  while (a != ranges_.end() && b != other.ranges_.end()) {
    const SlotRange common{std::max(a->first, b->first), std::min(a->last, b->last)};
    // Two of these never touch, for neither side's ranges do.
    if (common.first <= common.last) both.ranges_.push_back(common);
    if (a->last < b->last) {
      ++a;
    } else {
      ++b;
    }
  }
  return both;
}

SlotRanges SlotRanges::difference(const SlotRanges& other) const {
  SlotRanges rest;
  auto b = other.ranges_.begin();
  for (const SlotRange& range : ranges_) {
    uint32_t next = range.first;
    while (b != other.ranges_.end() && b->last < range.first) ++b;
    // The last range of `other` that is looked at may reach into our next one: `b` stays at it.
    for (auto cut = b; cut != other.ranges_.end() && cut->first <= range.last; ++cut) {
      if (cut->first > next) {
        rest.ranges_.push_back(
            {static_cast<uint16_t>(next), static_cast<uint16_t>(cut->first - 1)});
      }
      next = cut->last + 1u;
    }
    if (next <= range.last) rest.ranges_.push_back({static_cast<uint16_t>(next), range.last});
  }
  return rest;
}

bool SlotRanges::intersects(const SlotRanges& other) const {
  for (const SlotRange& range : ranges_) {
    const auto at = first_ending_at(other.ranges_, range.first);
    if (at != other.ranges_.end() && at->first <= range.last) return true;
  }
  return false;
}

std::string SlotRanges::text() const {
  std::string out;
  for (const SlotRange& range : ranges_) {
    if (!out.empty()) out.push_back(' ');
    out += std::to_string(range.first);
    if (range.last != range.first) out += '-' + std::to_string(range.last);
  }
  return out;
}

void SlotRanges::encode(std::string* out) const {
  put_varint32(out, static_cast<uint32_t>(ranges_.size()));
  uint32_t next = 0;
  for (const SlotRange& range : ranges_) {
    put_varint32(out, range.first - next);
    put_varint32(out, range.count() - 1);
    next = range.last + 2u;
  }
}

size_t SlotRanges::encoded_size() const {
  size_t size = varint_size(ranges_.size());
  uint32_t next = 0;
  for (const SlotRange& range : ranges_) {
    size += varint_size(range.first - next) + varint_size(range.count() - 1);
    next = range.last + 2u;
  }
  return size;
}

Result<SlotRanges> SlotRanges::decode(ByteReader* reader) {
  uint32_t count = 0;
  if (!reader->read_varint32(&count) || count > kMaxRanges) {
    return Status::corruption("slot ranges: no count, or too many");
  }
  SlotRanges slots;
  uint64_t next = 0;
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t gap = 0;
    uint32_t length = 0;
    if (!reader->read_varint32(&gap) || !reader->read_varint32(&length)) {
      return Status::corruption("slot ranges: cut off");
    }
    const uint64_t first = next + gap;
    const uint64_t last = first + length;
    if (last >= kSlotCount) return Status::corruption("slot ranges: beyond the last slot");
    slots.ranges_.push_back({static_cast<uint16_t>(first), static_cast<uint16_t>(last)});
    next = last + 2;
  }
  return slots;
}

}  // namespace syntropy
