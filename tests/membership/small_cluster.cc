#include "tests/membership/small_cluster.h"

#include <algorithm>
#include <cstdlib>

namespace syntropy {
namespace {

constexpr uint16_t kBusPort = 17000;  // of node 0; the others follow

MembershipOptions options() {
  MembershipOptions options;
  options.detector.node_timeout = 1000;
  return options;
}

}  // namespace

SmallCluster::SmallCluster(size_t nodes, uint64_t seed) : random_(seed), nodes_(nodes) {
  const LineageId lineage = LineageId::random(random_);
  for (size_t i = 0; i < nodes; ++i) {
    Node& node = nodes_[i];
    node.id = NodeId::random(random_);
    node.store = i + 1;
    node.replication = {lineage, 100, true, 0};
    MembershipState state;
    state.id = node.id;
    state.store = node.store;
    begin(i, state);
  }
}

void SmallCluster::begin(size_t i, const MembershipState& state) {
  Node& node = nodes_[i];
  ++node.life;
  node.alive = true;
  node.timer_at = UINT64_MAX;
  node.failed.clear();
  node.membership = std::make_unique<Membership>(options(), state, random_, now());
  AddressFact address;
  address.port = static_cast<uint16_t>(7000 + i);
  address.bus_port = static_cast<uint16_t>(kBusPort + i);
  node.membership->set_wall_ms(1'000'000 + now());
  node.membership->set_address(address, now());
  node.membership->set_replication(node.replication, now());
  settle(i);
}

void SmallCluster::run_for(TimeMs ms) {
  const TimeMs until = now() + ms;
  while (const std::optional<Event> event = wheel_.take(until)) handle(*event);
}

bool SmallCluster::run_until(const std::function<bool()>& done, TimeMs patience_ms) {
  const TimeMs until = now() + patience_ms;
  while (!done()) {
    const std::optional<Event> event = wheel_.take(until);
    if (!event) return done();
    handle(*event);
  }
  return true;
}

void SmallCluster::handle(const Event& event) {
  Node& node = nodes_[event.to];
  if (!node.alive) return;
  node.membership->set_wall_ms(1'000'000 + now());
  if (event.timer) {
    if (event.life != node.life || node.timer_at != now()) return;
    node.timer_at = UINT64_MAX;
    node.membership->tick(now());
  } else {
    node.membership->step(nodes_[event.from].id, event.message,
                          "10.0.0." + std::to_string(event.from + 1), now());
  }
  settle(event.to);
}

void SmallCluster::settle(size_t i) {
  Node& node = nodes_[i];
  node.membership->take_ready(ready_);
  MembershipReady ready;
  std::swap(ready, ready_);
  if (ready.store) {
    const Result<MembershipState> state = decode_membership_state(encode(node.membership->state()));
    if (!state.ok()) std::abort();  // what is stored is always readable
    node.stored = *state;
  }
  for (MembershipSend& out : ready.sends) {
    if (const auto to = index_of(out.to)) send(i, *to, std::move(out.message));
  }
  for (MeetSend& out : ready.meets) send(i, out.bus_port - kBusPort, std::move(out.message));
  node.failed.insert(node.failed.end(), ready.failed.begin(), ready.failed.end());
  const TimeMs deadline = std::max(node.membership->next_deadline(), now());
  if (deadline >= node.timer_at) return;
  node.timer_at = deadline;
  wheel_.add(deadline, {i, 0, true, node.life, {}});
}

void SmallCluster::send(size_t from, size_t to, Message message) {
  if (to >= nodes_.size() || cuts_.contains({std::min(from, to), std::max(from, to)})) return;
  wheel_.add(now() + 1 + random_.below(5), {to, from, false, 0, std::move(message)});
}

std::optional<size_t> SmallCluster::index_of(const NodeId& id) const {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].id == id) return i;
  }
  return std::nullopt;
}

void SmallCluster::meet(size_t from, size_t to) {
  const Status begun = node(from).meet("10.0.0." + std::to_string(to + 1),
                                       static_cast<uint16_t>(kBusPort + to), now());
  if (!begun.ok()) std::abort();  // the address is well-formed
  settle(from);
}

void SmallCluster::meet_all() {
  for (size_t i = 1; i < nodes_.size(); ++i) meet(0, i);
}

void SmallCluster::kill(size_t i) { nodes_[i].alive = false; }

void SmallCluster::restart(size_t i) { begin(i, *nodes_[i].stored); }

void SmallCluster::restart_with(size_t i, const MembershipState& state) { begin(i, state); }

void SmallCluster::restart_empty(size_t i) {
  Node& node = nodes_[i];
  node.store += 1000;
  node.replication = {LineageId::random(random_), 0, true, 0};
  MembershipState state;
  state.id = node.id;
  state.store = node.store;
  begin(i, state);
}

void SmallCluster::set_replication(size_t i, uint64_t offset, bool complete) {
  Node& node = nodes_[i];
  node.replication.offset = offset;
  node.replication.complete = complete;
  node.membership->set_replication(node.replication, now());
  settle(i);
}

void SmallCluster::cut(size_t a, size_t b) { cuts_.insert({std::min(a, b), std::max(a, b)}); }

bool SmallCluster::agreed() {
  std::optional<uint64_t> hash;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i].alive) continue;
    if (!hash) hash = node(i).hash();
    if (*hash != node(i).hash()) return false;
  }
  return true;
}

bool SmallCluster::all_see_owner(uint16_t slot, size_t owner) {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].alive && node(i).slots().owner(slot) != id(owner)) return false;
  }
  return true;
}

}  // namespace syntropy
