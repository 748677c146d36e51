// KeyRepair: mends what a comparison found, by copying keys from one server to the other.
//
// Servers that speak the Redis protocol tell no versions: nothing says which of two values is the
// newer one. So a direction has to be chosen, and with kBoth a key that is there on both sides is
// left as it is. A write that comes to the target between the look and the copy is overwritten; so
// mend while only one side takes writes.
//
// Thread safety: as a Comparison's.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "tools/cli/comparison.h"
#include "tools/cli/key_server.h"

namespace syntropy {

enum class Direction : uint8_t {
  kPush,  // B becomes like A
  kPull,  // A becomes like B
  kBoth,  // each gets what it lacks
};

struct RepairOptions {
  Direction direction = Direction::kPush;
  bool erase = false;    // delete what the other side lacks; not with kBoth
  bool dry_run = false;  // only tell
};

enum class Mending : uint8_t { kLeave, kCopyToA, kCopyToB, kEraseAtA, kEraseAtB };

/// What is done about a difference of this kind.
Mending mending_of(Difference::Kind kind, const RepairOptions& options);

struct RepairCounts {
  uint64_t copied_to_a = 0;  // in a dry run: would be
  uint64_t copied_to_b = 0;
  uint64_t erased_at_a = 0;
  uint64_t erased_at_b = 0;
  uint64_t by_version = 0;  // in a dry run row by row: would become the newer one of both
  uint64_t left = 0;        // not to be mended this way, or changed meanwhile
  uint64_t failed = 0;
  std::vector<std::string> failures;  // why, the first of them, with their keys

  uint64_t mended() const { return copied_to_a + copied_to_b + erased_at_a + erased_at_b; }
};

class KeyRepair {
 public:
  /// Is told, before it is done, what is done about a key.
  using Told = std::function<void(Mending, const Difference&)>;

  /// The servers outlive the repair.
  KeyRepair(KeyServer& a, KeyServer& b, const RepairOptions& options, Told told)
      : a_(a), b_(b), options_(options), told_(std::move(told)) {}

  /// A server that cannot be reached is an error; a key that cannot be mended is counted.
  Status mend(std::span<const Difference> differences);
  const RepairCounts& counts() const { return counts_; }

 private:
  Status copy(KeyServer& from, KeyServer& to, const std::vector<std::string>& keys,
              uint64_t* copied);
  Status copy_some(KeyServer& from, KeyServer& to, Keys keys, std::span<const KeyState> states,
                   uint64_t* copied);
  /// Deletes at `at` those that `other` still lacks.
  Status erase(KeyServer& at, KeyServer& other, const std::vector<std::string>& keys,
               uint64_t* erased);
  void note_failure(const std::string& key, const std::string& why);

  KeyServer& a_;
  KeyServer& b_;
  const RepairOptions options_;
  const Told told_;
  RepairCounts counts_;
};

}  // namespace syntropy
