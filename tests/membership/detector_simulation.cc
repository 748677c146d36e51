#include "tests/membership/detector_simulation.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace syntropy {
namespace {

constexpr size_t kTurn = 4096;  // milliseconds
constexpr size_t kFrameOverhead = 16;
constexpr size_t kUrgentFanout = 4;
constexpr TimeMs kUrgentDelayMs = 20;
constexpr TimeMs kReconnectMs = 100;

}  // namespace

/// The roster of one view. Without hidden members it is the shared list.
class DetectorSimulation::View final : public Roster {
 public:
  explicit View(const DetectorSimulation& sim) : sim_(sim) {}

  size_t size() const override { return sim_.ids_.size() - hidden_.size(); }
  const NodeId& id(size_t rank) const override { return sim_.ids_[member(rank)]; }
  uint64_t incarnation(size_t rank) const override {
    const auto at = incarnations.find(member(rank));
    return at == incarnations.end() ? 0 : at->second;
  }
  bool votes(size_t rank) const override { return sim_.votes_[member(rank)]; }
  bool lease_withheld(const NodeId&) const override { return false; }

  bool knows(size_t member) const { return !hidden_.contains(member); }
  void set_known(size_t member, bool known) {
    if (known) {
      hidden_.erase(member);
    } else {
      hidden_.insert(member);
    }
  }

  std::map<size_t, uint64_t> incarnations;

 private:
  size_t member(size_t rank) const {
    for (const size_t hidden : hidden_) rank += hidden <= rank;
    return rank;
  }

  const DetectorSimulation& sim_;
  std::set<size_t> hidden_;
};

struct DetectorSimulation::Node {
  explicit Node(const DetectorSimulation& sim, uint64_t seed) : view(sim), random(seed) {}

  View view;
  SeededRandom random;
  std::unique_ptr<FailureDetector> detector;  // null: down
  uint64_t life = 0;                          // counts restarts
  bool host_answers = false;
  TimeMs paused_until = 0;
  std::vector<Event> waiting;  // for the end of a pause
  TimeMs tick_at = BallotBox::kNever;
  bool urgent_timer = false;
  std::vector<size_t> urgent;
  std::map<size_t, std::shared_ptr<const Published>> known;
};

DetectorSimulation::DetectorSimulation(const SimOptions& options)
    : options_(options), random_(options.seed), wheel_(kTurn) {
  for (size_t i = 0; i < options.nodes; ++i) ids_.push_back(NodeId::random(random_));
  // Primaries are the first by index; ids are random, so they are everywhere on the ring.
  std::sort(ids_.begin(), ids_.end());
  for (size_t i = 0; i < options.nodes; ++i) index_[ids_[i]] = i;
  published_.resize(options.nodes);
  for (size_t i = 0; i < options.nodes; ++i) {
    votes_.push_back(i < options.primaries);
    nodes_.push_back(std::make_unique<Node>(*this, options.seed * 1'000'003 + i));
  }
  drained_ = now_;
  for (size_t i = 0; i < options.nodes; ++i) start(i);
}

DetectorSimulation::~DetectorSimulation() = default;

void DetectorSimulation::note(uint64_t what) {
  trace_ = (trace_ ^ what ^ now_) * 0x9E3779B97F4A7C15;
  trace_ ^= trace_ >> 29;
}

size_t DetectorSimulation::index_of(const NodeId& id) const { return index_.at(id); }

bool DetectorSimulation::up(size_t node) const { return nodes_[node]->detector != nullptr; }

FailureDetector& DetectorSimulation::detector(size_t node) { return *nodes_[node]->detector; }

void DetectorSimulation::start(size_t node) {
  Node& n = *nodes_[node];
  DetectorConfig config;
  config.node_timeout = options_.node_timeout;
  n.detector = std::make_unique<FailureDetector>(config, ids_[node], n.view, n.random);
  n.tick_at = BallotBox::kNever;
  n.detector->start(now_);
  schedule(now_ + random_.below(options_.gossip_interval), Alarm{Timer::kGossip, node, n.life});
  after_step(node);
}

void DetectorSimulation::kill(size_t node, bool host_answers) {
  Node& n = *nodes_[node];
  n.detector.reset();
  n.host_answers = host_answers;
  n.known.clear();
  n.urgent.clear();
  n.urgent_timer = false;
  n.waiting.clear();
  n.paused_until = 0;
  ++n.life;
}

void DetectorSimulation::restart(size_t node, bool old_disk) {
  Node& n = *nodes_[node];
  assert(n.detector == nullptr);
  uint64_t& own = published_[node].incarnation;
  if (old_disk && own > 0) --own;
  n.view.incarnations.clear();
  n.view.incarnations[node] = own;
  start(node);
  publish(node);
}

void DetectorSimulation::pause(size_t node, TimeMs time) {
  nodes_[node]->paused_until = now_ + time;
}

void DetectorSimulation::set_known(size_t view, size_t member, bool known) {
  Node& n = *nodes_[view];
  if (n.view.knows(member) == known) return;
  n.view.set_known(member, known);
  if (n.detector == nullptr) return;
  if (known) {
    n.detector->member_added(ids_[member], now_);
  } else {
    n.detector->member_removed(ids_[member], now_);
  }
  after_step(view);
}

void DetectorSimulation::set_votes(size_t member, bool votes) {
  votes_[member] = votes;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!up(i)) continue;
    detector(i).electorate_changed({&ids_[member], 1}, now_);
    after_step(i);
  }
}

bool DetectorSimulation::all_say(size_t node, Liveness wanted) {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (i != node && up(i) && liveness(i, node) != wanted) return false;
  }
  return true;
}

void DetectorSimulation::forget_history() {
  failures_.clear();
  refutations_.clear();
  messages_ = 0;
  bytes_ = 0;
  ballot_bytes_ = 0;
}

void DetectorSimulation::schedule(TimeMs at, Event event) {
  at = std::max(at, now_);
  if (at < drained_ + kTurn) {
    wheel_[at % kTurn].push_back(std::move(event));
  } else {
    later_.emplace(at, std::move(event));
  }
}

void DetectorSimulation::run_until(TimeMs time) {
  for (; drained_ <= time; ++drained_) {
    now_ = drained_;
    while (!later_.empty() && later_.begin()->first < drained_ + kTurn) {
      auto first = later_.extract(later_.begin());
      wheel_[first.key() % kTurn].push_back(std::move(first.mapped()));
    }
    std::vector<Event>& due = wheel_[drained_ % kTurn];
    for (size_t i = 0; i < due.size(); ++i) {
      const Event event = std::move(due[i]);  // handling one may add more to the same moment
      std::visit([this](const auto& e) { handle(e); }, event);
    }
    due.clear();
  }
  now_ = time;
}

void DetectorSimulation::handle(const Deliver& event) {
  Node& to = *nodes_[event.to];
  if (to.detector == nullptr || to.life != event.life) return;
  if (now_ < to.paused_until) {
    if (to.waiting.empty()) schedule(to.paused_until, Alarm{Timer::kTick, event.to, to.life});
    to.waiting.emplace_back(event);
    return;
  }
  catch_up(to);
  deliver(event);
}

void DetectorSimulation::catch_up(Node& node) {
  // What waited through the pause comes first, as from a socket's buffer.
  catching_up_ = true;
  const std::vector<Event> waited = std::exchange(node.waiting, {});
  for (const Event& e : waited) {
    if (const auto* old = std::get_if<Deliver>(&e)) deliver(*old);
  }
  catching_up_ = false;
}

void DetectorSimulation::deliver(const Deliver& event) {
  Node& to = *nodes_[event.to];
  note(event.from << 20 | event.to);
  if (const auto* message = std::get_if<DetectorMessage>(&event.message)) {
    to.detector->step(ids_[event.from], *message, now_);
  } else {
    hear_rumour(event.to, event.from, *std::get<std::shared_ptr<const Rumour>>(event.message));
  }
  after_step(event.to);
}

void DetectorSimulation::handle(const Alarm& alarm) {
  Node& n = *nodes_[alarm.node];
  if (n.detector == nullptr || n.life != alarm.life) return;
  if (now_ < n.paused_until) {
    schedule(n.paused_until, alarm);
    return;
  }
  catch_up(n);
  switch (alarm.timer) {
    case Timer::kTick:
      if (now_ < n.tick_at) return;
      n.tick_at = BallotBox::kNever;
      n.detector->tick(now_);
      after_step(alarm.node);
      break;
    case Timer::kGossip: {
      const size_t peer = random_.below(nodes_.size());
      if (peer != alarm.node) transmit(alarm.node, peer, all_known(alarm.node, true));
      schedule(now_ + options_.gossip_interval, alarm);
      break;
    }
    case Timer::kUrgent: {
      n.urgent_timer = false;
      auto rumour = std::make_shared<Rumour>();
      rumour->failed_hash = n.detector->failed_hash();
      for (const size_t owner : std::exchange(n.urgent, {})) {
        rumour->entries.emplace_back(owner, n.known.at(owner));
      }
      for (size_t i = 0; i < kUrgentFanout; ++i) {
        const size_t peer = random_.below(nodes_.size());
        if (peer != alarm.node) transmit(alarm.node, peer, std::shared_ptr<const Rumour>(rumour));
      }
      break;
    }
  }
}

void DetectorSimulation::after_step(size_t node) {
  Node& n = *nodes_[node];
  if (n.detector->has_ready()) take_ready(node);
  const TimeMs due = n.detector->next_deadline();
  if (due >= n.tick_at || due == BallotBox::kNever) return;
  TimeMs at = std::max(due, now_);
  if (options_.tick_late_by > 0) at += random_.below(options_.tick_late_by + 1);
  n.tick_at = due;
  schedule(at, Alarm{Timer::kTick, node, n.life});
}

void DetectorSimulation::take_ready(size_t node) {
  FailureDetector::Ready ready;
  std::swap(ready, ready_);
  Node& n = *nodes_[node];
  n.detector->take_ready(ready);
  for (const Suspect& failed : ready.failed) {
    const size_t subject = index_of(failed.subject);
    failures_.push_back({now_, node, subject});
    note(subject + 7);
    if (catching_up_ || subject == node || !up(subject)) continue;
    if (detector(subject).may_serve(now_)) ++unsafe_;
  }
  for (const NodeId& refuted : ready.refuted) {
    refutations_.push_back({now_, node, index_of(refuted)});
  }
  if (ready.suspects.has_value()) published_[node].suspects = *ready.suspects;
  if (ready.raise_incarnation.has_value()) {
    published_[node].incarnation = *ready.raise_incarnation;
    n.view.incarnations[node] = *ready.raise_incarnation;
  }
  if (ready.suspects.has_value() || ready.raise_incarnation.has_value()) publish(node);
  for (auto& [to, message] : ready.send) {
    const size_t bytes = kFrameOverhead + wire_size(message);
    ++messages_;
    bytes_ += bytes;
    if (std::holds_alternative<BallotNews>(message)) ballot_bytes_ += bytes;
    transmit(node, index_of(to), std::move(message));
  }
  const bool raised = ready.raise_incarnation.has_value();
  std::swap(ready, ready_);
  if (raised) n.detector->incarnation_changed(ids_[node], now_);
  if (n.detector->has_ready()) take_ready(node);
}

void DetectorSimulation::transmit(
    size_t from, size_t to, std::variant<DetectorMessage, std::shared_ptr<const Rumour>> message) {
  if (cut_ && cut_(from, to)) return;
  Node& target = *nodes_[to];
  if (target.detector == nullptr) {
    if (target.host_answers && random_.one_in(1 + kReconnectMs / options_.max_delay)) {
      detector(from).unreachable(ids_[to], now_);
    }
    return;
  }
  if (options_.loss > 0 &&
      random_.below(1'000'000) < static_cast<uint64_t>(options_.loss * 1'000'000)) {
    return;
  }
  const TimeMs delay =
      options_.min_delay + random_.below(options_.max_delay - options_.min_delay + 1);
  schedule(now_ + delay, Deliver{from, to, target.life, std::move(message)});
}

void DetectorSimulation::publish(size_t node) {
  Published& own = published_[node];
  ++own.version;
  apply(node, node, std::make_shared<const Published>(own));
}

std::shared_ptr<const DetectorSimulation::Rumour> DetectorSimulation::all_known(size_t node,
                                                                                bool regular) {
  Node& n = *nodes_[node];
  auto rumour = std::make_shared<Rumour>();
  rumour->entries.assign(n.known.begin(), n.known.end());
  rumour->failed_hash = n.detector->failed_hash();
  rumour->regular = regular;
  return rumour;
}

void DetectorSimulation::hear_rumour(size_t node, size_t from, const Rumour& rumour) {
  for (const auto& [owner, entry] : rumour.entries) apply(node, owner, entry);
  Node& n = *nodes_[node];
  if (!rumour.regular) return;
  transmit(node, from, all_known(node, false));
  if (rumour.failed_hash == n.detector->failed_hash()) return;
  const std::optional<BallotNews> failures = n.detector->failures();
  if (failures.has_value()) transmit(node, from, DetectorMessage(*failures));
}

void DetectorSimulation::apply(size_t node, size_t owner,
                               const std::shared_ptr<const Published>& entry) {
  Node& n = *nodes_[node];
  std::shared_ptr<const Published>& known = n.known[owner];
  if (known != nullptr && known->version >= entry->version) return;
  known = entry;
  n.urgent.push_back(owner);
  if (!n.urgent_timer) {
    n.urgent_timer = true;
    schedule(now_ + (owner == node ? 0 : kUrgentDelayMs), Alarm{Timer::kUrgent, node, n.life});
  }
  if (owner == node) return;
  uint64_t& incarnation = n.view.incarnations[owner];
  if (entry->incarnation > incarnation) {
    incarnation = entry->incarnation;
    n.detector->incarnation_changed(ids_[owner], now_);
  }
  n.detector->suspects_changed(ids_[owner], entry->suspects, now_);
}

}  // namespace syntropy
