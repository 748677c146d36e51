#include "tools/cli/key_repair.h"

#include <array>

namespace syntropy {
namespace {

using Kind = Difference::Kind;

constexpr size_t kMaxFailuresTold = 10;

}  // namespace

Mending mending_of(Kind kind, const RepairOptions& options) {
  const Direction direction = options.direction;
  switch (kind) {
    case Kind::kMissingThere:
      if (direction != Direction::kPull) return Mending::kCopyToB;
      return options.erase ? Mending::kEraseAtA : Mending::kLeave;
    case Kind::kMissingHere:
      if (direction != Direction::kPush) return Mending::kCopyToA;
      return options.erase ? Mending::kEraseAtB : Mending::kLeave;
    case Kind::kDifferent:
      if (direction == Direction::kPush) return Mending::kCopyToB;
      if (direction == Direction::kPull) return Mending::kCopyToA;
      return Mending::kLeave;
    case Kind::kUnsupported:
    case Kind::kChanging:
      return Mending::kLeave;
  }
  return Mending::kLeave;
}

Status KeyRepair::mend(std::span<const Difference> differences) {
  std::array<std::vector<std::string>, 5> keys;  // by Mending
  for (const Difference& difference : differences) {
    const Mending mending = mending_of(difference.kind, options_);
    told_(mending, difference);
    keys[static_cast<size_t>(mending)].push_back(difference.key);
  }
  const auto of = [&](Mending mending) -> const std::vector<std::string>& {
    return keys[static_cast<size_t>(mending)];
  };
  counts_.left += of(Mending::kLeave).size();
  if (options_.dry_run) {
    counts_.copied_to_a += of(Mending::kCopyToA).size();
    counts_.copied_to_b += of(Mending::kCopyToB).size();
    counts_.erased_at_a += of(Mending::kEraseAtA).size();
    counts_.erased_at_b += of(Mending::kEraseAtB).size();
    return {};
  }
  Status status = copy(b_, a_, of(Mending::kCopyToA), &counts_.copied_to_a);
  if (status.ok()) status = copy(a_, b_, of(Mending::kCopyToB), &counts_.copied_to_b);
  if (status.ok()) status = erase(a_, b_, of(Mending::kEraseAtA), &counts_.erased_at_a);
  if (status.ok()) status = erase(b_, a_, of(Mending::kEraseAtB), &counts_.erased_at_b);
  return status;
}

Status KeyRepair::copy(KeyServer& from, KeyServer& to, const std::vector<std::string>& keys,
                       uint64_t* copied) {
  if (keys.empty()) return {};
  const Result<std::vector<KeyState>> states = from.look(keys);
  if (!states.ok()) return states.status();
  const std::span<const KeyState> all(*states);
  for (size_t begin = 0, end = 0; begin < keys.size(); begin = end) {
    end = fetch_end(all, begin);
    const Status status = copy_some(from, to, Keys(keys).subspan(begin, end - begin),
                                    all.subspan(begin, end - begin), copied);
    if (!status.ok()) return status;
  }
  return {};
}

Status KeyRepair::copy_some(KeyServer& from, KeyServer& to, Keys keys,
                            std::span<const KeyState> states, uint64_t* copied) {
  Result<std::vector<std::optional<KeyCopy>>> read = from.copies(keys, states);
  if (!read.ok()) return read.status();
  std::vector<KeyCopy> copies;
  for (std::optional<KeyCopy>& copy : *read) {
    if (copy) {
      copies.push_back(std::move(*copy));
    } else {
      ++counts_.left;
    }
  }
  // In both directions nobody's key is replaced, not even one that came a moment ago.
  const auto failures = to.write(copies, options_.direction == Direction::kBoth);
  if (!failures.ok()) return failures.status();
  for (size_t i = 0; i < copies.size(); ++i) {
    if ((*failures)[i].empty()) {
      ++*copied;
    } else {
      note_failure(copies[i].key, (*failures)[i]);
    }
  }
  return {};
}

Status KeyRepair::erase(KeyServer& at, KeyServer& other, const std::vector<std::string>& keys,
                        uint64_t* erased) {
  if (keys.empty()) return {};
  const Result<std::vector<bool>> there = other.exist(keys);
  if (!there.ok()) return there.status();
  std::vector<std::string> lacking;
  for (size_t i = 0; i < keys.size(); ++i) {
    if ((*there)[i]) {
      ++counts_.left;
    } else {
      lacking.push_back(keys[i]);
    }
  }
  const auto failures = at.erase(lacking);
  if (!failures.ok()) return failures.status();
  for (size_t i = 0; i < lacking.size(); ++i) {
    if ((*failures)[i].empty()) {
      ++*erased;
    } else {
      note_failure(lacking[i], (*failures)[i]);
    }
  }
  return {};
}

void KeyRepair::note_failure(const std::string& key, const std::string& why) {
  ++counts_.failed;
  if (counts_.failures.size() < kMaxFailuresTold) counts_.failures.push_back(key + ": " + why);
}

}  // namespace syntropy
