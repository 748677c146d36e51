// FailureDetector: who answers, who is suspect, who is dead.
//
// Every node watches the eight around it on a seeded ring (membership/observers.h) and is watched
// by the same eight. Each pair exchanges one ping and one ack per interval (node timeout / 5,
// within 50 ms .. 1 s); whoever misses the other probes faster, then through helpers too (SWIM).
// Silence for the node timeout makes an observer suspect, which it publishes as its own entry
// (`suspects`) and tells the other observers at once. What several observers say is weighed, and
// put to the vote of the slot-owning primaries, in membership/failure_ballot.h. Heartbeats never
// enter gossip.
//
// The exchange also gives each node a *lease* from each observer: "it can't suspect me before".
// may_serve() is false from the moment at which so many leases have run out that the others may
// have declared this node dead, whether it was cut off, deaf, mute or stopped by SIGSTOP. An
// observer withholds its lease from a member whose slots it knows, or has voted, to go to another
// (Roster::lease_withheld): that one shall hear of it before it serves.
//
// Ideas: SWIM (Das, Gupta, Motivala, DSN 2002), Lifeguard (Dadgar, Phillips, Currey, DSN-W 2018:
// a node that hears few others distrusts itself first), Rapid (Suresh et al., USENIX ATC 2018:
// several observers, and more than one must complain).
//
// Invariants
//   1. An observer suspects no earlier than `node_timeout` after the lease that it last gave, except
//      after unreachable(), when it is half of that.
//   2. A node that FAIL was decided upon at incarnation i stays so until it is seen at a higher one.
//   3. The same calls with the same seed give the same outputs.
//
// Thread safety: none. No clock, no I/O: `now` never runs backwards.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "membership/detector_message.h"
#include "membership/entry.h"
#include "membership/failure_ballot.h"
#include "membership/heartbeat.h"
#include "membership/node_id.h"
#include "membership/observers.h"
#include "membership/roster.h"
#include "storage/base/random.h"

namespace syntropy {

struct DetectorConfig {
  /// `cluster-node-timeout`, from 300 up.
  TimeMs node_timeout = 15'000;
  /// Who watches whom. The same on all nodes.
  uint64_t ring_seed = 0x53796e74726f7079;
  /// How many watch each node, even. All others do in a cluster that isn't larger.
  uint32_t observers = 8;
  /// To how many members ballots are passed on at once.
  uint32_t fanout = 4;
  /// How long what was learnt of ballots is gathered before it is passed on.
  TimeMs batch_ms = 20;
};

enum class Liveness : uint8_t { kAlive, kSuspect, kFailed };

class FailureDetector final : private Witness {
 public:
  using Outgoing = DetectorOutgoing;

  /// In the order in which they must be dealt with.
  struct Ready {
    /// Publish as this node's own incarnation before anything of `send`, then call
    /// incarnation_changed(self): others hold that it is dead, or are about to.
    std::optional<uint64_t> raise_incarnation;
    /// Publish as this node's own list of suspects, urgently. Ascending; may be empty. An
    /// incarnation with kDoubtful set is passed on as it is.
    std::optional<std::vector<Suspect>> suspects;
    /// Newly FAIL. Start elections, tell clients. liveness() says whether it still is.
    std::vector<Suspect> failed;
    /// No longer FAIL: seen at a higher incarnation, or forgotten.
    std::vector<NodeId> refuted;
    /// In any order; a message that is lost does no harm.
    std::vector<Outgoing> send;

    void clear();
  };

  /// `roster` holds `self` at all times. Both references outlive this.
  FailureDetector(const DetectorConfig& config, const NodeId& self, const Roster& roster,
                  Random& random);
  FailureDetector(const FailureDetector&) = delete;
  FailureDetector& operator=(const FailureDetector&) = delete;

  // What the owner tells. All but start() after the roster has changed, one member at a time.

  /// Once, with the roster as it was read from disk. Nobody's lease is taken for granted.
  void start(TimeMs now);
  void member_added(const NodeId& id, TimeMs now);
  void member_removed(const NodeId& id, TimeMs now);
  /// Of a member or of this node itself, upwards.
  void incarnation_changed(const NodeId& id, TimeMs now);
  /// Their votes() may have changed. In clusters above 64 members it counts from 50 ms later at
  /// most.
  void electorate_changed(std::span<const NodeId> members, TimeMs now);
  /// The list of suspects that `observer` publishes, whole, at each change.
  void suspects_changed(const NodeId& observer, std::span<const Suspect> suspects, TimeMs now);
  /// The node's host is there and refuses connections: its process is gone, or not yet there.
  void unreachable(const NodeId& node, TimeMs now);
  void set_node_timeout(TimeMs node_timeout, TimeMs now);

  // The protocol.

  /// `from` is the authenticated sender. What makes no sense is ignored.
  void step(const NodeId& from, const DetectorMessage& message, TimeMs now);
  void tick(TimeMs now);
  /// When tick() must be called at the latest. 0: at once.
  TimeMs next_deadline() const;
  bool has_ready() const;
  /// Swaps what there is into `ready`, whose memory is used again.
  void take_ready(Ready& ready);

  // Questions.

  /// Whether it is certain that nobody has declared this node dead, and it is with the majority.
  /// When it becomes true again after it wasn't, there is a wait of half the node timeout (150 ms
  /// to 1 s) in which what others decided meanwhile arrives.
  bool may_serve(TimeMs now) const { return now < serve_until(); }
  /// may_serve() without that wait.
  bool is_certain(TimeMs now) const {
    return started_ && (now < certain_until_ || now < certain_until());
  }
  /// Whether it hears, or those whom it hears do, a majority of those that vote.
  bool with_majority() const { return with_majority_; }
  /// The moment from which may_serve is false unless more is heard; 0: it already is. To be given
  /// to threads that serve clients, who compare it with their own clock before each batch.
  TimeMs serve_until() const;
  /// Whether it is one of those that this node exchanges heartbeats with; true of members alone.
  bool watches(const NodeId& id) const { return find(id) != nullptr; }
  /// kSuspect: as many observers suspect it as it takes. This node itself is kAlive unless FAIL.
  Liveness liveness(const NodeId& id) const;
  /// liveness() is kFailed; sooner known than that.
  bool is_failed(const NodeId& id) const { return box_.is_failed(id); }
  /// How many observers suspect it at its incarnation, for CLUSTER COUNT-FAILURE-REPORTS.
  size_t failure_reports(const NodeId& id) const;
  /// Of all FAIL decisions: a part of the hash by which two views know that they agree.
  uint64_t failed_hash() const;
  /// All FAIL decisions, to be sent to a node whose hash differs. Nullopt: there are none.
  std::optional<BallotNews> failures() const;
  /// Share of messages to this node that are lost, 0 .. 1, as it was lately.
  double loss() const override { return loss_; }

 private:
  struct Watch {
    NodeId id;
    Heartbeat beat;
    TimeMs pinged_at = 0;
    TimeMs refused_at = 0;   // 0: its host didn't refuse us
    TimeMs grace_until = 0;  // until then it hasn't had the time to give us a lease
    uint32_t probes = 0;
    bool initiates = false;
    bool failed = false;
    bool silent = false;     // not heard for its time
    bool suspected = false;  // ... and we trust ourselves enough to say so
    bool votes = false;
  };

  // Heartbeats (failure_detector.cc).
  Watch* find(const NodeId& id);
  const Watch* find(const NodeId& id) const;
  void notice_pause(TimeMs now);
  template <typename Numbers>  // a message that carries them
  void on_numbers(const NodeId& from, const Numbers& numbers, bool direct, TimeMs now);
  void on_ping(const NodeId& from, const Ping& ping, TimeMs now);
  void on_relay(const NodeId& from, const DetectorMessage& message, TimeMs now);
  void answer_relayed(const NodeId& helper, const RelayedPing& ping, TimeMs now);
  void count_loss(const Heartbeat::Received& received);
  void ping(Watch& watch, TimeMs now, bool with_helpers);
  void send_round(TimeMs now);
  void service(Watch& watch, TimeMs now);
  TimeMs patience(const Watch& watch) const;
  bool lagging(const Watch& watch, TimeMs now) const;
  TimeMs alarm(const Watch& watch, TimeMs now) const;
  void send(const NodeId& to, const DetectorMessage& message);

  // The view (detector_view.cc).
  Sight sight(const NodeId& id) const override;
  /// How many times the usual to wait before suspecting anybody; 0: suspect nobody.
  unsigned caution(TimeMs now) const;
  void refresh_neighbours(TimeMs now);
  void refresh_voters();
  void publish_suspects();
  void settle(TimeMs now);
  void refute(TimeMs now);
  void majority_stale();
  void check_majority(TimeMs now);
  bool reaches_majority() const;
  TimeMs leases_until() const;
  TimeMs certain_until() const;
  void notice_lapse(TimeMs now);

  DetectorConfig config_;
  NodeId self_;
  const Roster& roster_;
  Random& random_;
  ObserverRing ring_;
  TimeMs interval_ = 0;
  TimeMs fast_interval_ = 0;

  BallotBox::Events events_;
  BallotBox box_;
  std::vector<Watch> watches_;  // ascending by id
  std::vector<uint64_t> keys_;  // NodeId::prefix of each: found without touching the rest
  ObserverRing::Reach reach_;
  std::vector<Suspect> published_;
  std::optional<std::vector<Suspect>> to_publish_;
  std::optional<uint64_t> to_raise_;
  std::vector<NodeId> electorate_stale_;  // whose votes() may not be what it was
  size_t failed_handled_ = 0;             // of events_
  size_t refuted_handled_ = 0;
  uint64_t raised_ = 0;
  TimeMs refute_at_ = 0;  // not again before
  double loss_ = 0;
  TimeMs started_at_ = 0;
  TimeMs round_at_ = BallotBox::kNever;
  TimeMs alarm_at_ = BallotBox::kNever;
  TimeMs caught_up_at_ = 0;  // lateness before this was dealt with
  TimeMs majority_check_at_ = BallotBox::kNever;
  TimeMs majority_checked_at_ = 0;
  uint64_t majority_revision_ = 0;
  TimeMs certain_until_ = 0;  // certain_until() or less; 0: to be asked for
  TimeMs hold_until_ = 0;
  bool started_ = false;
  bool with_majority_ = true;
  bool held_ = true;  // certain again, but not for long enough
};

}  // namespace syntropy
