// Comparison: which keys differ between two servers that may be in use, in bounded memory.
//
// Servers yield their keys in orders of their own, so nothing can be merged. A is walked, and each
// page of its keys is looked at on both sides: that finds what is missing at B and what differs.
// Then B is walked, and A is asked which of those keys it has: that finds what is missing at A.
//
// A key that seems to differ is put in question, and looked at again `rechecks` times, a moment
// apart, while the walk goes on. Only if it differs each time, and was the same the last two times,
// it counts as a difference; if it was not the same, it is changing. So what is on its way from one
// server to the other is no false alarm.
//
// Memory: one page of keys, kFetchBytes of values of each side or the largest value,
// `max_in_question` keys, and 8 bytes of each of up to `max_remembered` keys that differ, so that a
// key that a walk yields twice is counted once.
//
// Time comes from a ComparisonHost, for tests. Thread safety: one thread; the two servers are asked
// at the same time, each by one thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "storage/base/slot_ranges.h"
#include "storage/base/status.h"
#include "tools/cli/key_server.h"

namespace syntropy {

struct Difference {
  enum class Kind : uint8_t {
    kMissingHere,   // at B only
    kMissingThere,  // at A only
    kDifferent,
    kUnsupported,  // one side has no such type, so it cannot have the key
    kChanging,     // was not the same on two looks, and equal on none
  };
  static constexpr size_t kKinds = 5;

  Kind kind = Kind::kDifferent;
  std::string key;
  std::string why;  // "value", "expiry", "type: hash, set"; may be empty

  bool operator==(const Difference&) const = default;
};

/// "missing_here" and so on.
std::string_view kind_name(Difference::Kind kind);

struct ComparisonOptions {
  SlotRanges slots = SlotRanges::all();
  bool ignore_ttl = false;
  uint64_t ttl_tolerance_ms = 0;  // expiries so far apart count as equal
  unsigned rechecks = 3;          // at least 1
  uint64_t recheck_delay_ms = 100;
  size_t max_in_question = 50'000;
  size_t max_remembered = 1'000'000;
};

struct ComparisonCounts {
  uint64_t walked_a = 0;  // keys that the walk of A has yielded and the slots let through
  uint64_t walked_b = 0;
  uint64_t compared = 0;  // different keys, but for those that a walk yields twice
  std::array<uint64_t, Difference::kKinds> differences{};
  bool exact = true;  // false: more than max_remembered differ, and some may be counted twice

  uint64_t of(Difference::Kind kind) const { return differences[static_cast<size_t>(kind)]; }
  /// Of all kinds.
  uint64_t total() const;
};

/// What a comparison needs of the world.
class ComparisonHost {
 public:
  virtual ~ComparisonHost() = default;
  /// From any start, never backwards.
  virtual uint64_t now_ms() = 0;
  virtual void wait_ms(uint64_t ms) = 0;
  /// After each page: the place to tell of progress, and to slow down.
  virtual void after_page(const ComparisonCounts& counts) = 0;
};

class Comparison {
 public:
  /// Is told of differences as soon as they are sure, each once (but see `exact`). An error of its
  /// own ends the comparison.
  using Found = std::function<Status(std::span<const Difference>)>;

  /// Everything outlives the comparison.
  Comparison(KeyServer& a, KeyServer& b, const ComparisonOptions& options, ComparisonHost& host,
             Found found)
      : a_(a), b_(b), options_(options), host_(host), found_(std::move(found)) {}

  /// Once. The errors of the servers and of `found`.
  Status run();
  const ComparisonCounts& counts() const { return counts_; }

 private:
  /// What looking at a key on both sides told.
  struct Look {
    bool equal = true;
    Difference::Kind kind = Difference::Kind::kDifferent;
    std::string why;
    uint64_t fingerprint = 0;  // of what was seen on both sides
  };
  struct Question {
    std::string key;
    uint64_t fingerprint;
    unsigned looks;   // since it was put in question
    uint64_t due_ms;  // when to look again
  };

  Status walk_a();
  Status walk_b();
  /// Takes out keys of other slots and keys that come twice.
  void filter(std::vector<std::string>* keys) const;

  Result<std::vector<Look>> look(Keys keys);
  Look look_at_states(const KeyState& a, const KeyState& b) const;
  bool same_expiry(const KeyState& a, const KeyState& b) const;
  Status look_at_strings(Keys keys, std::span<Look* const> looks);
  Status look_at_others(Keys keys, std::span<Look* const> looks);
  Status look_at_elements(const std::string& key, const std::string& type, Look* look);

  void put_in_question(std::string key, uint64_t fingerprint);
  /// Looks again at the keys whose time has come; with `all`, waits until none is in question.
  Status settle(bool all);
  Status look_again(std::vector<Question> questions);
  Status report(std::vector<Difference> differences);

  KeyServer& a_;
  KeyServer& b_;
  const ComparisonOptions options_;
  ComparisonHost& host_;
  const Found found_;
  ComparisonCounts counts_;
  std::deque<Question> questions_;           // by due_ms
  std::unordered_set<uint64_t> remembered_;  // hashes of the keys reported
};

}  // namespace syntropy
