#include "tests/membership/election_simulation.h"

#include <algorithm>

#include "tests/membership/slots_support.h"

namespace syntropy::testing {
namespace {

constexpr TimeMs kTickMs = 10;
constexpr TimeMs kGossipMs = 40;
constexpr size_t kFanOut = 3;
constexpr TimeMs kFaultMs = 150;
constexpr TimeMs kLingerMs = 400;

}  // namespace

// What a node tells the others, with its version.
struct ElectionSimulation::Record {
  NodeId id;
  uint64_t version = 0;
  SlotsFact claim;
  NodeId primary;
  LineageId lineage;
  uint64_t offset = 0;
};

struct ElectionSimulation::SimNode final : ElectionView {
  size_t index = 0;
  NodeId id;
  bool up = false;
  uint64_t life = 0;  // counts starts: what an earlier life was about to do doesn't happen

  OwnershipState disk;
  NodeId disk_primary;    // stored together with the state
  NodeId stored_primary;  // on its way there

  // Data survive a crash; they are not the subject.
  NodeId primary;
  LineageId lineage;
  uint64_t offset = 0;
  TimeMs heard_primary_at = 0;
  bool paused = false;
  bool manual = false;       // a default manual failover was begun here, ...
  uint64_t manual_life = 0;  // ... in this life of its primary

  std::unique_ptr<SeededRandom> random;
  std::unique_ptr<Ownership> ownership;
  std::unique_ptr<Election> election;
  RecordPtr own;                        // as told
  std::map<NodeId, RecordPtr> records;  // of the others
  std::set<NodeId> fail;
  std::map<NodeId, TimeMs> unreachable_since;
  TimeMs first_failed_at = UINT64_MAX;  // when somebody first held this node for FAIL
  TimeMs disk_busy_until = 0;
  const TimeMs* now = nullptr;
  bool ignores_rank = false;

  NodeId primary_of(const NodeId& node) const override {
    if (node == id) return primary;
    const auto at = records.find(node);
    return at == records.end() ? NodeId() : at->second->primary;
  }
  bool failed(const NodeId& node) const override { return fail.contains(node); }
  bool doubted() const override { return false; }  // there are no leases here
  std::vector<ReplicaView> replicas_of(const NodeId& of) const override {
    std::vector<ReplicaView> replicas;
    if (ignores_rank) return replicas;
    for (const auto& [other, record] : records) {
      if (record->primary != of) continue;
      replicas.push_back({other, record->lineage, record->offset, true, false, failed(other)});
    }
    return replicas;
  }
  OwnReplication own_replication() const override {
    return {lineage, offset, true, *now - heard_primary_at};
  }
  LineageId lineage_of(const NodeId& node) const override {
    const auto at = records.find(node);
    return at == records.end() ? LineageId() : at->second->lineage;
  }
};

ElectionSimulation::ElectionSimulation(uint64_t seed, const SimulationOptions& options)
    : options_(options), random_(seed) {
  const size_t count = options.primaries * (1 + options.replicas);
  cut_.assign(count, std::vector<bool>(count, false));
  // Ids in a random order, so that no rule can lean on the numbers.
  std::vector<uint32_t> numbers(count);
  for (uint32_t i = 0; i < count; ++i) numbers[i] = i;
  for (size_t i = count; i > 1; --i) std::swap(numbers[i - 1], numbers[random_.below(i)]);
  for (size_t i = 0; i < count; ++i) {
    auto made = std::make_unique<SimNode>();
    made->index = i;
    made->id = node(numbers[i]);
    made->now = &now_;
    made->ignores_rank = options.mutant == Mutant::kIgnoresRank;
    nodes_.push_back(std::move(made));
  }
  const uint32_t slots = kSlotCount / options.primaries;
  for (size_t i = 0; i < count; ++i) {
    SimNode& made = *nodes_[i];
    const bool primary = i < options.primaries;
    const size_t shard = primary ? i : (i - options.primaries) / options.replicas;
    made.lineage = lineage(static_cast<uint32_t>(shard));
    if (primary) {
      made.disk.config_epoch = made.disk.current_epoch = i + 1;
      const auto first = static_cast<uint16_t>(i * slots);
      const bool last = i + 1 == options.primaries;
      made.disk.slots = {{first, static_cast<uint16_t>(last ? kSlotCount - 1 : first + slots - 1)}};
    } else {
      made.disk_primary = nodes_[shard]->id;
    }
    start(made);
  }
  // Everybody knows everybody at first.
  for (auto& a : nodes_) {
    for (auto& b : nodes_) {
      receive_record(*a, b->own);
    }
  }
  at(kTickMs, [this] { world_tick(); });
  if (options.faults) at(kFaultMs, [this] { fault(); });
}

ElectionSimulation::~ElectionSimulation() = default;

size_t ElectionSimulation::replica(size_t primary, size_t which) const {
  return options_.primaries + primary * options_.replicas + which;
}

size_t ElectionSimulation::index_of(const NodeId& id) const {
  for (const auto& node : nodes_) {
    if (node->id == id) return node->index;
  }
  return SIZE_MAX;
}

void ElectionSimulation::at(TimeMs time, std::function<void()> run) {
  queue_.push({std::max(time, now_), ++events_, std::move(run)});
}

void ElectionSimulation::run_until(TimeMs time) {
  while (!queue_.empty() && queue_.top().at <= time && violation_.empty()) {
    Event event = queue_.top();
    queue_.pop();
    now_ = event.at;
    event.run();
  }
  now_ = std::max(now_, time);
}

void ElectionSimulation::violate(const std::string& what) {
  if (violation_.empty()) violation_ = "at " + std::to_string(now_) + " ms: " + what;
}

bool ElectionSimulation::reaches(size_t from, size_t to) const {
  return nodes_[from]->up && nodes_[to]->up && !cut_[from][to];
}

void ElectionSimulation::start(SimNode& node) {
  node.up = true;
  ++node.life;
  node.records.clear();
  node.fail.clear();
  node.unreachable_since.clear();
  node.primary = node.stored_primary = node.disk_primary;
  node.paused = false;
  node.manual = false;
  node.heard_primary_at = now_;
  node.disk_busy_until = now_;
  node.random = std::make_unique<SeededRandom>(random_.next());
  node.election.reset();
  node.ownership = std::make_unique<Ownership>(node.id, node.disk);
  node.ownership->set_primary(node.primary);
  ElectionOptions options;
  options.node_timeout_ms = kNodeTimeout;
  node.election = std::make_unique<Election>(*node.ownership, node, *node.random, options);
  write_record(node, node.ownership->claim(), node.primary);
  pump(node);
}

void ElectionSimulation::crash(size_t index) {
  nodes_[index]->up = false;
  ++nodes_[index]->life;
}

void ElectionSimulation::restart(size_t index) {
  if (!nodes_[index]->up) start(*nodes_[index]);
}

void ElectionSimulation::cut(size_t from, size_t to, bool cut) { cut_[from][to] = cut; }

void ElectionSimulation::heal() {
  for (auto& row : cut_) row.assign(row.size(), false);
  for (auto& node : nodes_) restart(node->index);
}

void ElectionSimulation::set_offset(size_t index, uint64_t offset) {
  nodes_[index]->offset = offset;
  write_record(*nodes_[index], nodes_[index]->own->claim, nodes_[index]->own->primary);
}

TimeMs ElectionSimulation::failed_at(size_t index) const { return nodes_[index]->first_failed_at; }

Status ElectionSimulation::fail_over(size_t index, FailoverMode mode) {
  SimNode& node = *nodes_[index];
  const Status status = node.election->start_manual(mode, now_);
  if (status.ok()) {
    node.manual = mode == FailoverMode::kDefault;
    node.manual_life = nodes_[index_of(node.primary)]->life;
  }
  pump(node);
  return status;
}

// Obeys everything that is ready, and sees to it that the node is woken in time.
void ElectionSimulation::pump(SimNode& node) {
  for (int round = 0; round < 4; ++round) {
    OwnershipReady ownership = node.ownership->take_ready();
    ElectionReady election = node.election->take_ready();
    const bool again = ownership.view_changed || ownership.follow || !election.events.empty();
    obey(node, std::move(ownership), std::move(election));
    if (!again) break;
    node.election->tick(now_);
  }
  const TimeMs next = std::min(node.election->next_deadline(), node.ownership->next_deadline());
  if (next == UINT64_MAX) return;
  at(std::max(next, now_ + 1), [this, &node, life = node.life] {
    if (node.life != life) return;
    node.ownership->tick(now_);
    node.election->tick(now_);
    pump(node);
  });
}

void ElectionSimulation::obey(SimNode& node, OwnershipReady ownership, ElectionReady election) {
  for (const ElectionEvent& event : election.events) on_event(node, event);
  if (ownership.follow && ownership.follow != node.primary && ownership.follow != node.id) {
    become_replica(node, ownership.follow);
  }
  if (election.pause_writes_until != 0) {
    at(now_ + random_.below(4), [this, &node, life = node.life] {
      if (node.life != life) return;
      node.paused = options_.mutant != Mutant::kWritesOn;
      node.election->writes_paused(node.lineage, node.offset);
      pump(node);
    });
  }
  if (election.resume_writes) node.paused = false;

  const TimeMs ready_at = std::max(now_, node.disk_busy_until);
  TimeMs sent_at = ready_at;
  if (ownership.persist || node.stored_primary != node.primary) {
    node.stored_primary = node.primary;
    sent_at = ready_at + 1 + random_.below(options_.max_store);
    // A disk that hangs, now and then.
    if (options_.faults && random_.one_in(40)) sent_at += 200;
    store(node, sent_at);
  }
  if (options_.mutant == Mutant::kSendsBeforeStore) sent_at = now_;
  SlotsFact claim = node.ownership->claim();
  if (options_.mutant == Mutant::kKeepsLostSlots && claim.slots.empty()) claim = node.own->claim;
  at(sent_at, [this, &node, life = node.life, claim, sends = std::move(election.send)] {
    if (node.life != life) return;
    const NodeId primary = node.ownership->state().slots.empty() ? node.primary : NodeId();
    if (node.own->claim != claim || node.own->primary != primary) {
      write_record(node, claim, primary);
      for (const auto& other : nodes_) push(node, other->index, {node.own});
    }
    for (const auto& [to, message] : sends) {
      if (node.life == life) transmit(node, to, message);
    }
  });
}

void ElectionSimulation::store(SimNode& node, TimeMs done_at) {
  node.disk_busy_until = done_at;
  OwnershipState state = node.ownership->state();
  if (options_.mutant == Mutant::kForgetsVotes) {
    state.last_vote_epoch = node.disk.last_vote_epoch;
    state.voted_for = node.disk.voted_for;
    state.current_epoch = node.disk.current_epoch;
  }
  at(done_at, [this, &node, life = node.life, state, primary = node.primary] {
    if (node.life != life) return;
    const Result<OwnershipState> stored = decode_ownership_state(encode(state));
    if (!stored.ok() || !(*stored == state)) violate("a state doesn't come back from its bytes");
    if (state.config_epoch < node.disk.config_epoch ||
        state.current_epoch < node.disk.current_epoch ||
        state.last_vote_epoch < node.disk.last_vote_epoch) {
      violate("an epoch of node " + std::to_string(node.index) + " fell");
    }
    node.disk = state;
    node.disk_primary = primary;
  });
}

void ElectionSimulation::on_event(SimNode& node, const ElectionEvent& event) {
  if (event.kind == ElectionEvent::kManualFailed) node.manual = false;
  if (event.kind != ElectionEvent::kWon) return;
  const size_t over = index_of(event.primary);
  const auto [winner, first] = winners_.emplace(event.epoch, node.id);
  if (!first) {
    violate("epoch " + std::to_string(event.epoch) + " won by " + std::to_string(node.index) +
            " and by " + std::to_string(index_of(winner->second)));
  }
  wins_.push_back({now_, node.index, event.epoch, over, node.offset});
  if (node.manual) check_manual_win(node, *nodes_[over]);
  node.manual = false;
  node.primary = NodeId();
  node.ownership->set_primary(NodeId());
  node.lineage = lineage(static_cast<uint32_t>(1000 + wins_.size()));
}

void ElectionSimulation::check_manual_win(const SimNode& winner, const SimNode& old) {
  // A primary that fails in the midst of it is an ordinary election's; one that restarted has
  // forgotten its pause.
  if (winner.manual_life != old.life || winner.failed(old.id) || old.primary) return;
  if (!old.paused || old.offset != winner.offset) {
    violate("manual failover to " + std::to_string(winner.index) + " at offset " +
            std::to_string(winner.offset) + " of " + std::to_string(old.offset));
  }
}

void ElectionSimulation::become_replica(SimNode& node, const NodeId& primary) {
  node.primary = primary;
  node.paused = false;
  node.heard_primary_at = now_;
  node.ownership->set_primary(primary);
}

void ElectionSimulation::transmit(SimNode& from, const NodeId& to, const ElectionMessage& message) {
  ElectionMessage sent = message;
  const auto* refusal = std::get_if<VoteRefusal>(&sent);
  if (options_.mutant == Mutant::kVotesTwice && refusal != nullptr &&
      refusal->reason == RefusalReason::kAlreadyVoted) {
    sent = Vote{refusal->epoch};
  }
  const auto* vote = std::get_if<Vote>(&sent);
  if (vote != nullptr) {
    const auto [given, first] = votes_.emplace(std::pair(from.id, vote->epoch), to);
    if (given->second != to) {
      violate("node " + std::to_string(from.index) + " voted twice in epoch " +
              std::to_string(vote->epoch));
    }
    // The worst moment for a voter to lose its memory.
    if (options_.faults && now_ < options_.faults_until && random_.one_in(30)) {
      at(now_, [this, &from] { crash(from.index); });
      at(now_ + random_.below(20), [this, &from] { restart(from.index); });
    }
  }
  const size_t target = index_of(to);
  if (target == SIZE_MAX) return;
  for (int copies = random_.below(1000) < options_.duplicate_permille ? 2 : 1; copies > 0;
       --copies) {
    if (random_.below(1000) < options_.loss_permille) continue;
    const TimeMs delay =
        options_.min_delay + random_.below(options_.max_delay - options_.min_delay + 1);
    at(now_ + delay, [this, source = from.index, target, sent] { deliver(source, target, sent); });
    if (vote != nullptr && options_.mutant == Mutant::kCountsTwice) {
      const size_t other = (from.index + 1) % options_.primaries;
      at(now_ + delay, [this, other, target, sent] {
        if (!nodes_[target]->up) return;
        nodes_[target]->election->step(nodes_[other]->id, sent, now_);
        pump(*nodes_[target]);
      });
    }
  }
}

void ElectionSimulation::deliver(size_t from, size_t to, const ElectionMessage& message) {
  if (!nodes_[to]->up || cut_[from][to]) return;
  nodes_[to]->election->step(nodes_[from]->id, message, now_);
  pump(*nodes_[to]);
}

void ElectionSimulation::write_record(SimNode& node, const SlotsFact& claim,
                                      const NodeId& primary) {
  node.own = std::make_shared<const Record>(
      Record{node.id, ++versions_, claim, primary, node.lineage, node.offset});
}

void ElectionSimulation::push(SimNode& from, size_t to, std::vector<RecordPtr> news) {
  if (to == from.index || random_.below(1000) < options_.loss_permille) return;
  const TimeMs delay =
      options_.min_delay + random_.below(options_.max_delay - options_.min_delay + 1);
  at(now_ + delay, [this, source = from.index, to, news = std::move(news)] {
    if (!nodes_[to]->up || cut_[source][to]) return;
    bool changed = false;
    for (const RecordPtr& record : news) changed |= receive_record(*nodes_[to], record);
    if (!changed) return;
    nodes_[to]->election->tick(now_);
    pump(*nodes_[to]);
  });
}

// The node's own record, and what it knows of the others, to a few.
void ElectionSimulation::gossip(SimNode& node) {
  std::vector<RecordPtr> news{node.own};
  for (const auto& [id, record] : node.records) news.push_back(record);
  for (size_t i = 0; i < kFanOut; ++i) push(node, random_.below(nodes_.size()), news);
}

bool ElectionSimulation::receive_record(SimNode& node, const RecordPtr& record) {
  if (record->id == node.id) return false;
  RecordPtr& known = node.records[record->id];
  if (known != nullptr && record->version <= known->version) return false;
  known = record;
  node.ownership->set_claim(record->id, record->claim, now_ + kLingerMs);
  // A replica of a replica follows the primary of both.
  if (node.primary == record->id && record->primary && record->primary != node.id) {
    become_replica(node, record->primary);
  }
  return true;
}

void ElectionSimulation::world_tick() {
  for (auto& node : nodes_) {
    if (!node->up) continue;
    replicate(*node);
    watch(*node);
    if (random_.one_in(kGossipMs / kTickMs)) {
      write_record(*node, node->own->claim, node->own->primary);
      gossip(*node);
    }
    node->election->tick(now_);
    pump(*node);
  }
  at(now_ + kTickMs, [this] { world_tick(); });
}

void ElectionSimulation::replicate(SimNode& node) {
  if (!node.primary) {
    if (options_.faults && !node.paused) node.offset += random_.below(5);
    return;
  }
  const size_t primary = index_of(node.primary);
  if (!reaches(primary, node.index) || nodes_[primary]->primary) return;
  node.heard_primary_at = now_;
  // Behind now and then.
  if (!options_.faults || random_.one_in(3)) return;
  node.lineage = nodes_[primary]->lineage;
  node.offset = nodes_[primary]->offset;
}

void ElectionSimulation::watch(SimNode& node) {
  const SlotMap& map = node.ownership->map();
  uint32_t reachable = map.owns_slots(node.id) ? 1 : 0;
  for (const auto& other : nodes_) {
    if (other->id == node.id) continue;
    const bool alive = reaches(other->index, node.index) && reaches(node.index, other->index);
    if (alive) {
      node.unreachable_since.erase(other->id);
      if (!options_.faults || now_ >= options_.faults_until || !random_.one_in(3)) {
        node.fail.erase(other->id);
      }
      if (map.owns_slots(other->id)) ++reachable;
    } else {
      node.unreachable_since.emplace(other->id, now_ + random_.below(3 * kTickMs));
    }
  }
  for (const auto& [id, since] : node.unreachable_since) {
    if (now_ < since + kNodeTimeout || 2 * reachable <= map.owner_count()) continue;
    if (node.fail.insert(id).second) {
      SimNode& gone = *nodes_[index_of(id)];
      gone.first_failed_at = std::min(gone.first_failed_at, now_);
    }
  }
}

void ElectionSimulation::fault() {
  if (now_ >= options_.faults_until) return;
  const size_t a = random_.below(nodes_.size());
  const size_t b = random_.below(nodes_.size());
  switch (random_.below(8)) {
    case 0:
      crash(a);
      at(now_ + random_.below(3000), [this, a] { restart(a); });
      break;
    case 1:  // both at once
      crash(a);
      crash(b);
      at(now_ + random_.below(3000), [this, a, b] { restart(a), restart(b); });
      break;
    case 2:
      cut_[a][b] = true;
      break;
    case 3: {  // two halves
      std::vector<bool> side;
      for (size_t i = 0; i < nodes_.size(); ++i) side.push_back(random_.one_in(3));
      for (size_t i = 0; i < nodes_.size(); ++i) {
        for (size_t j = 0; j < nodes_.size(); ++j) cut_[i][j] = side[i] != side[j];
      }
      break;
    }
    case 4:
      for (auto& row : cut_) row.assign(row.size(), false);
      break;
    case 5:  // false FAIL in many views
      for (auto& node : nodes_) {
        if (node->up && node->index != a && !random_.one_in(4)) node->fail.insert(nodes_[a]->id);
      }
      break;
    default:
      if (nodes_[a]->up) {
        (void)fail_over(a, random_.one_in(3) ? FailoverMode::kForce : FailoverMode::kDefault).ok();
      }
  }
  at(now_ + 1 + random_.below(2 * kFaultMs), [this] { fault(); });
}

std::string ElectionSimulation::check_settled() const {
  if (!violation_.empty()) return violation_;
  const SlotMap& map = nodes_[0]->ownership->map();
  for (const auto& node : nodes_) {
    const std::string name = "node " + std::to_string(node->index);
    if (!node->up) return name + " is down";
    if (!node->ownership->map().same_claims(map)) return name + " has another slot map";
    if (!node->ownership->map().complete()) return name + " knows of slots without an owner";
    if (!(map.slots_of(node->id) == node->ownership->state().slots)) {
      return name + " claims other slots than it owns";
    }
    if (node->primary ? !map.owns_slots(node->primary) : !map.owns_slots(node->id)) {
      return name + " is neither an owner nor a replica of one";
    }
    if (!(node->disk == node->ownership->state()) &&
        node->disk.slots.text() != node->ownership->state().slots.text()) {
      return name + " hasn't stored its claim";
    }
  }
  std::set<uint64_t> epochs;
  for (const SlotClaim& claim : map.claims()) {
    if (!epochs.insert(claim.epoch).second) return "two owners of one epoch";
  }
  return {};
}

}  // namespace syntropy::testing
