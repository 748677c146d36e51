// MemberList: the records of all members that a view knows, in the order of their ids.
//
// Copying a list is cheap: copies share their parts until one of them changes (copy on write), and
// then only the part around the change is copied. Ten thousand simulated nodes begin with one list.
// The parts are 256 buckets by the first byte of the id, ids being random.
//
// Each bucket keeps the sum of its members' hashes (member_hash), so that "are these two views
// equal" is one number, and "in which of 64 groups do they differ" is 64.
//
// A member is found by its id, by its rank, or by its *digest id*: the first eight bytes of its id,
// read as a big-endian number, which is what digests carry. Digest ids sort as ids do.
//
// Invariants
//   1. Ids ascend strictly, and so do digest ids: no two members share one (put refuses the
//   second).
//   2. hash() is the sum over all members, modulo 2^64, of member_hash.
//
// Thread safety: a value; but copies share parts, so all copies of a list belong to one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <vector>

#include "membership/entry.h"
#include "storage/base/coding.h"

namespace syntropy {

/// The first eight bytes of `id` as a big-endian number.
inline uint64_t digest_id(const NodeId& id) { return load_be<uint64_t>(id.bytes().data()); }

/// XXH3 (64 bits, seed 0) of digest id and version, 8 bytes little-endian each; 0 for version 0, so
/// that a member of whom only the id is known doesn't count.
uint64_t member_hash(uint64_t digest_id, EntryVersion version);

class MemberList {
 public:
  static constexpr size_t kBuckets = 256;
  /// Groups of four neighbouring buckets: the unit in which views are compared. Group g holds the
  /// members whose digest ids begin with the six bits g.
  static constexpr size_t kGroups = 64;
  static size_t group_of(uint64_t digest_id) { return digest_id >> 58; }

  MemberList();

  size_t size() const { return top_->starts[kBuckets]; }
  bool empty() const { return size() == 0; }
  /// Sum of member_hash over all members.
  uint64_t hash() const { return top_->sum; }
  /// The same over one group. group < kGroups.
  uint64_t group_sum(size_t group) const;

  /// Null when there is no such member. Valid until the list changes.
  const MemberRecordPtr* find(const NodeId& id) const;
  const MemberRecordPtr* find_digest(uint64_t digest_id) const;
  /// index < size(), in the order of ids. Valid until the list changes.
  const MemberRecordPtr& at(size_t index) const;
  /// How many members have a lower id.
  size_t rank(const NodeId& id) const;
  /// Ranks of the first member of a group, and of the first one behind it.
  size_t group_begin(size_t group) const { return top_->starts[4 * group]; }
  size_t group_end(size_t group) const { return top_->starts[4 * group + 4]; }

  /// Inserts, or replaces the record of the same id. False, and nothing done, when another member
  /// has the same digest id. `record` must not be null, its id not be the zero id.
  bool put(MemberRecordPtr record);
  /// False when there is no such member.
  bool erase(const NodeId& id);

  class Iterator;
  Iterator begin() const;
  Iterator end() const;

 private:
  struct Bucket {
    std::vector<MemberRecordPtr> records;
    uint64_t sum = 0;
  };
  struct Top {
    std::array<std::shared_ptr<Bucket>, kBuckets> buckets;  // null: empty
    std::array<uint32_t, kBuckets + 1> starts{};            // rank of each bucket's first member
    uint64_t sum = 0;
  };

  Bucket& own_bucket(size_t index);

  std::shared_ptr<Top> top_;
};

/// Forward over the records, in the order of ids. Invalid once the list changes.
class MemberList::Iterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = MemberRecordPtr;
  using difference_type = std::ptrdiff_t;
  using pointer = const MemberRecordPtr*;
  using reference = const MemberRecordPtr&;

  Iterator() = default;
  reference operator*() const { return top_->buckets[bucket_]->records[index_]; }
  pointer operator->() const { return &**this; }
  Iterator& operator++() {
    ++index_;
    skip_empty();
    return *this;
  }
  Iterator operator++(int) {
    Iterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Iterator&) const = default;

 private:
  friend class MemberList;
  Iterator(const Top* top, size_t bucket) : top_(top), bucket_(bucket) { skip_empty(); }
  void skip_empty() {
    while (bucket_ < kBuckets && (top_->buckets[bucket_] == nullptr ||
                                  index_ == top_->buckets[bucket_]->records.size())) {
      ++bucket_;
      index_ = 0;
    }
  }

  const Top* top_ = nullptr;
  size_t bucket_ = kBuckets;
  size_t index_ = 0;
};

inline MemberList::Iterator MemberList::begin() const { return {top_.get(), 0}; }
inline MemberList::Iterator MemberList::end() const { return {top_.get(), kBuckets}; }

}  // namespace syntropy
