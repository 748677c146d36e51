#include "tests/simulation/simulation.h"

#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <utility>

#include "server/trees/reconcile_conversation.h"
#include "storage/base/slot.h"
#include "storage/local_keys.h"
#include "storage/local_records.h"

namespace syntropy::testing {
namespace {

constexpr TimeMs kStartMs = 10'000;
constexpr TimeMs kSetUpMs = 60'000;
constexpr TimeMs kRestMs = 30'000;
constexpr TimeMs kLookMs = 20;

std::map<std::string, std::string> rows_of(Engine& engine) {
  std::map<std::string, std::string> rows;
  const auto at = engine.iterate({}, kRowKeysEnd, nullptr);
  for (at->seek({}); at->valid(); at->next()) rows.emplace(at->key(), at->value());
  return rows;
}

SlotRange share(size_t index, size_t of) {
  return {static_cast<uint16_t>(kSlotCount * index / of),
          static_cast<uint16_t>(kSlotCount * (index + 1) / of - 1)};
}

}  // namespace

Simulation::Simulation(const SimulationOptions& options)
    : options_(options),
      random_(options.seed),
      network_(random_.next()),
      observer_([this](std::string what) { fail(std::move(what)); },
                [this](uint16_t slot) { return claimed_out_of_reach(slot); }) {
  network_.run_until(kStartMs);
  network_.set_latency_ms(1);
  settings_.node_timeout = 500 + 250 * random_.below(5);
  settings_.sync = random_.one_in(2) ? SyncPolicy::kAlways : SyncPolicy::kEverySecond;
  settings_.backlog_bytes = random_.one_in(2) ? 32 * 1024 : 4 * 1024;
  settings_.cluster_fault = options.cluster_fault;
  settings_.driver_fault = options.driver_fault;
  settings_.replication_fault = options.replication_fault;
  settings_.mover_fault = options.mover_fault;
  settings_.syncs_lie = options.world_fault == WorldFault::kSyncsLie;
  settings_.purge = options.world_fault == WorldFault::kPurge;
  settings_.give_unproved = options.world_fault == WorldFault::kGiveUnproved;
  settings_.no_linger = options.world_fault == WorldFault::kNoLinger;
  settings_.trees_forget = options.world_fault == WorldFault::kTreesForget;
  watch_.violation = [this](std::string what) { fail(std::move(what)); };
  watch_.sent = [this](SimNode& from, const NodeId& to, uint8_t type, std::string_view payload) {
    const uint64_t state[] = {figures_.trace_hash, network_.now(), from.index(), type};
    figures_.trace_hash =
        XXH3_64bits_withSeed(payload.data(), payload.size(), XXH3_64bits(state, sizeof(state)));
    observer_.sent(from, to, type, payload);
  };
  const size_t count = primaries_ * (random_.one_in(3) ? 3 : 2);
  for (size_t i = 0; i < count; ++i) {
    nodes_.push_back(std::make_unique<SimNode>(i, network_, settings_, random_.next(), watch_));
  }
  copies_.resize(count);
  lost_at_.resize(count);
}

Simulation::~Simulation() {
  for (auto& node : nodes_) node->kill();
}

// --- the world -----------------------------------------------------------------------------------

void Simulation::fail(std::string what) {
  if (over() || what.find(options_.only) == std::string::npos) return;
  violation_ = "at " + std::to_string(network_.now()) + " ms: " + std::move(what);
  trace(violation_);
  if (options_.trace) trace_nodes();
}

std::string Simulation::describe(SimNode& node, bool all) {
  if (!node.up()) return node.name() + " is down";
  const Membership& membership = node.membership();
  const OwnershipState& own = membership.epochs();
  SimNode* primary = membership.primary() ? find(membership.primary()) : nullptr;
  constexpr const char* kLinks[] = {"idle", "connecting", "syncing", "connected"};
  const ReplicationStatus replication = node.cluster().replication();
  const LogPosition position = node.log().position();
  std::string text =
      node.name() + " " + node.id().hex().substr(0, 8) +
      (primary != nullptr ? " replica of " + primary->name() + " " +
                                kLinks[static_cast<size_t>(replication.primary.state)]
                          : " primary") +
      ", claims '" + own.slots.text() + "' in " + std::to_string(own.config_epoch) + ", owns " +
      std::to_string(membership.slots().count_of(node.id())) + ", health " +
      std::to_string(static_cast<int>(membership.health(network_.now()))) + ", lineage " +
      position.lineage().hex().substr(0, 8) + (position.owed ? " owes" : "") +
      (node.cluster().settled() ? "" : ", unsettled") + ", sees ";
  for (const auto& other : nodes_) {
    constexpr const char* kMarks[] = {"+", "?", "-"};
    text += kMarks[static_cast<size_t>(membership.liveness(other->id()))];
  }
  if (!options_.trace_key.empty()) text += ", has " + describe_row(node);
  if (!all) return text;
  const auto told = membership.member(node.id());
  return text + ", knows " + std::to_string(membership.members().size()) + ", told '" +
         told->claim.slots.text() + "' in " + std::to_string(told->claim.epoch) + ", current " +
         std::to_string(own.current_epoch) + ", log " + std::to_string(position.offset) + ", " +
         std::to_string(replication.replicas.size()) + " replicas";
}

std::string Simulation::describe_row(SimNode& node) const {
  std::string row_key, value;
  encode_row_key(0, options_.trace_key, {}, &row_key);
  if (!node.engine().get(row_key, ReadTier::kDisk, &value).ok()) {
    // Whether it was purged the watermark says.
    const bool purges = node.engine().get(purged_record_key(), ReadTier::kDisk, &value).ok();
    const Result<uint64_t> stamp = decode_u64(purges ? value : std::string());
    return "no row" + (stamp.ok() ? ", purged up to " + std::to_string(*stamp) : std::string());
  }
  const Result<RowView> row = decode_row(value);
  if (!row.ok()) return "rot";
  return (row->kind == RowKind::kTombstone ? "a tombstone of " : "a row of ") +
         std::to_string(row->version.stamp);
}

void Simulation::trace_change(SimNode& node) {
  const std::string now = describe(node, false);
  if (std::exchange(traced_[node.index()], now) != now) trace("    " + now);
}

void Simulation::trace_nodes() {
  for (auto& node : nodes_) trace(describe(*node, true));
}

void Simulation::trace(const std::string& what) const {
  if (!options_.trace) return;
  std::printf("%8llu %s\n", static_cast<unsigned long long>(network_.now()), what.c_str());
}

void Simulation::run_for(TimeMs ms) {
  (void)network_.run_until([this] { return over(); }, network_.now() + ms);
}

bool Simulation::run_until(const std::function<bool()>& done, TimeMs most) {
  const TimeMs limit = network_.now() + most;
  while (!over() && network_.now() < limit) {
    if (done()) return true;
    run_for(100);
  }
  return !over() && done();
}

std::vector<Engine*> Simulation::other_stores(const SimNode& but) {
  std::vector<Engine*> stores;
  for (auto& node : nodes_) {
    if (node.get() != &but) stores.push_back(&node->engine());
  }
  return stores;
}

SimNode* Simulation::find(const NodeId& id) {
  for (auto& node : nodes_) {
    if (node->id() == id) return node.get();
  }
  return nullptr;
}

void Simulation::look() {
  if (over()) return;
  in(kLookMs, [this] { look(); });
  for (auto& node : nodes_) {
    observer_.look(*node, took_over_);
    look_at_comparisons(*node);
    note_purges(*node);
    note_moves(*node);
    if (options_.trace) trace_change(*node);
    if (settings_.purge && random_.one_in(20)) (void)node->engine().compact({}, {});
  }
}

// Replicas that stand where their primary does hold the same rows.
void Simulation::look_at_comparisons(SimNode& node) {
  if (!node.running()) return;
  const ReplicationStatus replication = node.cluster().replication();
  if (replication.mended_rows > 0) fail("a replica of " + node.name() + " had other rows");
  for (const auto& replica : replication.replicas) figures_.compared += replica.equal_ms < kLookMs;
}

void Simulation::note_purges(SimNode& node) {
  if (!node.running()) return;
  ledger_.find_again(node.engine());
  const NodeId primary = node.membership().primary();
  SimNode* owner = primary ? find(primary) : &node;
  if (owner == nullptr || !owner->running() || owner->membership().primary()) return;
  // Who comes from another shard may have purged there.
  const LogPosition position = node.log().position();
  if (position.lineage() != owner->log().position().lineage() || position.owed) return;
  const SlotRanges& slots = owner->membership().epochs().slots;
  ledger_.note_purges(node.index(), node.engine(),
                      [&](const std::string& key) { return slots.contains(slot_of(key)); });
}

void Simulation::note_moves(SimNode& node) {
  if (!node.running()) return;
  for (const SlotMigration& move : node.cluster().mover().migrations()) {
    if (move.exports && move.state == "success" && moved_.insert(move.name).second) {
      trace(node.name() + " has moved slots " + move.slots.text());
      ++figures_.moved;
    }
  }
}

std::string Simulation::run() {
  set_up();
  if (!over()) begin_trouble();
  if (!over()) run_for(options_.trouble_ms);
  if (!over()) rest();
  if (!over()) check();
  return violation_;
}

// --- set up --------------------------------------------------------------------------------------

bool Simulation::all_know_each_other() {
  return std::all_of(nodes_.begin(), nodes_.end(), [this](const auto& node) {
    const MemberList& members = node->membership().members();
    return members.size() == nodes_.size() &&
           std::all_of(members.begin(), members.end(), [](const MemberRecordPtr& member) {
             return !member->value(EntryKey::kRole).empty();
           });
  });
}

void Simulation::set_up() {
  for (auto& node : nodes_) node->start();
  look();
  SimNode& first = *nodes_.front();
  for (auto& node : nodes_) {
    if (node.get() == &first) continue;
    (void)first.membership().meet(node->host(), SimNode::kBusPort, network_.now());
  }
  first.cluster().settle();
  if (!run_until([this] { return all_know_each_other(); }, kSetUpMs)) {
    return fail("the nodes don't meet");
  }
  for (size_t i = 0; i < nodes_.size(); ++i) {
    SimNode& node = *nodes_[i];
    const Status done =
        i < primaries_ ? node.membership().add_slots({share(i, primaries_)}, network_.now())
                       : node.membership().replicate(nodes_[i % primaries_]->id(), network_.now());
    if (!done.ok()) return fail("set up: " + std::string(done.message()));
    node.cluster().settle();
  }
  if (!run_until([this] { return unrest().empty(); }, kSetUpMs)) {
    fail("the new cluster doesn't come to rest: " + unrest());
  }
  trace("set up: " + std::to_string(nodes_.size()) + " nodes, node timeout " +
        std::to_string(settings_.node_timeout) + ", " +
        (settings_.sync == SyncPolicy::kAlways ? "always" : "everysec"));
}

void Simulation::begin_trouble() {
  troubled_ = true;
  choose_troubles();
  client();
  trouble();
}

// --- rest ----------------------------------------------------------------------------------------

void Simulation::rest() {
  end_trouble();
  const TimeMs began = network_.now();
  if (!run_until([this] { return unrest().empty(); }, kRestMs)) {
    return fail("the cluster doesn't come to rest: " + unrest());
  }
  figures_.rest_ms = network_.now() - began;
  trace("at rest");
}

// It was given to a node that was cut off at that moment, and replaced by one that doesn't know; or
// its owner is forgotten.
bool Simulation::claimed_out_of_reach(uint16_t slot) const {
  return std::any_of(nodes_.begin(), nodes_.end(), [this, slot](const auto& node) {
    if (node->up()) {
      const bool outside = !node->with_majority() || is_forgotten(*node);
      return outside && node->cluster().membership().epochs().slots.contains(slot);
    }
    const auto stored = StateStore(node->engine()).load();
    return stored.ok() && *stored && (*stored)->membership.ownership.slots.contains(slot);
  });
}

// By a node that is up, and hasn't heard of it again.
bool Simulation::is_forgotten(const SimNode& node) const {
  if (!forgotten_.contains(node.index())) return false;
  return std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& other) {
    return other->up() && other->cluster().membership().members().find(node.id()) == nullptr;
  });
}

bool Simulation::has_strays(SimNode& node) {
  if (!node.trees().make_ready().ok()) return true;
  const Result<SlotRanges> occupied = node.trees().occupied_slots();
  return !occupied.ok() || !node.membership().epochs().slots.contains(*occupied);
}

std::string Simulation::unrest() {
  for (auto& node : nodes_) {
    if (!node->running()) return node->name() + " is down";
    const Membership& membership = node->membership();
    if (membership.members().size() != nodes_.size()) return node->name() + " knows too few";
    if (!membership.slots().complete()) return node->name() + " sees slots without an owner";
    if (!node->cluster().settled()) return node->name() + " hasn't settled";
    if (!node->cluster().mover().leaving().empty()) return node->name() + " moves slots";
    const OwnershipState& own = membership.epochs();
    if (!own.given.empty()) return node->name() + " has given slots that nobody took";
    if (!membership.primary() && !own.spare.empty()) {
      return node->name() + " has spare rows of " + own.spare.text();
    }
    if (!membership.primary() && has_strays(*node)) {
      return node->name() + " has rows of slots that aren't its own";
    }
    if (membership.slots().owns_slots(node->id())) {
      const uint16_t slot = membership.slots().slots_of(node->id()).ranges().front().first;
      if (!node->serves(slot)) return node->name() + " doesn't serve its slots";
      continue;
    }
    SimNode* primary = membership.primary() ? find(membership.primary()) : nullptr;
    if (primary == nullptr) return node->name() + " has neither slots nor a primary";
    if (!primary->running() || !primary->membership().slots().owns_slots(primary->id())) {
      return node->name() + " follows " + primary->name() + ", which has no slots";
    }
    const auto link = node->cluster().replication().primary.state;
    if (link != ReplicationStatus::Link::State::kConnected) {
      return node->name() + " doesn't follow " + primary->name();
    }
    const LogPosition position = node->log().position();
    if (position.owed) return node->name() + " owes rows";
    if (position.offset != primary->log().offset()) return node->name() + " is behind";
  }
  const uint64_t hash = nodes_.front()->membership().hash();
  for (auto& node : nodes_) {
    if (node->membership().hash() != hash) return node->name() + " has another view";
  }
  return {};
}

// --- check ---------------------------------------------------------------------------------------

// Each node's trees are the sums over its rows, and a session finds replicas equal to their
// primary.
std::string Simulation::compare_trees(SimNode& node, SimNode& primary) {
  for (SimNode* of : {&node, &primary}) {
    if (!of->trees().make_ready().ok()) return of->name() + " can't read its rows";
    const auto verdict = of->trees().verify(SlotRange{0, kSlotCount - 1});
    if (!verdict.ok() || !verdict->wrong_slots.empty()) {
      return of->name() + " has trees that aren't those of its rows";
    }
  }
  const auto merged = [] { return Status(); };
  ReconcileConversation asks(node.keyspace(), node.trees(), merged);
  ReconcileConversation answers(primary.keyspace(), primary.trees(), merged);
  const auto opened = asks.begin({});
  if (!opened.ok() || opened->requests.size() != 1) return node.name() + " can't begin a session";
  const std::string reply = answers.answer(opened->requests.front());
  const auto heard = asks.go_on({reply});
  if (heard.ok() && heard->done && heard->summary.proven && heard->summary.differences() == 0) {
    return {};
  }
  return node.name() + " isn't found equal to its primary by their trees";
}

void Simulation::check() {
  for (auto& node : nodes_) {
    observer_.look(*node, took_over_);
    const NodeId& primary_id = node->membership().primary();
    if (!primary_id) continue;
    SimNode& primary = *find(primary_id);
    const auto mine = rows_of(node->engine());
    const auto theirs = rows_of(primary.engine());
    if (mine != theirs) {
      fail(node->name() + " has other rows than its primary, " + primary.name() + ": " +
           std::to_string(mine.size()) + " and " + std::to_string(theirs.size()));
    }
    if (node->keyspace().key_count(0) != primary.keyspace().key_count(0)) {
      fail(node->name() + " counts other keys than its primary");
    }
    const std::string trees = compare_trees(*node, primary);
    if (!trees.empty()) fail(trees);
  }
  for (const auto& node : nodes_) note_purges(*node);
  const std::string violation = ledger_.check([this](const std::string& key) -> Engine* {
    SimNode* owner = find(nodes_.front()->membership().slots().owner(slot_of(key)));
    return owner == nullptr ? nullptr : &owner->engine();
  });
  if (!violation.empty()) fail(violation);
  figures_.purged += ledger_.purged();
}

}  // namespace syntropy::testing
