// The clients of the simulation: they write where they find a node that would serve them, the old
// primary as gladly as the new one.
#include <algorithm>
#include <iterator>
#include <utility>

#include "storage/base/slot.h"
#include "tests/simulation/simulation.h"

namespace syntropy::testing {
namespace {

constexpr uint64_t kKeys = 40;     // of each kind
constexpr uint64_t kCounters = 9;  // that are only ever incremented
constexpr TimeMs kAcksTimeoutMs = 800;
constexpr TimeMs kTurnMs = 5;
constexpr TimeMs kLongTurnMs = 400;
constexpr const char* kKinds[] = {"k", "m", "n"};

uint64_t keys_of(uint64_t kind) { return kind == 2 ? kCounters : kKeys; }

}  // namespace

const std::set<uint16_t>& Simulation::slots_of_clients() {
  static const std::set<uint16_t> kSlots = [] {
    std::set<uint16_t> slots;
    for (size_t kind = 0; kind < std::size(kKinds); ++kind) {
      for (uint64_t i = 0; i < keys_of(kind); ++i) {
        slots.insert(slot_of(kKinds[kind] + std::to_string(i)));
      }
    }
    return slots;
  }();
  return kSlots;
}

void Simulation::client() {
  if (!troubled_ || over()) return;
  in(1 + random_.below(20), [this] { client(); });
  const uint64_t kind = random_.below(3);
  const std::string key = kKinds[kind] + std::to_string(random_.below(keys_of(kind)));
  SimNode* server = choose_server(slot_of(key));
  if (server == nullptr) {
    ++figures_.refused;
    return;
  }
  // A request is executed some time after it was judged; when that is long, not without a lease.
  const uint64_t generation = server->generation();
  if (random_.one_in(2)) return execute(*server, generation, key);
  const TimeMs longest = random_.one_in(4) ? kLongTurnMs : kTurnMs;
  in(1 + random_.below(longest), [this, server, generation, key, began = server->began()] {
    if (server->running() && server->began() == began && server->may_serve()) {
      execute(*server, generation, key);
    }
  });
}

// All that believe the slot to be theirs are asked.
SimNode* Simulation::choose_server(uint16_t slot) {
  std::vector<SimNode*> servers;
  for (auto& node : nodes_) {
    if (node->serves(slot)) servers.push_back(node.get());
  }
  return servers.empty() ? nullptr : servers[random_.below(servers.size())];
}

void Simulation::execute(SimNode& node, uint64_t generation, const std::string& key) {
  Write write;
  write.key = key;
  write.node = node.index();
  write.began = node.began();
  write.clock_set = node.clock().set_at();
  write.slow = slow_.count(node.index()) != 0;
  write.history = node.log().position().history;
  write.at = network_.now();
  bool wrote = true;
  const Status done = node.write(generation, [&](Tick& tick) {
    const bool counter = key.front() == 'n';
    if (counter || (key.front() == 'm' && random_.one_in(2))) {
      write.kind = Write::Kind::kIncrement;
      wrote = tick.increment(0, key, 1).ok();
    } else if (random_.one_in(3)) {
      write.kind = Write::Kind::kErase;
      wrote = tick.erase(0, key);
    } else if (key.front() == 'm') {
      tick.put(0, key, RowKind::kString, std::to_string(random_.below(1000)), 0);
    } else {
      tick.put(0, key, RowKind::kString, std::string(1 + random_.below(150), 'v'), 0);
    }
  });
  if (!done.ok() || !wrote) return;
  observer_.served(node, slot_of(key), forced_);
  observer_.look(node, took_over_);
  Ledger::Number number = 0;
  const std::string trouble = ledger_.add(std::move(write), node.writer(), node.engine(), &number);
  if (!trouble.empty()) return fail(trouble);
  ++figures_.writes;
  const uint64_t guarantee = random_.below(4);
  node.work().when_durable([this, &node, number, guarantee](const Status& durable) {
    if (!durable.ok()) return;
    if (guarantee > 1) return acknowledge(number);
    await_copies(node, number, guarantee == 0 ? WriteAcks::kMajority : WriteAcks::kAll);
  });
}

void Simulation::acknowledge(Ledger::Number number) {
  ledger_.acknowledge(number, network_.now());
  ++figures_.acknowledged;
}

size_t Simulation::copies_needed(SimNode& node, WriteAcks acks) {
  size_t replicas = 0;
  for (const MemberRecordPtr& member : node.membership().members()) {
    const auto role = decode_fact<RoleFact>(member->value(EntryKey::kRole));
    if (role.ok() && role->primary == node.id()) ++replicas;
  }
  return 1 + replicas_needed(acks, replicas);
}

void Simulation::await_copies(SimNode& node, Ledger::Number number, WriteAcks acks) {
  const size_t asked = copies_needed(node, acks);
  node.cluster().await(acks, kAcksTimeoutMs,
                       [this, &node, number, acks, asked](const Status& held) {
                         if (!held.ok()) return;
                         // A replica may have been forgotten meanwhile.
                         const size_t needed = std::min(asked, copies_needed(node, acks));
                         acknowledge(number);
                         ++figures_.guaranteed;
                         const bool durable = settings_.sync == SyncPolicy::kAlways;
                         size_t have = 0;
                         for (auto& other : nodes_) {
                           // What it had may have been taken from it since.
                           const bool had = lost_at_[other->index()] >= ledger_.write(number).at;
                           have += had || ledger_.has(other->engine(), number, durable) ? 1 : 0;
                         }
                         if (have >= needed) return;
                         fail(std::to_string(needed) + " nodes should have a write of node " +
                              std::to_string(ledger_.write(number).node) + ", and " +
                              std::to_string(have) + " have");
                       });
}

}  // namespace syntropy::testing
