#include "server/cluster/cluster_node.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "rpc/codec.h"
#include "server/cluster/make_routing.h"

namespace syntropy {
namespace {

constexpr TimeMs kLoadPeriodMs = 5000;
constexpr TimeMs kStoreRetryMs = 200;
constexpr TimeMs kStrangerLogMs = 1000;

Status no_guarantee(std::string_view why) {
  return Status::unavailable(std::string(why) +
                             ": the write is here, and may or may not be on its replicas");
}

}  // namespace

Result<StateStore::Stored> ClusterNode::identity(Engine& engine, Random& random) {
  Result<std::optional<StateStore::Stored>> stored = StateStore(engine).load();
  if (!stored.ok()) return stored.status();
  if (*stored) return std::move(**stored);
  StateStore::Stored fresh;
  fresh.membership.id = NodeId::random(random);
  while (fresh.membership.store == 0) fresh.membership.store = random.next();
  return fresh;
}

ClusterNode::ClusterNode(const Parts& parts, const ClusterNodeOptions& options,
                         const StateStore::Stored& stored)
    : transport_(parts.transport),
      keyspace_(parts.keyspace),
      work_(parts.work),
      clock_(parts.clock),
      random_(parts.random),
      options_(options),
      states_(parts.keyspace.engine()),
      membership_(std::make_unique<Membership>(options.membership, stored.membership, parts.random,
                                               parts.transport.now())),
      replication_(parts.keyspace, parts.trees, parts.transport, parts.work, parts.random,
                   options.replication,
                   {.locate = [this](const NodeId& node) { return locate(node); },
                    .others_of_shard = [this] { return others_of_shard(); },
                    .settled = [this] { on_settled(); },
                    .pumped = [this] { settle(); }}),
      mover_(
          parts.keyspace, parts.trees, parts.transport, parts.work, parts.clock, parts.random,
          options.mover,
          {.membership = [this]() -> Membership& { return *membership_; },
           .locate = [this](const NodeId& node) { return locate(node); },
           .leading = [this] { return !membership_->primary() && replication_.leading(); },
           .hold = [this](const SlotRanges& slots,
                          auto held) { hold_slots(slots, std::move(held)); },
           .release = [this] { release_slots(); },
           .complete = [this](TimeMs most_ms, auto done) { await_shard(most_ms, std::move(done)); },
           .settle = [this] { return settle_move(); },
           .secure = [this](auto done) { secure(std::move(done)); },
           .pumped = [this] { settle(); }}),
      joining_(stored.joining),
      shard_(membership_->shard()) {}

ClusterNode::~ClusterNode() = default;

Status ClusterNode::start() {
  const TimeMs now = transport_.now();
  membership_->set_wall_ms(clock_.wall_ms());
  membership_->set_address(options_.address, now);
  const Status stored = store();
  if (!stored.ok()) return stored;
  auto nobody = std::make_shared<Routing>();
  nobody->self = membership_->self();
  nobody->primary = membership_->primary();
  nobody->owner.fill(Routing::kNobody);
  gate().publish(std::move(nobody));
  lead_due_ = !membership_->primary();
  if (!lead_due_) replication_.follow(membership_->primary(), joining_);
  const Status begun = transport_.start(*this);
  if (!begun.ok()) return begun;
  transport_.post([this] {
    started_ = true;
    on_alarm(transport_.now());
  });
  return Status();
}

void ClusterNode::stop() {
  transport_.stop();
  mover_.stop();
  replication_.stop();
}

void ClusterNode::set_options(const ClusterNodeOptions& options) {
  post([this, options] {
    options_ = options;
    replication_.set_options(options.replication);
    mover_.set_options(options.mover);
    membership_->set_options(options.membership, now());
    membership_->set_address(options.address, now());
    routing_due_ = true;
    settle();
  });
}

void ClusterNode::post(std::function<void()> job) { transport_.post(std::move(job)); }

// --- what happens --------------------------------------------------------------------------------

Status ClusterNode::on_message(const Remote& from, uint8_t type, std::string_view payload) {
  if (type == kPublicationType) return on_publication(from.id, payload);
  Result<Message> message = decode_message(type, payload);
  if (!message.ok()) return message.status();
  if (options_.fault == ClusterFault::kDropGossip &&
      std::holds_alternative<GossipMessage>(*message) && membership_->members().size() > 2) {
    return Status();
  }
  refresh(now());
  membership_->step(from.id, *message, from.address.host, now());
  settle();
  return Status();
}

Status ClusterNode::on_publication(const NodeId& from, std::string_view payload) {
  const Result<Publication> publication = decode_publication(payload);
  if (!publication.ok()) return publication.status();
  if (options_.published && membership_->members().find(from) != nullptr) {
    options_.published(*publication);
  }
  return Status();
}

void ClusterNode::on_unreachable(const Peer& peer, Unreachable kind, const Status& why) {
  if (!peer.id) return;
  spdlog::debug("node {} at {}: {}", peer.id.hex(), to_text(peer.address), why.message());
  // Its host is there, and its process isn't.
  if (kind != Unreachable::kRefused && kind != Unreachable::kOtherNode) return;
  membership_->unreachable(peer.id, now());
  settle();
}

void ClusterNode::on_stranger(const PeerAddress& address, const Status& why) {
  if (stranger_logged_at_ && now() < *stranger_logged_at_ + kStrangerLogMs) return;
  stranger_logged_at_ = now();
  spdlog::warn("the bus refused {}: {}", to_text(address), why.message());
}

void ClusterNode::on_stream_open(StreamId stream, const Remote& remote, uint8_t purpose) {
  // Nobody copies from a node that has lost its data.
  const bool refused = !remote.outbound && membership_->has_lost_data();
  if (refused ||
      !(replication_.on_open(stream, remote, purpose) || mover_.on_open(stream, remote, purpose))) {
    transport_.close_stream(stream);
  }
  settle();
}

Status ClusterNode::on_stream_frame(StreamId stream, uint8_t type, std::string_view payload) {
  const Status taken = mover_.has(stream) ? mover_.on_frame(stream, type, payload)
                                          : replication_.on_frame(stream, type, payload);
  rearm();
  return taken;
}

void ClusterNode::on_stream_writable(StreamId stream) {
  if (mover_.has(stream)) {
    mover_.on_writable();
  } else {
    replication_.on_writable(stream);
  }
  rearm();
}

void ClusterNode::on_stream_closed(StreamId stream, const Status& why) {
  spdlog::debug("a stream was closed: {}", why.message());
  if (mover_.has(stream)) {
    mover_.on_closed(stream);
  } else {
    replication_.on_closed(stream);
  }
  rearm();
}

void ClusterNode::on_alarm(TimeMs now) {
  membership_->set_wall_ms(clock_.wall_ms());
  refresh(now);
  if (options_.load && now >= load_due_) {
    load_due_ = now + kLoadPeriodMs;
    membership_->set_load(options_.load(), now);
  }
  if (now >= pause_log_at_) stop_log();
  if (now >= fence_held_at_) fence_held();
  if (membership_->next_deadline() <= now) membership_->tick(now);
  if (replication_.next_deadline() <= now) replication_.tick(now);
  if (mover_.next_deadline() <= now) mover_.tick(now);
  settle();
}

void ClusterNode::rearm() {
  TimeMs at = std::min(membership_->next_deadline(), replication_.next_deadline());
  at = std::min({at, pause_log_at_, fence_held_at_, mover_.next_deadline()});
  if (options_.load) at = std::min(at, load_due_);
  if (unstored_) at = std::min(at, store_retry_at_);
  transport_.set_alarm(at);
}

// Elections compare offsets, so membership has to know this node's before it hears of one.
void ClusterNode::refresh(TimeMs now) {
  OwnReplication own = replication_.own(now);
  own.complete = own.complete && joining_ == StateStore::Keep::kLog;
  membership_->set_replication(own, now);
}

// --- what membership wants done ------------------------------------------------------------------

void ClusterNode::settle() {
  if (!started_) return;
  const TimeMs at = now();
  while (true) {
    membership_->take_ready(ready_);
    if (ready_.empty() && !(unstored_ && at >= store_retry_at_)) break;
    obey(ready_, at);
  }
  // A primary that comes back takes up its log when the others have let it serve: by then they have
  // told it if they remember more of it than its disk does, and it has told where that stands.
  if (lead_due_ && membership_->health(at) != ClusterHealth::kCutOff) {
    lead_due_ = false;
    replication_.lead();
  }
  publish();
  publish_lease(at);
  rearm();
}

void ClusterNode::obey(MembershipReady& ready, TimeMs at) {
  if (ready.follow) joining_ = what_to_keep(ready);
  if (ready.store || (unstored_ && at >= store_retry_at_)) {
    const Status stored = store();
    unstored_ = !stored.ok();
    if (unstored_) {
      store_retry_at_ = at + kStoreRetryMs;
      spdlog::error("cluster: what must not be forgotten can't be stored, so nothing is sent: {}",
                    stored.message());
    }
  }
  if (!unstored_) send(ready);
  log_events(ready);
  if (ready.routing_changed || !ready.moves.empty()) routing_due_ = true;
  if (!ready.moves.empty()) {
    // Not at once: this may be what a move has asked for.
    transport_.post([this] {
      mover_.tick(now());
      settle();
    });
  }
  if (ready.follow) change_role(*ready.follow);
  if (ready.pause_writes_until != 0) pause_writes(ready.pause_writes_until, at);
  if (ready.resume_writes) resume_writes();
  for (const NodeId& node : ready.removed) {
    replication_.drop(node);
    mover_.drop(node);
    transport_.disconnect(node);
  }
}

void ClusterNode::send(MembershipReady& ready) {
  if (options_.fault == ClusterFault::kVoteForAll) vote_for_all(ready);
  for (const MembershipSend& send : ready.sends) {
    transport_.send(locate(send.to), static_cast<uint8_t>(message_type(send.message)),
                    encode_message(send.message));
  }
  for (const MeetSend& meet : ready.meets) {
    transport_.send({NodeId(), {meet.host, meet.bus_port}},
                    static_cast<uint8_t>(MessageType::kMeet), encode_message(meet.message));
  }
}

void ClusterNode::vote_for_all(MembershipReady& ready) {
  for (MembershipSend& send : ready.sends) {
    auto* election = std::get_if<ElectionMessage>(&send.message);
    const auto* refusal = election == nullptr ? nullptr : std::get_if<VoteRefusal>(election);
    if (refusal != nullptr) send.message = ElectionMessage(Vote{refusal->epoch});
  }
}

Peer ClusterNode::locate(const NodeId& node) const {
  Peer peer{node, {}};
  const MemberRecordPtr* member = membership_->members().find(node);
  if (member == nullptr) return peer;
  const auto address = decode_fact<AddressFact>((*member)->value(EntryKey::kAddress));
  if (address.ok()) peer.address = {address->host, address->bus_port};
  return peer;
}

Status ClusterNode::store() {
  if (options_.fault == ClusterFault::kForgetState && started_) return Status();
  return states_.save(membership_->state(), joining_);
}

// --- roles ---------------------------------------------------------------------------------------

// A node of the same shard has the same log, up to some point. Who lost slots to another shard may
// have rows that nobody else has; who was made a replica by an operator had to be empty.
StateStore::Keep ClusterNode::what_to_keep(const MembershipReady& ready) const {
  if (!*ready.follow) return StateStore::Keep::kLog;
  const std::optional<MemberView> primary = membership_->member(*ready.follow);
  if (primary && primary->role.shard && primary->role.shard == shard_) return joining_;
  const NodeId& self = membership_->self();
  SlotRanges lost;
  for (const SlotMove& move : ready.moves) {
    if (move.from == self) lost.add(move.range);
  }
  if (lost.empty()) return StateStore::Keep::kNothing;
  // What was given away was proved to be there.
  const bool given = membership_->epochs().spare.contains(lost);
  return given ? StateStore::Keep::kCopies : StateStore::Keep::kRows;
}

void ClusterNode::change_role(const NodeId& primary) {
  mover_.leave_role();
  shard_ = membership_->shard();
  routing_due_ = true;
  lead_due_ = false;
  if (primary) {
    publish();  // before the log stops: clients go to the new primary instead of failing here
    replication_.follow(primary, joining_);
  } else {
    replication_.lead();
  }
  // Not before: what is under way would be executed where the log was to stand still.
  release_slots();
  resume_writes();
}

void ClusterNode::on_settled() {
  if (std::exchange(joining_, StateStore::Keep::kLog) != StateStore::Keep::kLog) {
    unstored_ = true;
    store_retry_at_ = 0;
  }
  routing_due_ = true;
  settle();
}

void ClusterNode::log_events(const MembershipReady& ready) const {
  for (const NodeId& node : ready.failed) spdlog::warn("cluster: node {} is FAIL", node.hex());
  for (const NodeId& node : ready.refuted) spdlog::warn("cluster: node {} is back", node.hex());
  for (const NodeId& node : ready.removed) spdlog::warn("cluster: {} is forgotten", node.hex());
  if (ready.promoted_over) {
    spdlog::warn("cluster: this node is primary in the place of {}", ready.promoted_over.hex());
  } else if (ready.follow && *ready.follow) {
    spdlog::warn("cluster: this node is a replica of {}", ready.follow->hex());
  }
  if (ready.kept_epoch != 0) {
    spdlog::warn(
        "cluster: claims its slots anew under epoch {}, as nobody says how an election to "
        "replace this node ended",
        ready.kept_epoch);
  }
  if (ready.manual_failed) spdlog::warn("cluster: the manual failover came to nothing");
  if (ready.forgotten) spdlog::warn("cluster: the others were told to forget this node");
}

// --- for clients ---------------------------------------------------------------------------------

void ClusterNode::publish() {
  if (!routing_due_ || (!membership_->primary() && !replication_.leading())) return;
  routing_due_ = false;
  replication_.set_foreign(SlotRanges::all().difference(membership_->epochs().slots));
  const SlotRanges& given = membership_->epochs().given;
  // Of those that were held nothing is under way.
  const bool newly_given = !given.empty() && given != told_given_ && !held_.contains(given);
  told_given_ = given;
  if (newly_given) ++generation_;
  const std::shared_ptr<const Routing> routing =
      make_routing(*membership_, options_.membership.require_full_coverage, held_, generation_);
  std::erase_if(outdated_, [](const auto& older) { return older.expired(); });
  outdated_.push_back(gate().routing());
  gate().publish(routing);
  if (newly_given) {
    work_.change([this, generation = generation_] {
      LogApplier(keyspace_).fence(generation);
      post([this, generation] {
        fenced(generation);
        mover_.tick(now());
        settle();
      });
    });
  }
  if (options_.rerouted) options_.rerouted(*membership_, *routing);
}

void ClusterNode::publish_lease(TimeMs at) {
  uint64_t until = membership_->serve_until();
  const ClusterHealth health = membership_->health(at);
  health_log_.note(*membership_, health, gate().routing().get());
  if (health == ClusterHealth::kCutOff) until = 0;
  if (options_.fault == ClusterFault::kServeForever) until = UINT64_MAX;
  // The gate is asked with the clock's time, whose zero may be another one than the transport's.
  const uint64_t clock_ms = clock_.monotonic_us() / 1000;
  if (until != 0 && until != UINT64_MAX) until = until + clock_ms - at;
  gate().set_serve_until(until);
}

size_t ClusterNode::replicas_of_shard() const {
  size_t replicas = 0;
  for (const MemberRecordPtr& member : membership_->members()) {
    const auto role = decode_fact<RoleFact>(member->value(EntryKey::kRole));
    if (role.ok() && role->primary == membership_->self()) ++replicas;
  }
  return replicas;
}

// Who may hold rows of this shard: replicas, and a primary that was replaced and isn't back yet.
std::optional<std::vector<NodeId>> ClusterNode::others_of_shard() const {
  // Who is cut off, or has only begun to listen, may not have heard of all.
  if (membership_->health(now()) != ClusterHealth::kOk) return std::nullopt;
  std::vector<NodeId> others;
  for (const MemberRecordPtr& member : membership_->members()) {
    if (member->id == membership_->self()) continue;
    const auto role = decode_fact<RoleFact>(member->value(EntryKey::kRole));
    if (!role.ok()) return std::nullopt;
    // A primary that was replaced by one that didn't know all of its slots owns the rest of them, and
    // goes on with those who follow it.
    const NodeId& leader = role->is_primary() ? member->id : role->primary;
    const bool apart = leader != membership_->self() && membership_->slots().owns_slots(leader);
    const bool same = role->shard == membership_->shard() && !apart;
    if (same || role->primary == membership_->self()) others.push_back(member->id);
  }
  return others;
}

void ClusterNode::await(WriteAcks acks, uint64_t timeout_ms,
                        std::function<void(const Status&)> done) {
  post([this, acks, timeout_ms, offset = log().offset(), done = std::move(done)] {
    const size_t needed = replicas_needed(acks, replicas_of_shard());
    replication_.wait(offset, needed, now() + timeout_ms, [this, done](bool met, uint64_t) {
      if (met) return done(Status());
      done(replication_.leading() ? no_guarantee("too few replicas have acknowledged in time")
                                  : no_guarantee("this node isn't the primary any more"));
    });
    rearm();
  });
}

void ClusterNode::wait(uint64_t replicas, uint64_t timeout_ms, std::function<void(uint64_t)> done) {
  post([this, replicas, timeout_ms, offset = log().offset(), done = std::move(done)] {
    const TimeMs deadline = timeout_ms == 0 ? UINT64_MAX : now() + timeout_ms;
    replication_.wait(offset, replicas, deadline, [done](bool, uint64_t have) { done(have); });
    rearm();
  });
}

bool ClusterNode::publish(std::string channel, std::string message, bool to_shard) {
  std::string payload = encode_publication({std::move(channel), std::move(message), to_shard});
  if (payload.size() > transport_.message_limit()) return false;
  post([this, payload = std::move(payload), to_shard] {
    for (const MemberRecordPtr& member : membership_->members()) {
      if (member->id == membership_->self()) continue;
      if (to_shard) {
        const auto role = decode_fact<RoleFact>(member->value(EntryKey::kRole));
        if (!role.ok() || role->shard != membership_->shard()) continue;
      }
      transport_.send(locate(member->id), kPublicationType, payload);
    }
  });
  return true;
}

uint64_t ClusterNode::good_replicas(uint64_t max_lag_ms) const {
  return replication_.good_replicas(now(), max_lag_ms);
}

ReplicationStatus ClusterNode::replication() const {
  ReplicationStatus status = replication_.status(now());
  const std::shared_ptr<const Routing> routing = gate().routing();
  if (routing == nullptr) return status;
  for (const Routing::Node& node : routing->nodes) {
    if (node.id == routing->primary) {
      status.primary.host = node.host;
      status.primary.port = node.port;
    }
    for (ReplicationStatus::Replica& replica : status.replicas) {
      if (replica.id != node.id) continue;
      replica.host = node.host;
      replica.port = node.port;
    }
  }
  status.failing_over = paused_.load();
  return status;
}

Status ClusterNode::reset(bool hard) {
  if (!membership_->primary() && keyspace_.key_count(0) > 0) {
    return Status::unavailable("a primary that holds keys can't be reset");
  }
  const bool was_replica = static_cast<bool>(membership_->primary());
  StateStore::Stored fresh{membership_->after_reset(hard)};
  const Status stored = states_.save(fresh.membership, joining_);
  if (!stored.ok()) return stored;
  if (fresh.membership.id != membership_->self()) transport_.set_self(fresh.membership.id);
  membership_ = std::make_unique<Membership>(options_.membership, fresh.membership, random_, now());
  membership_->set_wall_ms(clock_.wall_ms());
  membership_->set_address(options_.address, now());
  shard_ = membership_->shard();
  routing_due_ = true;
  mover_.leave_role();
  if (was_replica) replication_.lead(true);
  settle();
  return Status();
}

}  // namespace syntropy
