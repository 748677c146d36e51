// Membership: one node's view of the cluster, and its part in it. Gossip, failure detection, slot
// ownership and election, wired together.
//
// How the owner drives it: step() with each message, tick() at next_deadline(), and take_ready()
// after each of these and after every command. What is ready is obeyed in the order of its fields:
// first the state is stored, then messages leave. A node that cannot store sends nothing.
//
//            step, tick, commands                      take_ready
//     owner ----------------------> Membership ------------------------> owner
//                                   |  Gossip           entries of all members
//                                   |  FailureDetector  who is FAIL, may we serve
//                                   |  Ownership        epochs, claims, slot map
//                                   |  Election         votes, manual failover
//
// Lost data. A node that finds, in what the others remember of it, that its disk is empty or older
// than what it had told, or whose store isn't the one that it had told of, is *hollow*: it tells
// that its copy isn't complete, serves nothing, and nobody copies from it; its replicas replace it
// as if it were FAIL. Where none has more than it, or none is elected within ten node timeouts, it
// goes on with what it has. To be told of such a past, a node that began with an empty disk takes
// messages of strangers that address it by its id, and says nothing of itself until most owners of
// slots have answered, or, if it was met, for a second in which no stranger did so; if it knows that
// it has lost data, until nobody has spoken to it for two node timeouts. One whose disk knows the
// others waits for the answers of three of them, or for a second: the disk may be an old one, and
// until then it serves nothing either.
//
// Invariants
//   1. Nothing that a restart must remember is told before it is stored.
//   2. The same calls with the same seed give the same outputs.
//
// Thread safety: belongs to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "membership/election.h"
#include "membership/failure_detector.h"
#include "membership/gossip.h"
#include "membership/membership_state.h"
#include "membership/message.h"
#include "membership/ownership.h"
#include "membership/roster.h"

namespace syntropy {

struct MembershipOptions {
  GossipOptions gossip;
  DetectorConfig detector;            // its node_timeout is cluster-node-timeout
  ElectionOptions election;           // node_timeout_ms is taken from `detector`
  bool require_full_coverage = true;  // cluster-require-full-coverage
  TimeMs linger_ms = 2000;            // a slot that was given up, until its next owner is heard of
  bool allow_replica_migration = true;  // cluster-allow-replica-migration
  std::string software;                 // version of the program; at most 64 bytes
};

/// One member as this view knows it. What it hasn't told has its default value.
struct MemberView {
  NodeId id;
  AddressFact address;
  RoleFact role;
  SlotsFact claim;
  ReplicationFact replication;
  LoadFact load;
  SoftwareFact software;
  Liveness liveness = Liveness::kAlive;
  bool contact = false;  // introduced, and has told nothing yet (Redis: handshake)
};

/// Whether and why not this node may serve slots.
enum class ClusterHealth : uint8_t {
  kOk,
  kUncovered,  // a slot has no owner or its owner is FAIL, and full coverage is required
  kCutOff,     // this node isn't with the majority, or may have been declared dead
};

struct MembershipSend {
  NodeId to;
  Message message;
};

/// To an address whose node isn't known yet.
struct MeetSend {
  std::string host;
  uint16_t bus_port = 0;
  Meet message;
};

struct MembershipReady {
  /// First: MembershipOptions' owner stores state() durably before anything below happens. If it
  /// can't, the sends are dropped (every message may be lost).
  bool store = false;
  std::vector<MembershipSend> sends;
  std::vector<MeetSend> meets;
  /// This node is a replica of it from now on; no node inside: it became a primary. Unset: no
  /// change.
  std::optional<NodeId> follow;
  /// Became a primary by winning the slots of this one: begin a new lineage.
  NodeId promoted_over;
  /// Claimed its own slots anew under this epoch (nothing else changes): others had voted to replace
  /// it, and never heard how that ended. 0: no.
  uint64_t kept_epoch = 0;
  /// Slots that changed hands in this view, in the order in which they did.
  std::vector<SlotMove> moves;
  std::vector<NodeId> failed;   // newly FAIL
  std::vector<NodeId> refuted;  // no longer FAIL
  std::vector<NodeId> removed;  // forgotten
  /// Something that clients are told (slots, addresses, roles, liveness, health) changed.
  bool routing_changed = false;
  TimeMs pause_writes_until = 0;  // Election: manual failover, this node being the primary
  bool resume_writes = false;
  bool manual_failed = false;  // the manual failover that this node had begun came to nothing
  /// Others were told to forget this node.
  bool forgotten = false;

  bool empty() const;
  /// Keeps the capacity.
  void clear();
};

class Membership final : private Roster, private ElectionView {
 public:
  /// A node that has been one before (`state` is what was stored) or is new (the id and the store
  /// are set, the rest is empty). `random` outlives this.
  Membership(const MembershipOptions& options, const MembershipState& state, Random& random,
             TimeMs now);
  /// For simulations: in the midst of its life, knowing `view` (this node's record is in it) and
  /// `map` (of all their claims), which many nodes share until they change.
  Membership(const MembershipOptions& options, const MembershipState& state, const MemberList& view,
             SlotMap map, Random& random, TimeMs now);
  ~Membership() override;
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  // --- what happens ------------------------------------------------------------------------------

  /// `from` is the authenticated sender; `from_host` its address as seen here (for Meet).
  void step(const NodeId& from, const Message& message, std::string_view from_host, TimeMs now);
  void tick(TimeMs now);
  /// When tick() must be called at the latest.
  TimeMs next_deadline() const;
  /// Clears `into` and swaps it with what is ready, so that its capacity is used again.
  void take_ready(MembershipReady& into);

  /// The node's host refuses connections to it.
  void unreachable(const NodeId& node, TimeMs now);
  /// The wall clock, for stamps of joining and forgetting. Told once in a while.
  void set_wall_ms(uint64_t wall_ms) { wall_ms_ = wall_ms; }
  void set_options(const MembershipOptions& options, TimeMs now);

  // --- what this node tells ----------------------------------------------------------------------

  void set_address(const AddressFact& address, TimeMs now);
  void set_load(const LoadFact& load, TimeMs now);
  /// This node's own copy; of a primary `complete` is true unless it lost its data.
  void set_replication(const OwnReplication& replication, TimeMs now);

  // --- commands (errors: kInvalidArgument, kNotFound, kAlreadyExists, kUnavailable) --------------

  Status meet(std::string host, uint16_t bus_port, TimeMs now);
  /// The whole cluster forgets it. kNotFound: unknown; kInvalidArgument: this node, its primary, or
  /// one that owns slots and isn't FAIL. If it is elected meanwhile, it joins anew.
  Status forget(const NodeId& node, TimeMs now);
  Status add_slots(const SlotRanges& slots, TimeMs now);
  Status del_slots(const SlotRanges& slots, TimeMs now);
  void flush_slots(TimeMs now);
  Status set_slot_migrating(uint16_t slot, const NodeId& to, TimeMs now);
  Status set_slot_importing(uint16_t slot, const NodeId& from, TimeMs now);
  void set_slot_stable(uint16_t slot, TimeMs now);
  /// kUnavailable: this node would take the slot while it is cut off.
  Status set_slot_owner(uint16_t slot, const NodeId& node, TimeMs now);
  /// Ownership's slots on the move. kUnavailable: they aren't this node's, something is given
  /// already, or the shard is unknown.
  Status give_slots(const SlotRanges& slots, const NodeId& shard, TimeMs now);
  /// kUnavailable: this node is no primary that may serve, or in its view they are another's than
  /// `giver`'s.
  Status take_slots(const SlotRanges& slots, const NodeId& giver, TimeMs now);
  void add_spare_slots(const SlotRanges& slots, TimeMs now);
  void remove_spare_slots(const SlotRanges& slots, TimeMs now);
  Status set_config_epoch(uint64_t epoch, TimeMs now);
  std::optional<uint64_t> bump_epoch(TimeMs now);
  /// Become a replica of `primary`; this node must own no slots.
  Status replicate(const NodeId& primary, TimeMs now);
  Status fail_over(FailoverMode mode, TimeMs now);
  /// Election::writes_paused.
  void writes_paused(const LineageId& lineage, uint64_t offset, TimeMs now);
  /// CLUSTER RESET: the state for a new Membership that takes this one's place. Without members
  /// and slots, a primary; hard: with a new id, and no epochs.
  MembershipState after_reset(bool hard) const;

  // --- questions ---------------------------------------------------------------------------------

  /// What has to be stored now.
  MembershipState state() const;
  const NodeId& self() const { return self_; }
  const MemberList& members() const { return gossip_.members(); }
  /// Nullopt: unknown.
  std::optional<MemberView> member(const NodeId& id) const;
  Liveness liveness(const NodeId& id) const { return detector_.liveness(id); }
  const SlotMap& slots() const { return ownership_.map(); }
  const OwnershipState& epochs() const { return ownership_.state(); }
  /// Whom this node replicates; no node: it is a primary.
  const NodeId& primary() const { return role_.primary; }
  const NodeId& shard() const { return role_.shard; }
  ClusterHealth health(TimeMs now) const;
  /// The moment from which health() is kCutOff unless more is heard (FailureDetector).
  TimeMs serve_until() const { return behind_ ? 0 : detector_.serve_until(); }
  /// Whether the cluster was told to forget it, as far as this view goes.
  bool has_forgotten(const NodeId& id) const { return forgotten_stamp(id) != 0; }
  /// Its disk is empty or old, or a part of it was lost.
  bool has_lost_data() const { return lost_data_; }
  /// The primary of the shard; no node: none is known.
  NodeId primary_of_shard(const NodeId& shard) const;
  size_t failure_reports(const NodeId& id) const { return detector_.failure_reports(id); }
  /// Equal in views that agree on all members, their entries and who is FAIL.
  uint64_t hash() const;
  const GossipStats& gossip_stats() const { return gossip_.stats(); }
  double loss() const { return detector_.loss(); }

 private:
  // Roster
  size_t size() const override { return roster_.size(); }
  const NodeId& id(size_t rank) const override { return roster_.at(rank)->id; }
  size_t members_below(const NodeId& id) const override { return roster_.rank(id); }
  uint64_t incarnation(size_t rank) const override;
  bool votes(size_t rank) const override;
  bool lease_withheld(const NodeId& id) const override;

  // ElectionView
  NodeId primary_of(const NodeId& node) const override;
  bool failed(const NodeId& node) const override;
  bool doubted() const override { return doubted_; }
  std::vector<ReplicaView> replicas_of(const NodeId& primary) const override;
  OwnReplication own_replication() const override { return replication_; }
  LineageId lineage_of(const NodeId& primary) const override;

  void tell(EntryKey key, std::string_view value, TimeMs now);
  void tell_role(TimeMs now);
  void tell_slots(TimeMs now);
  void tell_incarnation(TimeMs now);
  void tell_replication(TimeMs now);
  void tell_forgotten(const NodeId& node, uint64_t stamp, TimeMs now);
  void become_primary(TimeMs now);
  void become_replica(const NodeId& primary, TimeMs now);
  bool hollow(const MemberRecord& record) const;
  bool covered() const;
  void recall();
  void look_for_past(const Entry& entry, TimeMs now);
  void look_for_other_store(TimeMs now);
  void lose_data(TimeMs now);
  void end_loss(TimeMs now);
  bool may_vote(TimeMs now) const;
  bool heard_enough(const NodeId& from, const GossipMessage& message, TimeMs now);
  void check_lost_data(TimeMs now);
  bool has_better_replica() const;
  void introduce(TimeMs now);
  TimeMs patience() const;
  TimeMs patience_until() const { return began_ + patience(); }
  void send_meets(TimeMs now);
  uint64_t forgotten_stamp(const NodeId& node) const;
  void note_forgotten(const NodeStamp& stamp);
  void note_teller(const MemberRecord& member);
  bool needed(const NodeId& node) const;
  void forget_late(const NodeId& node);
  void forget_as_told(const NodeId& node);
  void end_sparing(TimeMs now);
  void join_anew(uint64_t forgotten, TimeMs now);
  void reserve_versions();

  void pump(TimeMs now);
  void notice_doubt(TimeMs now);
  void notice_lapse(TimeMs now);
  bool pump_gossip(TimeMs now);
  bool pump_detector(TimeMs now);
  bool pump_ownership(TimeMs now);
  bool pump_given(TimeMs now);
  bool pump_shard(TimeMs now);
  bool pump_election(TimeMs now);
  void on_change(const MemberChange& change, TimeMs now);
  void on_own_change(const MemberChange& change, TimeMs now);
  void on_suspects(const MemberRecord& observer, TimeMs now);
  void on_forgotten(const MemberRecord& teller, TimeMs now);
  void on_meet(const NodeId& from, const Meet& meet, std::string_view from_host, TimeMs now);
  Meet introduction(uint64_t token, bool reply_wanted) const;
  bool takes_from(const NodeId& from, TimeMs now);

  MembershipOptions options_;
  struct PendingMeet {
    std::string host;
    uint16_t bus_port = 0;
    uint64_t token = 0;
    TimeMs next_at = 0;
    TimeMs until = 0;
  };

  const NodeId self_;
  const uint64_t store_;
  uint64_t told_store_;  // the former one, as long as this one isn't worth as much
  Random& random_;
  Gossip gossip_;
  MemberList roster_;  // follows gossip_.members() member by member, for the detector
  FailureDetector detector_;
  Ownership ownership_;
  Election election_;

  RoleFact role_;
  AddressFact address_;
  uint64_t incarnation_ = 0;
  OwnReplication replication_;
  uint64_t joined_ = 0;  // Unix ms of the last introduction
  uint64_t wall_ms_ = 0;
  EntryVersion version_bound_ = 0;
  std::vector<NodeStamp> forgotten_;  // by this node, ascending by node
  std::set<NodeId> tellers_;          // who tells that it was told to forget somebody
  std::map<NodeId, TimeMs> spared_;   // needed, but forgotten by others; until when
  std::vector<PendingMeet> pending_meets_;
  const TimeMs began_;
  bool patience_ended_ = false;
  bool blank_ = false;                 // began with an empty disk: new, or one that lost it
  bool introduced_ = false;            // speaks: has told all of its entries
  bool role_changed_ = false;          // in this life
  int pushes_heard_ = 0;               // while it listened
  std::optional<TimeMs> met_at_;       // when it was met first, with an empty disk
  std::optional<TimeMs> stranger_at_;  // when nodes that it doesn't know spoke to it as to a member
  std::set<NodeId> answered_;
  bool forgotten_changed_ = false;
  bool behind_ = false;   // was cut off, and hasn't been told since what happened meanwhile
  bool doubted_ = false;  // ElectionView::doubted
  std::optional<TimeMs> doubted_since_;
  bool lost_data_ = false;
  TimeMs lost_since_ = 0;
  TimeMs lost_data_check_ = 0;
  TimeMs abstain_until_ = 0;
  bool election_due_ = false;  // something that ElectionView tells has changed
  bool shards_changed_ = true;  // a node has gone, or to another shard, since slots were given
  MembershipReady ready_;
  GossipReady gossip_ready_;
  FailureDetector::Ready detector_ready_;
};

}  // namespace syntropy
