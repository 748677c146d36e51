// VoterSet: which members have voted, one bit per rank in the roster.
//
// Bits travel through ten thousand nodes' messages and views, so the words are shared until
// somebody writes (copy on write).
//
// Thread safety: a value; copies on several threads may share words, which are never written then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace syntropy {

class VoterSet {
 public:
  using Words = std::vector<uint64_t>;

  VoterSet() = default;
  /// Bit i of the set is bit i % 64 of word i / 64. Trailing zero words are of no account.
  explicit VoterSet(Words words);

  bool contains(size_t rank) const;
  /// False: it was in.
  bool add(size_t rank);
  void remove(size_t rank);
  /// Takes in all of `other`; false: nothing was new.
  bool merge(const VoterSet& other);
  /// A member took `rank`; those at it and above move up by one.
  void make_room(size_t rank);
  /// The member at `rank` went, with its vote; those above move down by one.
  void close_gap(size_t rank);
  /// How many are in both.
  size_t count_in(const VoterSet& other) const;
  size_t count() const;
  bool empty() const { return words_ == nullptr; }
  void clear() { words_.reset(); }
  /// Without trailing zero words; empty for the empty set.
  const Words& words() const;

  bool operator==(const VoterSet& other) const { return words() == other.words(); }

 private:
  Words& writable(size_t size);
  void trim();

  std::shared_ptr<Words> words_;  // null: the empty set; the last word is never 0
};

}  // namespace syntropy
