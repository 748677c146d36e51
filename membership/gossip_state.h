// GossipState: what one node knows of all members, and the rules by which that grows.
//
// A delta of a member is taken when it begins at or below what is known of the member; it then
// replaces entries by newer ones of the same key. One that begins above leaves a hole and is
// refused. Deltas come from the network: whatever is in them, the bounds below hold.
//
// Forgetting. A forgotten member is dropped and kept out: deltas of it are refused unless they
// bring its kJoined entry with a stamp above the one at which it was forgotten. So rumours of the
// old life are stopped, and a node that joins again (with a higher stamp) is taken.
//
// Our own record comes back from others when we restart with an older disk, or an empty one. Then
// every own entry is written again above the highest version that was heard, and keys that we no
// longer have are taken over, so that all views agree on what we say now.
//
// Invariants
//   1. A record's entries ascend by version, one per key; max_version is the last one's, 0 if none.
//   2. Nobody's version ever runs backwards, except by forget.
//   3. No more than limits.max_members members, each within the limits.
//
// Source: van Renesse, Dumitriu, Gough, Thomas, LADIS 2008, section 3.
//
// Thread safety: belongs to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "membership/entry.h"
#include "membership/gossip_message.h"
#include "membership/member_list.h"

namespace syntropy {

/// A set of entry keys. Keys above 63 share bits with lower ones.
class KeySet {
 public:
  constexpr KeySet() = default;
  constexpr KeySet(std::initializer_list<EntryKey> keys) {
    for (const EntryKey key : keys) add(key);
  }
  constexpr void add(EntryKey key) { bits_ |= uint64_t{1} << (static_cast<uint8_t>(key) & 63); }
  constexpr bool contains(EntryKey key) const {
    return (bits_ >> (static_cast<uint8_t>(key) & 63)) & 1;
  }
  constexpr bool intersects(KeySet other) const { return (bits_ & other.bits_) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr void add(KeySet other) { bits_ |= other.bits_; }
  bool operator==(const KeySet&) const = default;

 private:
  uint64_t bits_ = 0;
};

/// What the world may make us hold. A delta beyond them is refused as a whole.
struct GossipLimits {
  size_t max_members = 20000;
  size_t max_entry_bytes = 16 << 10;   // of one value
  size_t max_record_bytes = 64 << 10;  // of all values of a member
  size_t max_entries = 48;             // of a member
  size_t max_forgotten = 1024;         // beyond it the oldest is dropped
};

/// Versions above this are refused, so that adding to one never overflows.
inline constexpr EntryVersion kMaxEntryVersion = EntryVersion{1} << 56;

/// One step in what is known of one member.
struct MemberChange {
  MemberRecordPtr before;  // null: it is new
  MemberRecordPtr after;   // null: it was forgotten
  KeySet keys;             // whose values changed; for a new or a forgotten member all that it has

  const NodeId& id() const { return (after != nullptr ? after : before)->id; }
};

/// The value of a kJoined entry: the stamp as 8 bytes, little-endian.
std::string encode_join_stamp(uint64_t stamp);
/// 0 when the member tells none, or nonsense.
uint64_t join_stamp(const MemberRecord& record);

class GossipState {
 public:
  enum class Applied {
    kNews,     // taken; the change says what
    kOld,      // all of it was known
    kHole,     // begins above what is known of the member: ask for it from there
    kRefused,  // ill-formed, beyond the limits, or of a forgotten member
    kEcho,     // our own record came back with what we don't have: own entries were written again
               // (not while we listen: see listen())
  };

  /// The first own entry gets the version after `first_version`.
  GossipState(const NodeId& self, const GossipLimits& limits, EntryVersion first_version = 0);

  const NodeId& self() const { return self_; }
  const MemberList& members() const { return members_; }
  uint64_t hash() const { return members_.hash(); }
  /// Never null.
  const MemberRecordPtr& own() const { return own_; }
  /// 0 when unknown.
  EntryVersion version_of(uint64_t digest_id) const;

  /// Replaces all members. If `view` has our own record, that becomes the own one; if not, ours is
  /// added to it. Meant for the start: from disk, or with a view that simulated nodes share.
  void start_with(const MemberList& view);

  /// Until speak() our own record is one that others may know better than our disk: it is taken
  /// from them as any other. No own entry is written meanwhile.
  void listen() { listening_ = true; }
  bool listening() const { return listening_; }
  /// Ends that. All own entries are written again with versions above `told` and above all that we
  /// have heard. Nothing is returned when there are none.
  std::optional<MemberChange> speak(EntryVersion told);

  /// Nothing when the entry has that value already. `value` is within the limits.
  std::optional<MemberChange> set_own(EntryKey key, std::string_view value);

  /// Takes `delta` by the rules above. `*change` is set for kNews and kEcho.
  Applied apply(const MemberDelta& delta, MemberChange* change);

  /// Adds a member known by its id alone. Nothing when it is known, is ourselves, or no room is
  /// left. A contact isn't gossiped about before it has told an entry itself. Lifts a forgetting.
  std::optional<MemberChange> add_contact(const NodeId& id);

  /// Drops the member and refuses what has no join stamp above `stamp`. Nothing is returned when it
  /// isn't known, or has joined later than that; in the latter case nothing is refused, either.
  /// Forgetting ourselves is ignored.
  std::optional<MemberChange> forget(const NodeId& id, uint64_t stamp);
  bool is_forgotten(const NodeId& id) const;
  /// Those for whom it is true are refused no longer.
  void lift_forgotten(const std::function<bool(const NodeId&)>& lifted);
  /// Whether it makes sense to ask for this member at `version`: false if it is kept out by
  /// forgetting (unless the version is one that we haven't refused yet) or for want of room.
  bool wants(uint64_t digest_id, EntryVersion version) const;

 private:
  struct Forgotten {
    NodeId id;
    uint64_t stamp = 0;
    EntryVersion version = 0;  // highest that was refused
  };

  Applied apply_own(const MemberDelta& delta, MemberChange* change);
  bool well_formed(const MemberDelta& delta) const;
  bool within_limits(const MemberRecord& record) const;
  Forgotten* find_forgotten(const NodeId& id);
  void replace_own(MemberRecordPtr record);

  NodeId self_;
  GossipLimits limits_;
  MemberList members_;
  MemberRecordPtr own_;
  EntryVersion first_version_;
  bool listening_ = false;
  std::vector<Forgotten> forgotten_;  // oldest first
};

}  // namespace syntropy
