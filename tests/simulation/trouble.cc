// What goes wrong in a simulation.
#include <algorithm>
#include <utility>

#include "tests/simulation/simulation.h"

namespace syntropy::testing {
namespace {

constexpr int64_t kHourMs = 3'600'000;

}  // namespace

// Each run has some of the kinds, so that they are met alone as well as mixed.
void Simulation::choose_troubles() {
  const std::vector<Trouble> all = {
      &Simulation::kill,       &Simulation::lose_power, &Simulation::lose_all_power,
      &Simulation::old_disk,   &Simulation::empty_disk, &Simulation::stop_process,
      &Simulation::partition,  &Simulation::isolate,    &Simulation::one_way,
      &Simulation::bridge,     &Simulation::slow_links, &Simulation::message_trouble,
      &Simulation::set_clocks, &Simulation::fail_over,  &Simulation::forget_and_meet,
      &Simulation::move_slots,
  };
  while (troubles_.empty()) {
    const uint64_t share = 1 + random_.below(4);
    for (const Trouble kind : all) {
      if (random_.below(4) < share) troubles_.push_back(kind);
    }
  }
  // Of a quarter of the runs, which doesn't depend on what else they have.
  if (options_.seed % 4 == 0) troubles_.push_back(&Simulation::lost_file);
  if (options_.seed % 4 == 2) troubles_.push_back(&Simulation::set_slot);
  troubles_.push_back(&Simulation::heal_network);
  for (auto& node : nodes_) {
    node->clock().set_ahead_ms(static_cast<int64_t>(random_.below(400)) - 200);
  }
}

void Simulation::trouble() {
  if (!troubled_ || over()) return;
  in(100 + random_.below(3 * settings_.node_timeout), [this] { trouble(); });
  keep_copy();
  ++figures_.events;
  (this->*troubles_[random_.below(troubles_.size())])();
}

void Simulation::end_trouble() {
  trace("trouble ends");
  troubled_ = false;
  settings_.messages = {};
  network_.clear_links();
  for (auto& node : nodes_) {
    if (node->up()) node->resume();
    start_again(*node);
  }
  heal_network();
  for (TimeMs ms = 0; ms < 10'000; ms += 1000) in(ms, [this] { meet_forgotten(); });
  for (TimeMs ms = 5000; ms < 15'000; ms += 1000) in(ms, [this] { employ_forgotten(); });
  in(5000, [this] { assign_unowned(); });
}

void Simulation::start_again(SimNode& node) {
  if (node.up() || over()) return;
  trace(node.name() + " starts");
  if (dark_.erase(node.index()) != 0) {
    for (auto& other : nodes_) {
      network_.heal(node.host(), other->host());
      network_.heal(other->host(), node.host());
    }
  }
  observer_.restarted(node);
  node.start();
}

void Simulation::keep_copy() {
  if (!random_.one_in(4)) return;
  SimNode& node = any_node();
  if (!node.up()) return;
  copies_[node.index()] = {node.copy_disk(), node.log().position()};
}

// What the store has of the required writes, before something happens to it.
std::vector<Ledger::Number> Simulation::held_by(SimNode& node) {
  note_purges(node);  // what it has purged since the last look it will have no more
  return ledger_.held(node.engine());
}

// --- processes and disks -------------------------------------------------------------------------

void Simulation::kill() {
  SimNode& node = any_node();
  if (!node.up()) return;
  trace("kill " + node.name());
  node.kill();
  in(50 + random_.below(4 * settings_.node_timeout), [this, &node] { start_again(node); });
}

// Nobody hears from it, not even that its connections are gone.
void Simulation::power_off(SimNode& node) {
  dark_.insert(node.index());
  lost_at_[node.index()] = network_.now();
  for (auto& other : nodes_) {
    if (other.get() != &node) cut_both(node, *other);
  }
  if (node.up()) node.lose_power();
}

void Simulation::lose_power() {
  SimNode& node = any_node();
  if (node.up()) lose_power_of({&node}, 4 * settings_.node_timeout);
}

void Simulation::lose_all_power() {
  if (!random_.one_in(2)) return;
  std::vector<SimNode*> all;
  for (auto& node : nodes_) all.push_back(node.get());
  lose_power_of(all, 2 * settings_.node_timeout);
}

// Of a primary and its replicas, if it is still one.
void Simulation::lose_power_of_shard(SimNode& primary) {
  if (!troubled_ || !primary.up() || primary.membership().primary()) return;
  std::vector<SimNode*> shard{&primary};
  for (auto& node : nodes_) {
    if (node->up() && node->membership().primary() == primary.id()) shard.push_back(node.get());
  }
  lose_power_of(shard, 2 * settings_.node_timeout);
}

// At one moment.
void Simulation::lose_power_of(const std::vector<SimNode*>& nodes, TimeMs most_ms) {
  std::vector<std::vector<Ledger::Number>> held;
  for (SimNode* const node : nodes) {
    trace("power cut of " + node->name());
    held.push_back(held_by(*node));
  }
  for (SimNode* const node : nodes) power_off(*node);
  size_t lost = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    SimNode& node = *nodes[i];
    lost += ledger_.lose_since(held[i], node.engine(), other_stores(node));
    ledger_.disk_changed(node.index(), node.engine());
    in(50 + random_.below(most_ms), [this, &node] { start_again(node); });
  }
  figures_.lost_with_disks += lost;
  if (lost != 0 && settings_.sync == SyncPolicy::kAlways) {
    fail("a power cut lost what was acknowledged as synced");
  }
}

// The epoch of the node's newest claim that it, or another one that is up, knows.
uint64_t Simulation::claim_known_of(const NodeId& node) {
  uint64_t epoch = 0;
  for (const auto& other : nodes_) {
    if (!other->up()) continue;
    if (other->id() == node) epoch = std::max(epoch, other->membership().epochs().config_epoch);
    const std::optional<MemberView> member = other->membership().member(node);
    if (member) epoch = std::max(epoch, member->claim.epoch);
  }
  return epoch;
}

void Simulation::disk_changed(const SimNode& node) {
  observer_.disk_changed(node.id(), [this](const NodeId& id) { return claim_known_of(id); });
  // What most of all have forgotten, nobody can be held to.
  changed_disks_.insert(node.index());
  if (2 * changed_disks_.size() >= nodes_.size()) observer_.forget_service();
}

void Simulation::old_disk() {
  SimNode& node = any_node();
  OlderDisk copy = std::move(copies_[node.index()]);
  if (copy.disk == nullptr || !node.up()) return;
  trace(node.name() + " comes back with an older disk");
  const auto held = held_by(node);
  // Nobody can tell what it lacks of the log of the shard that it went to since.
  const bool other_shard = !node.log().position().common_offset(copy.position);
  node.kill();
  lost_at_[node.index()] = network_.now();
  node.replace_disk(std::move(copy.disk));
  figures_.lost_with_disks += ledger_.lose_since(held, node.engine(), other_stores(node));
  ledger_.disk_changed(node.index(), node.engine());
  if (other_shard) ledger_.brought_back(node.engine());
  disk_changed(node);
  in(50 + random_.below(3 * settings_.node_timeout), [this, &node] { start_again(node); });
}

void Simulation::empty_disk() {
  SimNode& node = any_node();
  // Nobody remembers the slots of who is forgotten but its own disk.
  if (!node.up() || is_forgotten(node)) return;
  trace(node.name() + " comes back with an empty disk");
  const auto held = held_by(node);
  node.kill();
  lost_at_[node.index()] = network_.now();
  node.empty_disk();
  copies_[node.index()] = {};
  figures_.lost_with_disks += ledger_.lose_since(held, node.engine(), other_stores(node));
  ledger_.disk_changed(node.index(), node.engine());
  disk_changed(node);
  in(50 + random_.below(3 * settings_.node_timeout), [this, &node] { start_again(node); });
}

void Simulation::lost_file() {
  SimNode& node = any_node();
  if (!node.up()) return;
  trace(node.name() + " is salvaged after the loss of a file");
  const auto held = held_by(node);
  node.kill();
  lost_at_[node.index()] = network_.now();
  const auto first = static_cast<uint16_t>(random_.below(kSlotCount));
  const auto last = static_cast<uint16_t>(first + random_.below(kSlotCount - first));
  node.lose_rows(first, last, copies_[node.index()].disk.get(), random_.one_in(2));
  figures_.lost_with_disks += ledger_.lose_since(held, node.engine(), other_stores(node));
  ledger_.disk_changed(node.index(), node.engine());
  disk_changed(node);
  in(50 + random_.below(3 * settings_.node_timeout), [this, &node] { start_again(node); });
}

void Simulation::stop_process() {
  SimNode& node = any_node();
  if (!node.running()) return;
  trace(node.name() + " is stopped");
  node.stop();
  in(50 + random_.below(4 * settings_.node_timeout), [this, &node] {
    if (!node.up()) return;
    trace(node.name() + " goes on");
    node.resume();
  });
}

// --- the network ---------------------------------------------------------------------------------

void Simulation::cut(const SimNode& from, const SimNode& to) {
  network_.cut(from.host(), to.host());
}

void Simulation::cut_both(const SimNode& a, const SimNode& b) {
  cut(a, b);
  cut(b, a);
}

void Simulation::partition() {
  std::vector<bool> side;
  std::string left;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    side.push_back(random_.one_in(3));
    if (side.back()) left += " " + std::to_string(i);
  }
  trace("partition:" + left);
  for (size_t a = 0; a < nodes_.size(); ++a) {
    for (size_t b = 0; b < a; ++b) {
      if (side[a] != side[b]) cut_both(*nodes_[a], *nodes_[b]);
    }
  }
}

void Simulation::isolate() {
  SimNode& node = any_node();
  trace(node.name() + " is cut off");
  for (auto& other : nodes_) {
    if (other.get() != &node) cut_both(node, *other);
  }
}

void Simulation::one_way() {
  SimNode& node = any_node();
  const bool deaf = random_.one_in(2);
  trace(node.name() + (deaf ? " hears nobody" : " is heard by nobody"));
  for (auto& other : nodes_) {
    if (other.get() == &node) continue;
    if (deaf) {
      cut(*other, node);
    } else {
      cut(node, *other);
    }
  }
}

// Two halves, and one node that sees both.
void Simulation::bridge() {
  const size_t middle = random_.below(nodes_.size());
  trace("two halves, joined by node " + std::to_string(middle));
  for (size_t a = 0; a < nodes_.size(); ++a) {
    for (size_t b = 0; b < a; ++b) {
      if (a != middle && b != middle && a % 2 != b % 2) cut_both(*nodes_[a], *nodes_[b]);
    }
  }
}

void Simulation::heal_network() {
  trace("the network is whole");
  for (auto& a : nodes_) {
    for (auto& b : nodes_) {
      if (!dark_.contains(a->index()) && !dark_.contains(b->index())) {
        network_.heal(a->host(), b->host());
      }
    }
  }
}

void Simulation::slow_links() {
  if (random_.one_in(3)) return network_.clear_links();
  SimNode& node = any_node();
  const uint64_t ms = 1 + random_.below(60);
  const uint64_t jitter_ms = random_.below(150);
  trace(node.name() + " has slow links");
  slow_.insert(node.index());
  for (auto& other : nodes_) {
    network_.set_link(node.host(), other->host(), ms, jitter_ms);
    if (random_.one_in(2)) network_.set_link(other->host(), node.host(), ms, jitter_ms);
  }
}

void Simulation::message_trouble() {
  MessageTrouble& messages = settings_.messages;
  messages = {};
  if (random_.one_in(4)) return;
  messages.lost_per_mille = random_.one_in(2) ? random_.below(300) : 0;
  messages.doubled_per_mille = random_.below(100);
  messages.late_per_mille = random_.below(300);
  messages.late_ms = 1 + random_.below(100);
  trace("of 1000 messages " + std::to_string(messages.lost_per_mille) + " are lost");
}

// --- clocks and operators ------------------------------------------------------------------------

void Simulation::set_clocks() {
  constexpr int64_t kAhead[] = {0, 100, -100, 3000, -3000, 50'000, kHourMs, -kHourMs};
  SimNode& node = any_node();
  const int64_t ahead = kAhead[random_.below(std::size(kAhead))];
  trace("the clock of " + node.name() + " is " + std::to_string(ahead) + " ms ahead");
  node.clock().jump_to_ms(ahead);
}

void Simulation::fail_over() {
  SimNode& node = any_node();
  if (!node.running() || !node.membership().primary()) return;
  FailoverMode mode = FailoverMode::kDefault;
  if (random_.one_in(4)) mode = random_.one_in(2) ? FailoverMode::kForce : FailoverMode::kTakeover;
  // It may not know of a slot that its primary was just given, and would leave it there: two
  // primaries of one shard, of which neither hands anything over.
  if (mode == FailoverMode::kTakeover && !set_slots_.empty()) return;
  const Status begun = node.membership().fail_over(mode, network_.now());
  if (!begun.ok()) return;
  trace("failover to " + node.name() + ", mode " + std::to_string(static_cast<int>(mode)));
  if (mode != FailoverMode::kDefault) forced_ = true;
  if (mode == FailoverMode::kTakeover) took_over_ = true;
  node.cluster().settle();
}

// Two, as the first sees it, of which the first has slots.
bool Simulation::choose_primaries(SimNode** source, SimNode** target) {
  std::vector<SimNode*> primaries;
  for (auto& node : nodes_) {
    if (node->running() && !node->membership().primary()) primaries.push_back(node.get());
  }
  if (primaries.size() < 2) return false;
  *source = primaries[random_.below(primaries.size())];
  *target = primaries[random_.below(primaries.size())];
  if (*source == *target) return false;
  const std::optional<MemberView> view = (*source)->membership().member((*target)->id());
  return !(*source)->membership().epochs().slots.empty() && view && view->role.is_primary();
}

void Simulation::move_slots() {
  SimNode* from = nullptr;
  SimNode* to = nullptr;
  if (!choose_primaries(&from, &to)) return;
  SimNode& node = *from;
  SimNode& target = *to;
  const SlotRanges own = node.membership().epochs().slots;
  // All of them, or those from one of the keys' slots on.
  SlotRanges slots = own;
  if (!random_.one_in(5)) {
    const SlotRange range = own.ranges()[random_.below(own.ranges().size())];
    const auto first = static_cast<uint16_t>(range.first + random_.below(range.count()));
    const auto last = static_cast<uint16_t>(first + random_.below(1u + range.last - first));
    slots = SlotRanges{{first, last}};
  }
  trace(node.name() + " moves slots " + slots.text() + " to " + target.name());
  ++figures_.moves;
  node.cluster().mover().start(slots, target.id());
  node.cluster().settle();
  // What the target has by then it alone may have.
  if (random_.one_in(3)) in(10 + random_.below(120), [this, &node] { lose_power_of_shard(node); });
  if (random_.one_in(4)) lose_receiver(node, target.membership().shard(), network_.now() + 1000);
}

// The shard that slots are given to dies, most often before it is heard of that it has them, and its
// nodes are forgotten while they are away.
void Simulation::lose_receiver(SimNode& source, const NodeId& shard, TimeMs until) {
  if (!troubled_ || !source.running() || network_.now() >= until) return;
  if (source.membership().epochs().given_to != shard) {
    return in(1, [this, &source, shard, until] { lose_receiver(source, shard, until); });
  }
  const TimeMs away = 3 * settings_.node_timeout;
  for (auto& node : nodes_) {
    if (!node->up() || node->membership().shard() != shard) continue;
    trace("kill " + node->name() + ", whose shard has been given slots");
    node->kill();
    in(away + random_.below(away), [this, &source, &node = *node] { forget(source, node); });
    in(2 * away + random_.below(away), [this, &node = *node] { start_again(node); });
    in(3 * away + random_.below(away), [this] { meet_forgotten(); });
  }
}

// As redis-cli's reshard does with a slot that has no keys: all are told one by one whose it is, the
// target and the source first. Some moves of the other kind begin in the midst of it.
void Simulation::set_slot() {
  SimNode* source = nullptr;
  SimNode* target = nullptr;
  if (took_over_ || !choose_primaries(&source, &target)) return;
  const OwnershipState& own = source->membership().epochs();
  const SlotRange range = own.slots.ranges()[random_.below(own.slots.ranges().size())];
  const auto slot = static_cast<uint16_t>(range.first + random_.below(range.count()));
  if (slots_of_clients().contains(slot) || own.given.contains(slot)) return;
  if (source->cluster().mover().leaving().contains(slot)) return;
  trace("slot " + std::to_string(slot) + " is set to be " + target->name() + "'s, was " +
        source->name() + "'s");
  const TimeMs now = network_.now();
  if (!target->membership().set_slot_importing(slot, source->id(), now).ok()) return;
  if (!source->membership().set_slot_migrating(slot, target->id(), now).ok()) return;
  source->cluster().settle();
  target->cluster().settle();
  set_slots_.insert(slot);
  std::vector<SimNode*> to = {target, source};
  for (auto& node : nodes_) {
    if (node.get() != source && node.get() != target) to.push_back(node.get());
  }
  if (random_.one_in(2)) in(random_.below(10), [this] { move_slots(); });
  tell_owner(slot, *target, std::move(to));
}

void Simulation::tell_owner(uint16_t slot, SimNode& owner, std::vector<SimNode*> to) {
  SimNode& node = *to.front();
  to.erase(to.begin());
  if (over() || !node.running() || node.membership().primary()) return;
  if (node.cluster().mover().leaving().contains(slot)) return;
  if (!node.membership().set_slot_owner(slot, owner.id(), network_.now()).ok()) return;
  node.cluster().settle();
  // Replicas aren't told.
  std::erase_if(to,
                [](SimNode* other) { return other->running() && other->membership().primary(); });
  if (to.empty()) return;
  in(random_.below(8), [this, slot, &owner, to] { tell_owner(slot, owner, to); });
}

// Whom such a slot was given to may have lost its disk before anybody heard of it: fix.
void Simulation::assign_unowned() {
  for (const uint16_t slot : set_slots_) {
    const bool claimed = std::any_of(nodes_.begin(), nodes_.end(), [slot](const auto& node) {
      return node->running() && node->membership().epochs().slots.contains(slot);
    });
    for (auto& node : nodes_) {
      if (claimed || !node->running() || node->membership().primary()) continue;
      (void)node->membership().add_slots({{slot, slot}}, network_.now());
      node->cluster().settle();
      break;
    }
  }
}

void Simulation::forget_and_meet() {
  SimNode& node = any_node();
  SimNode& other = any_node();
  if (!node.running() || !other.running() || !other.membership().primary()) return;
  if (!forget(node, other)) return;
  in(random_.below(3 * settings_.node_timeout), [this] { meet_forgotten(); });
}

bool Simulation::forget(SimNode& node, SimNode& other) {
  if (!node.running()) return false;
  // A move that waits for it would go on, and what it alone has would come too late.
  for (const auto& mover : nodes_) {
    if (!mover->up()) continue;
    const SlotRanges& given = mover->membership().epochs().given;
    if (!given.contains(mover->cluster().mover().leaving())) return false;
  }
  if (!node.membership().forget(other.id(), network_.now()).ok()) return false;
  trace(node.name() + " forgets " + other.name());
  node.cluster().settle();
  forgotten_.insert(other.index());
  observer_.left(other);
  return true;
}

// Until it is a member everywhere, for what is told may be lost.
void Simulation::meet_forgotten() {
  for (const size_t index : forgotten_) {
    SimNode& other = *nodes_[index];
    SimNode& node = any_node();
    if (&node == &other || !node.running() || !other.running()) continue;
    (void)node.membership().meet(other.host(), SimNode::kBusPort, network_.now());
    node.cluster().settle();
  }
}

// Nobody remembers what a node was that was forgotten and has lost its disk.
void Simulation::employ_forgotten() {
  for (const size_t index : forgotten_) {
    SimNode& node = *nodes_[index];
    if (!node.running()) continue;
    Membership& membership = node.membership();
    const std::vector<NodeId> owners = membership.slots().owners();
    if (membership.primary() || owners.empty() || membership.slots().owns_slots(node.id()))
      continue;
    (void)membership.replicate(owners.front(), network_.now());
    node.cluster().settle();
  }
}

}  // namespace syntropy::testing
