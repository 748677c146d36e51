#include "tests/support/fake_cluster.h"

#include <algorithm>
#include <string>
#include <utility>

namespace syntropy::testing {
namespace {

MemberRecordPtr record_of(const FakeMember& member) {
  auto record = std::make_shared<MemberRecord>();
  record->id = member.id;
  const auto tell = [&record](EntryKey key, std::string value) {
    record->entries.push_back(
        {key, ++record->max_version, std::make_shared<const std::string>(std::move(value))});
  };
  AddressFact address;
  address.host = "127.0.0.1";
  address.port = member.port;
  address.bus_port = static_cast<uint16_t>(member.port + 10000);
  tell(EntryKey::kAddress, encode(address));
  const NodeId shard = member.primary ? member.primary : member.id;
  tell(EntryKey::kRole,
       encode(RoleFact{member.primary, member.shard ? member.shard : shard, false}));
  if (!member.slots.empty()) tell(EntryKey::kSlots, encode(SlotsFact{member.epoch, member.slots}));
  ReplicationFact replication;
  replication.lineage = *LineageId::from_bytes(member.id.bytes());
  replication.offset = member.offset;
  replication.complete = member.complete;
  tell(EntryKey::kReplication, encode(replication));
  return record;
}

uint16_t index_of(const Routing& routing, const NodeId& id) {
  for (size_t i = 0; i < routing.nodes.size(); ++i) {
    if (routing.nodes[i].id == id) return static_cast<uint16_t>(i);
  }
  return Routing::kNobody;
}

}  // namespace

NodeId node_id(char digit) { return *NodeId::parse(std::string(40, digit)); }

FakeCluster::FakeCluster(const std::vector<FakeMember>& members) {
  MembershipState state;
  state.id = members.front().id;
  state.store = 7;
  state.own = record_of(members.front());
  state.version_bound = 100;
  state.ownership.slots = members.front().slots;
  state.ownership.config_epoch = members.front().epoch;
  for (const FakeMember& member : members) {
    state.ownership.current_epoch = std::max(state.ownership.current_epoch, member.epoch);
    if (member.id != state.id) state.others.push_back(record_of(member));
  }
  MembershipOptions options;
  options.detector.node_timeout = 1000;
  membership_ = std::make_unique<Membership>(options, state, random_, now());
  membership_->set_wall_ms(1'700'000'000'000);
  gate().set_serve_until(UINT64_MAX);
  settle();
}

FakeCluster::~FakeCluster() = default;

Routing FakeCluster::current_routing() const {
  Routing routing;
  routing.self = membership_->self();
  routing.primary = membership_->primary();
  routing.covered = membership_->slots().complete();
  routing.owner.fill(Routing::kNobody);
  for (const MemberRecordPtr& record : membership_->members()) {
    const MemberView view = *membership_->member(record->id);
    routing.nodes.push_back({view.id, view.address.host, view.address.port, false});
  }
  for (const SlotRun& run : membership_->slots().view()) {
    const uint16_t owner = index_of(routing, run.owner);
    for (uint32_t slot = run.range.first; slot <= run.range.last; ++slot) {
      routing.owner[slot] = owner;
    }
  }
  for (const auto& [slot, to] : membership_->epochs().migrating) {
    routing.migrating.push_back({slot, index_of(routing, to)});
  }
  for (const auto& [slot, from] : membership_->epochs().importing) {
    routing.importing.push_back({slot, index_of(routing, from)});
  }
  return routing;
}

void FakeCluster::settle() {
  last_ready = {};
  membership_->take_ready(last_ready);
  gate().publish(std::make_shared<const Routing>(current_routing()));
}

void FakeCluster::await(WriteAcks acks, uint64_t, std::function<void(const Status&)> done) {
  awaited.push_back(acks);
  awaits.push_back(std::move(done));
}

void FakeCluster::wait(uint64_t replicas, uint64_t timeout_ms, std::function<void(uint64_t)> done) {
  if (on_wait) return on_wait({replicas, timeout_ms, std::move(done)});
  waits.push_back({replicas, timeout_ms, std::move(done)});
}

bool FakeCluster::publish(std::string channel, std::string message, bool to_shard) {
  if (publishes) published.push_back((to_shard ? "shard " : "") + channel + " " + message);
  return publishes;
}

Status FakeCluster::reset(bool hard) {
  resets.push_back(hard);
  return Status();
}

Status FakeCluster::store() {
  ++stores;
  return store_result;
}

}  // namespace syntropy::testing
