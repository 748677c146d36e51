#include "tools/simulate/membership_cluster.h"

#include <algorithm>
#include <bit>
#include <string>

namespace syntropy {
namespace {

constexpr EntryVersion kReserved = EntryVersion{1} << 40;
constexpr size_t kSpareMessages = 1024;

// One per shard; any will do.
LineageId lineage_of(const NodeId& shard) {
  return *LineageId::from_bytes(shard.bytes().substr(0, LineageId::kBytes));
}

MemberRecordPtr make_record(const NodeId& id, const RoleFact& role, const SlotsFact& slots,
                            size_t index) {
  auto record = std::make_shared<MemberRecord>();
  record->id = id;
  const auto add = [&](EntryKey key, std::string value) {
    record->entries.push_back(
        {key, ++record->max_version, std::make_shared<const std::string>(std::move(value))});
  };
  AddressFact address;
  address.host = "10.0." + std::to_string(index / 250) + "." + std::to_string(index % 250);
  address.port = 7379;
  address.bus_port = 17379;
  add(EntryKey::kAddress, encode(address));
  add(EntryKey::kStore, encode(StoreFact{index + 1}));
  add(EntryKey::kRole, encode(role));
  add(EntryKey::kSlots, encode(slots));
  add(EntryKey::kIncarnation, encode(IncarnationFact{1}));
  add(EntryKey::kReplication, encode(ReplicationFact{lineage_of(role.shard), 1000, true}));
  return record;
}

}  // namespace

MembershipCluster::MembershipCluster(const ClusterSpec& spec) : spec_(spec), random_(spec.seed) {
  const size_t primaries = std::max<size_t>(spec.nodes / 2, 1);
  MemberList view;
  SlotMap map;
  std::vector<MembershipState> states(spec.nodes);
  places_.resize(4 * std::bit_ceil(spec.nodes));
  for (size_t i = 0; i < spec.nodes; ++i) {
    MembershipState& state = states[i];
    state.id = NodeId::random(random_);
    state.store = i + 1;
    state.version_bound = kReserved;
    RoleFact role;
    if (i < primaries) {
      role.shard = NodeId::random(random_);
      state.ownership.config_epoch = i + 1;
      const auto first = static_cast<uint16_t>(kSlotCount * i / primaries);
      const auto last = static_cast<uint16_t>(kSlotCount * (i + 1) / primaries - 1);
      state.ownership.slots.add({first, last});
      map.set_claim(state.id, state.ownership.config_epoch, state.ownership.slots);
    } else {
      role.primary = states[(i - primaries) % primaries].id;
      role.shard = decode_fact<RoleFact>((*view.find(role.primary))->value(EntryKey::kRole))->shard;
    }
    state.ownership.current_epoch = primaries;
    ids_.push_back(state.id);
    note_place(i);
    view.put(make_record(state.id, role, {state.ownership.config_epoch, state.ownership.slots}, i));
  }
  nodes_.resize(spec.nodes);
  for (size_t i = 0; i < spec.nodes; ++i) {
    Node& node = nodes_[i];
    node.random = std::make_unique<SeededRandom>(random_.next());
    node.membership =
        std::make_unique<Membership>(spec.options, states[i], view, map, *node.random, 0);
    const MemberRecord& own = **view.find(states[i].id);
    const auto role = decode_fact<RoleFact>(own.value(EntryKey::kRole));
    node.membership->set_replication({lineage_of(role->shard), 1000, true, 0}, 0);
    drain(i);
  }
}

void MembershipCluster::note_place(size_t node) {
  size_t place = ids_[node].prefix() & (places_.size() - 1);
  while (places_[place] != 0) place = (place + 1) & (places_.size() - 1);
  places_[place] = static_cast<uint32_t>(node + 1);
}

size_t MembershipCluster::index_of(const NodeId& id) const {
  size_t place = id.prefix() & (places_.size() - 1);
  while (ids_[places_[place] - 1] != id) place = (place + 1) & (places_.size() - 1);
  return places_[place] - 1;
}

void MembershipCluster::run_until(TimeMs until) {
  while (std::optional<Event> event = wheel_.take(until)) {
    handle(*event);
    if (event->message != nullptr && spare_.size() < kSpareMessages) {
      spare_.push_back(std::move(event->message));
    }
  }
}

void MembershipCluster::handle(Event& event) {
  Node& node = nodes_[event.to];
  if (!node.alive) return;
  switch (event.kind) {
    case Event::kTimer:
      if (node.timer_at != now()) return;  // an earlier one was set since
      node.timer_at = UINT64_MAX;
      // What it was set for may have been put off by a message.
      if (node.membership->next_deadline() <= now()) node.membership->tick(now());
      break;
    case Event::kPing:
      node.membership->step(
          id(event.from), DetectorMessage(Ping{event.seq, event.seen, event.no_lease}), {}, now());
      break;
    case Event::kAck:
      node.membership->step(id(event.from),
                            DetectorMessage(Ack{event.seq, event.seen, event.no_lease}), {}, now());
      break;
    case Event::kMessage:
      node.membership->step(id(event.from), *event.message, {}, now());
      break;
  }
  drain(event.to);
}

void MembershipCluster::drain(size_t index) {
  Node& node = nodes_[index];
  node.membership->take_ready(ready_);
  for (MembershipSend& out : ready_.sends) send(index, out);
  if (observer_) observer_(index, ready_);
  const TimeMs deadline = std::max(node.membership->next_deadline(), now());
  if (deadline >= node.timer_at) return;
  node.timer_at = deadline;
  wheel_.add(deadline, {static_cast<uint32_t>(index), 0, Event::kTimer, false, 0, 0, nullptr});
}

void MembershipCluster::send(size_t from, MembershipSend& send) {
  ++traffic_.messages;
  traffic_.bytes += wire_size(send.message) + kFrameOverhead;
  if (spec_.network.loss > 0 &&
      static_cast<double>(random_.next() >> 11) * 0x1p-53 < spec_.network.loss) {
    return;
  }
  const uint32_t spread = spec_.network.max_delay_ms - spec_.network.min_delay_ms;
  const TimeMs delay = spec_.network.min_delay_ms + random_.below(spread + 1);
  Event event;
  event.to = static_cast<uint32_t>(index_of(send.to));
  event.from = static_cast<uint32_t>(from);
  const auto* detector = std::get_if<DetectorMessage>(&send.message);
  if (const Ping* ping = detector == nullptr ? nullptr : std::get_if<Ping>(detector)) {
    event.kind = Event::kPing;
    event.seq = ping->seq;
    event.seen = ping->seen;
    event.no_lease = ping->no_lease;
  } else if (const Ack* ack = detector == nullptr ? nullptr : std::get_if<Ack>(detector)) {
    event.kind = Event::kAck;
    event.seq = ack->seq;
    event.seen = ack->seen;
    event.no_lease = ack->no_lease;
  } else {
    event.kind = Event::kMessage;
    event.message = hold(send.message);
  }
  wheel_.add(now() + delay, std::move(event));
}

std::unique_ptr<Message> MembershipCluster::hold(Message& message) {
  if (spare_.empty()) return std::make_unique<Message>(std::move(message));
  std::unique_ptr<Message> held = std::move(spare_.back());
  spare_.pop_back();
  *held = std::move(message);
  return held;
}

void MembershipCluster::kill(size_t node) { nodes_[node].alive = false; }

EntryVersion MembershipCluster::change_entry(size_t index) {
  Membership& membership = *nodes_[index].membership;
  AddressFact address = membership.member(membership.self())->address;
  address.hostname = "host-" + std::to_string(++changes_);
  membership.set_address(address, now());
  const EntryVersion version = (*membership.members().find(membership.self()))->max_version;
  drain(index);
  return version;
}

bool MembershipCluster::agreed() const {
  std::optional<uint64_t> hash;
  for (const Node& node : nodes_) {
    if (!node.alive) continue;
    if (!hash) hash = node.membership->hash();
    if (*hash != node.membership->hash()) return false;
  }
  return true;
}

}  // namespace syntropy
