// BallotBox: from what observers say to a decision that all share.
//
// There is a case per suspect, at one incarnation. Its accusers are the observers that suspect it:
// they are known from their own published entries, and sooner from ballots, which pass from node to
// node with all that the case has gathered. A case is PFAIL in this view when enough of the
// suspect's observers accuse it (accusers_needed). A slot-owning primary then votes by setting its
// bit, unless it hears the suspect itself; ballots merge by OR. Who counts a majority of the
// slot-owning primaries decides FAIL and tells all, and decisions stand: they spread as rumours,
// are compared by hash and repaired by whoever owns the gossip. A suspect refutes by raising its
// incarnation, which voids everything said of it at a lower one.
//
// Bits are ranks in the roster, not in the electorate: a failover changes who has a vote, and would
// void all votes under way. Votes of a view with another roster can't be read until one of the two
// has learnt of the difference; accusers and decisions still can.
//
// What ballots say must end when it leads nowhere. Each says how old the oldest of its content is;
// what came by ballot is dropped at an age of `life`, and none is taken in anew that is older than
// half of it, or two nodes would hand an old ballot back and forth for ever. Accusations that were
// published last until the entry says otherwise, and an entry that doesn't name the suspect takes
// back what ballots said.
//
// Invariants
//   1. A node votes only at the incarnation that it knows, and only as Witness::sight allows.
//   2. A decision needs the votes of a majority of the roster's voters, those that are FAIL
//   included.
//   3. A case's incarnation never falls, and never is below the roster's.
//
// Thread safety: none. The roster must be unchanged between the calls that tell of its changes.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "membership/detector_message.h"
#include "membership/entry.h"
#include "membership/observers.h"
#include "membership/roster.h"
#include "storage/base/random.h"

namespace syntropy {

/// How many of `observers` live observers must accuse: 3 of 8 where nothing is lost, 6 of 8 at a
/// loss of 0.3 and above; in proportion for fewer, but two at least where there are two.
size_t accusers_needed(size_t observers, double loss);

/// What this node itself can say of a suspect.
enum class Sight : uint8_t {
  kNone,    // it doesn't watch it, or hasn't long enough
  kHears,   // heard within the node timeout
  kSilent,  // suspects it
};

class Witness {
 public:
  virtual ~Witness() = default;
  virtual Sight sight(const NodeId& id) const = 0;
  /// Share of messages lost on their way to this node, 0 .. 1.
  virtual double loss() const = 0;
};

class BallotBox {
 public:
  struct Config {
    uint32_t fanout;
    TimeMs batch_ms;
    TimeMs life_ms;  // of what is known by ballot alone
  };
  struct Events {
    std::vector<Suspect> failed;
    std::vector<NodeId> refuted;
    std::vector<DetectorOutgoing> send;
  };

  /// References outlive this. `events` is where it puts what comes of a call.
  BallotBox(const Config& config, const NodeId& self, const Roster& roster,
            const ObserverRing& ring, const Witness& witness, Random& random, Events& events);

  /// Before anything else, with the roster as it is.
  void start();
  void set_life(TimeMs life_ms) { config_.life_ms = life_ms; }

  // Accusations.

  /// This node suspects, or no longer suspects, `subject` at the incarnation in the roster. A new
  /// accusation goes to the other observers at once.
  void set_own(const NodeId& subject, bool suspect, TimeMs now);
  /// All that `observer` publishes; replaces what it published before. What is kDoubtful accuses
  /// nobody and is kept for silences().
  void set_published(const NodeId& observer, std::span<const Suspect> suspects, TimeMs now);

  // Ballots.

  void receive(const NodeId& from, const BallotNews& news, TimeMs now);
  /// To a node that was heard from although it is FAIL: it must learn so.
  void inform(const NodeId& failed, TimeMs now);

  // The roster has changed.

  void member_added(const NodeId& id);
  void member_removed(const NodeId& id);
  void incarnation_changed(const NodeId& id);
  /// These may vote now, or may no longer.
  void electorate_changed(std::span<const NodeId> members);

  void tick(TimeMs now);
  /// kNever: nothing is under way.
  TimeMs next_deadline() const { return std::min({flush_at_, repeat_at_, recheck_at_}); }
  static constexpr TimeMs kNever = ~TimeMs{0};

  // Questions.

  const std::set<NodeId>& failed() const { return failed_; }
  bool is_failed(const NodeId& id) const { return failed_.contains(id); }
  bool is_suspect(const NodeId& id) const;
  size_t accusers(const NodeId& id) const;
  /// The incarnation at which others are about to declare this node dead, or have.
  std::optional<uint64_t> accused_at() const {
    return own_case_ == nullptr ? std::nullopt : accused();
  }
  uint64_t failed_hash() const { return failed_hash_; }
  std::optional<BallotNews> failures() const;
  size_t majority() const;
  size_t voter_count() const;
  /// Who says that it doesn't hear whom: digest_id of the observer, then of the other.
  std::vector<std::pair<uint64_t, uint64_t>> silences() const;
  size_t suspects() const { return cases_.size() - failed_.size(); }
  /// How many doubts are published, by all observers.
  size_t doubts() const;
  /// Changes whenever silences() or failed() does.
  uint64_t revision() const { return revision_; }

 private:
  static constexpr TimeMs kFirstRepeatMs = 100;

  struct Accuser {
    uint64_t observer;  // its digest id
    bool published;     // false: known by ballot alone
  };
  struct Case {
    uint64_t incarnation = 0;
    bool decided = false;
    bool pfail = false;
    bool news = false;              // something that wasn't passed on
    std::vector<Accuser> accusers;  // ascending by observer
    VoterSet votes;
    TimeMs since = kNever;  // of the oldest vote or ballot; kNever: there is none
    TimeMs repeat_at = kNever;
    TimeMs repeat_gap = kFirstRepeatMs;
  };
  using Cases = std::map<NodeId, Case>;

  std::optional<uint64_t> accused() const;
  Case* open(const NodeId& subject, uint64_t incarnation);
  void close(Cases::iterator at);
  bool accuse(Case& c, uint64_t observer, bool published);
  bool withdraw(Case& c, uint64_t observer);
  void tell_observers(const NodeId& subject, Case& c, TimeMs now);
  void merge(const NodeId& from, const Ballot& ballot, TimeMs now);
  bool take_in(Case& c, const Ballot& ballot, TimeMs now);
  void decide(const NodeId& subject, Case& c, TimeMs now);

  void review(const NodeId& subject, TimeMs now);
  void review_all(TimeMs now);
  void drop_expired(Case& c, TimeMs now);
  void note_doubts(uint64_t observer, std::span<const Suspect> suspects);
  size_t observer_count() const;
  bool counts(uint64_t observer) const;
  bool may_vote(const NodeId& subject, const Case& c, size_t accusing) const;
  void recheck_soon();

  void note_news(Case& c, TimeMs now);
  bool gather(const NodeId& subject, const Case& c, TimeMs now, std::vector<Ballot>& ballots,
              size_t& bytes) const;
  void flush(TimeMs now);
  void repeat(TimeMs now);
  void repeat_later(Case& c, TimeMs now);
  Ballot ballot_of(const NodeId& subject, const Case& c, TimeMs now) const;
  std::vector<NodeId> peers(size_t count);
  void send(const std::vector<NodeId>& to, const std::vector<Ballot>& ballots);
  const VoterSet& voters() const;

  Config config_;
  NodeId self_;
  const Roster& roster_;
  const ObserverRing& ring_;
  const Witness& witness_;
  Random& random_;
  Events& events_;

  Cases cases_;
  const Case* own_case_ = nullptr;                   // within cases_: asked for with each message
  std::map<uint64_t, std::vector<Suspect>> doubts_;  // by digest_id of the observer
  std::set<NodeId> failed_;
  uint64_t failed_hash_ = 0;
  uint64_t revision_ = 0;
  uint64_t roster_hash_ = 0;
  TimeMs flush_at_ = kNever;
  TimeMs flush_from_ = 0;  // not before
  NodeId flushed_to_;      // where the last message was full: the next begins behind it
  TimeMs repeat_at_ = kNever;
  TimeMs recheck_at_ = kNever;  // who counts has changed under the cases
  TimeMs rechecked_at_ = 0;
  mutable std::optional<VoterSet> voters_;  // empty: to be asked for
};

}  // namespace syntropy
