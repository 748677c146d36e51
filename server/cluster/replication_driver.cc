#include "server/cluster/replication_driver.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "storage/base/slot_ranges.h"

namespace syntropy {
namespace {

constexpr TimeMs kRoleRetryMs = 500;
constexpr TimeMs kLingerMs = 1000;  // of a stream whose replica was refused

}  // namespace

ReplicationDriver::ReplicationDriver(Keyspace& keyspace, RowTrees& trees, Transport& transport,
                                     StoreWork& work, Random& random, const Options& options,
                                     Events events)
    : keyspace_(keyspace),
      transport_(transport),
      work_(work),
      random_(random),
      options_(options),
      events_(std::move(events)),
      applier_(keyspace),
      rows_(keyspace, trees, applier_),
      purger_(keyspace, trees, applier_, work,
              {.post = [this](std::function<void()> job) { transport_.post(std::move(job)); },
               .foreign = [this] { return rows_.foreign(); },
               .done = [this] { events_.pumped(); }}) {
  purger_.set_options(options.purger);
  log().set_listener([this] {
    if (has_replicas_.load(std::memory_order_relaxed)) wake();
  });
}

ReplicationDriver::~ReplicationDriver() { log().set_listener({}); }

// From any thread.
void ReplicationDriver::wake() {
  if (woken_.exchange(true)) return;
  transport_.post([this] {
    woken_.store(false);
    pump(transport_.now());
    events_.pumped();
  });
}

// --- roles ---------------------------------------------------------------------------------------

void ReplicationDriver::lead(bool emptied) {
  leave_role();
  leads_ = true;
  empty_first_ = emptied;
  primary_ = NodeId();
  change_role();
}

void ReplicationDriver::follow(const NodeId& primary, LogApplier::Keep keep) {
  leave_role();
  leads_ = false;
  primary_ = primary;
  keep_ = keep;
  empty_first_ = keep == LogApplier::Keep::kNothing;
  change_role();
}

void ReplicationDriver::stop() {
  leave_role();
  role_serial_ = ++serial_;
  role_retry_at_ = Transport::kNoAlarm;
}

void ReplicationDriver::leave_role() {
  settled_ = false;
  purger_.stop();
  for (auto& [stream, replica] : replicas_) {
    acks_.remove(stream);
    replica.pipe.close();
  }
  replicas_.clear();
  has_replicas_ = false;
  acks_.fail_all();
  tell_outcomes();
  upstream_.pipe.close();
  upstream_.session.reset();
  upstream_.followed_at = 0;
}

void ReplicationDriver::change_role() {
  role_serial_ = ++serial_;
  role_retry_at_ = Transport::kNoAlarm;
  LineageId lineage = leads_ ? LineageId::random(random_) : LineageId();
  if (leads_ && options_.fault == Fault::kKeepLineage && log().position().lineage()) {
    lineage = log().position().lineage();
  }
  work_.change([this, serial = role_serial_, lineage, keep = keep_, empty = empty_first_] {
    // Nobody writes while rows are discarded.
    Status done;
    if (!lineage || empty)
      done = applier_.stop_writing(lineage ? LogApplier::Keep::kNothing : keep);
    if (done.ok() && empty) done = keyspace_.discard_rows();
    if (done.ok() && lineage) done = applier_.begin_lineage(lineage);
    transport_.post([this, serial, done] { role_changed(serial, done); });
    if (done.ok()) work_.when_durable([](const Status&) {});
  });
}

void ReplicationDriver::role_changed(uint64_t serial, const Status& result) {
  if (serial != role_serial_ || settled_) return;
  if (!result.ok()) {
    spdlog::error("replication: the change of roles failed: {}", result.message());
    role_retry_at_ = transport_.now() + kRoleRetryMs;
    return events_.pumped();
  }
  settled_ = true;
  if (!leads_) begin_following();
  events_.settled();
  pump(transport_.now());
  events_.pumped();
}

void ReplicationDriver::begin_following() {
  upstream_.primary = primary_;
  upstream_.serial = ++serial_;
  upstream_.session = std::make_unique<ReplicaSession>(log(), rows_, SlotRanges::all(),
                                                       options_.replica, random_, transport_.now());
}

void ReplicationDriver::pause_writes(std::function<void(const LogPoint&)> stopped) {
  work_.change([this, serial = role_serial_, stopped = std::move(stopped)] {
    const Result<LogPoint> point = applier_.pause_writes();
    transport_.post([this, serial, point, stopped] {
      if (point.ok() && serial == role_serial_) stopped(*point);
    });
  });
}

void ReplicationDriver::resume_writes(std::function<void()> resumed) {
  work_.change([this, resumed = std::move(resumed)] {
    applier_.resume_writes();
    transport_.post(resumed);
  });
}

void ReplicationDriver::hold(uint64_t generation, std::function<void()> held) {
  work_.change([this, serial = role_serial_, generation, held = std::move(held)] {
    const Status done = applier_.hold(generation);
    transport_.post([this, serial, done, held] {
      if (done.ok() && serial == role_serial_) held();
    });
  });
}

void ReplicationDriver::release() {
  work_.change([this] { applier_.release(); });
}

// --- streams -------------------------------------------------------------------------------------

bool ReplicationDriver::on_open(StreamId stream, const Remote& remote, uint8_t purpose) {
  if (stream == upstream_.pipe.id() && upstream_.session) {
    upstream_.session->connected(transport_.now());
  } else {
    if (remote.outbound || purpose != kReplicationStream || !leading()) return false;
    serve(stream, remote.id);
  }
  pump(transport_.now());
  return true;
}

void ReplicationDriver::serve(StreamId stream, const NodeId& node) {
  close_of(node);
  Downstream& replica = replicas_.try_emplace(stream, StreamPipe(transport_, stream)).first->second;
  replica.node = node;
  replica.serial = ++serial_;
  replica.session =
      std::make_unique<PrimarySession>(log(), rows_, options_.primary, transport_.now());
  has_replicas_ = true;
}

Status ReplicationDriver::on_frame(StreamId stream, uint8_t type, std::string_view payload) {
  const TimeMs now = transport_.now();
  input_bytes_ += payload.size();
  if (stream == upstream_.pipe.id() && upstream_.session) {
    Result<PrimaryMessage> message = decode_primary_message(type, payload);
    if (!message.ok()) return message.status();
    upstream_.session->step(*message, now);
  } else if (const auto at = replicas_.find(stream); at != replicas_.end()) {
    Result<ReplicaMessage> message = decode_replica_message(type, payload);
    if (!message.ok()) return message.status();
    at->second.session->step(*message, now);
    note_ack(stream, at->second);
  }
  pump(now);
  return Status();
}

void ReplicationDriver::on_writable(StreamId) { pump(transport_.now()); }

void ReplicationDriver::on_closed(StreamId stream) {
  if (stream == upstream_.pipe.id() && stream != 0) {
    upstream_.pipe.forget();
    if (upstream_.session) upstream_.session->disconnected(transport_.now());
  } else {
    closed_.push_back(stream);
    if (!pumping_) erase_closed();
  }
  pump(transport_.now());
}

void ReplicationDriver::erase_closed() {
  for (const StreamId stream : std::exchange(closed_, {})) erase(stream);
}

void ReplicationDriver::erase(StreamId stream) {
  if (replicas_.erase(stream) == 0) return;
  acks_.remove(stream);
  has_replicas_ = !replicas_.empty();
}

void ReplicationDriver::drop(const NodeId& node) {
  close_of(node);
  if (node != primary_ || upstream_.pipe.id() == 0) return;
  upstream_.pipe.close();
  if (upstream_.session) upstream_.session->disconnected(transport_.now());
}

void ReplicationDriver::close_of(const NodeId& node) {
  for (auto& [stream, replica] : replicas_) {
    if (replica.node != node) continue;
    replica.pipe.close();
    closed_.push_back(stream);
  }
  if (!pumping_) erase_closed();
}

// --- the sessions, as far as they come -----------------------------------------------------------

void ReplicationDriver::tick(TimeMs now) {
  if (now >= role_retry_at_) change_role();
  if (leading()) {
    if (purger_.wants_proof(now) || purger_.wants_step(now)) prove_deaths(now);
    purger_.tick(now);
  }
  acks_.tick(now);
  tell_outcomes();
  pump(now);
}

void ReplicationDriver::pump(TimeMs now) {
  if (pumping_ || !settled_) return;
  pumping_ = true;
  std::vector<StreamId> streams;
  for (const auto& [stream, replica] : replicas_) streams.push_back(stream);
  for (const StreamId stream : streams) pump(replicas_.at(stream), now);
  pump_upstream(now);
  pumping_ = false;
  erase_closed();
  show();
}

void ReplicationDriver::pump(Downstream& replica, TimeMs now) {
  const TimeMs stuck = replica.pipe.deadline(UINT64_MAX, options_.primary.timeout_ms);
  if (now >= replica.close_at || now >= stuck) {
    closed_.push_back(replica.pipe.id());
    return replica.pipe.close();
  }
  while (replica.pipe.flush(now, &output_bytes_) && replica.close_at == Transport::kNoAlarm) {
    PrimarySession::Ready ready = replica.session->take_ready(now);
    for (const PrimaryMessage& message : ready.send) replica.pipe.push(message);
    if (ready.take_over) take_over(replica, std::move(*ready.take_over), ready.purged);
    if (ready.answer) answer(replica, std::move(*ready.answer), ready.answer_changes);
    if (ready.close) {
      spdlog::info("replica {}: {}", replica.node.hex(), replica.session->closed_because());
      replica.close_at = now + kLingerMs;
    }
    if (ready.send.empty()) break;
  }
  if (const uint64_t mended = replica.session->mended_rows() - replica.mended_rows; mended > 0) {
    replica.mended_rows += mended;
    mended_rows_ += mended;
    spdlog::warn("replica {} differed in {} rows though its log is this node's; they are mended",
                 replica.node.hex(), mended);
  }
  if (replica.session->following() && !std::exchange(replica.counted, true)) {
    const bool copied = replica.session->copied();
    ++(copied ? full_syncs_ : partial_syncs_);
    spdlog::info("replica {} {} offset {}", replica.node.hex(),
                 copied ? "was compared and follows from" : "goes on from",
                 replica.session->acknowledged());
  }
}

// What all other nodes of the shard are proved to hold may be purged: up to when the first of them
// was proved last.
void ReplicationDriver::prove_deaths(TimeMs now) {
  const std::optional<std::vector<NodeId>> others = events_.others_of_shard();
  if (!others) return purger_.put_off(now);
  std::optional<HlcStamp> proved;
  // Who has come, and isn't known to be of the shard yet, waits for its first proof as well.
  for (const auto& [stream, replica] : replicas_) {
    const bool pending = replica.session->state() != PrimarySession::State::kClosed &&
                         replica.session->proof().at == 0;
    if (pending && options_.fault != Fault::kProvedByThePresent) return purger_.put_off(now);
  }
  for (const NodeId& node : *others) {
    const auto at = std::find_if(replicas_.begin(), replicas_.end(), [&](const auto& replica) {
      return replica.second.node == node && replica.second.session->proof().at != 0;
    });
    if (at == replicas_.end()) {
      if (options_.fault == Fault::kProvedByThePresent) continue;
      return purger_.put_off(now);
    }
    const HlcStamp clock = at->second.session->proof().clock;
    proved = proved ? std::min(*proved, clock) : clock;
  }
  purger_.prove(proved, now);
}

void ReplicationDriver::take_over(const Downstream& replica, std::string records,
                                  LogApplier::Purged purged) {
  work_.change([this, stream = replica.pipe.id(), serial = replica.serial,
                records = std::move(records), purged] {
    const Result<LogPoint> taken = applier_.take_over(records, purged);
    transport_.post([this, stream, serial, taken] {
      const auto at = replicas_.find(stream);
      if (at == replicas_.end() || at->second.serial != serial) return;
      at->second.session->taken_over(taken);
      pump(transport_.now());
      events_.pumped();
    });
    if (taken.ok()) work_.when_durable([](const Status&) {});
  });
}

void ReplicationDriver::answer(const Downstream& replica, ComparisonAnswerer::Work work,
                               bool changes) {
  auto job = [this, stream = replica.pipe.id(), serial = replica.serial, work = std::move(work)] {
    const Result<std::string> reply = answer_work(work);
    transport_.post([this, stream, serial, reply] {
      const auto at = replicas_.find(stream);
      if (at == replicas_.end() || at->second.serial != serial) return;
      at->second.session->answered(reply, transport_.now());
      pump(transport_.now());
      events_.pumped();
    });
  };
  if (!changes) return work_.read(std::move(job));
  work_.change([this, job = std::move(job)] {
    job();
    work_.when_durable([](const Status&) {});
  });
}

void ReplicationDriver::pump_upstream(TimeMs now) {
  if (now >= upstream_.pipe.deadline(UINT64_MAX, options_.replica.timeout_ms)) {
    upstream_.pipe.close();
    if (upstream_.session) upstream_.session->disconnected(now);
  }
  while (upstream_.session && upstream_.pipe.flush(now, &output_bytes_)) {
    ReplicaSession& session = *upstream_.session;
    ReplicaSession::Ready ready = session.take_ready(now);
    if (ready.disconnect) upstream_.pipe.close();
    if (ready.connect) {
      upstream_.pipe.open(events_.locate(primary_), kReplicationStream);
      if (upstream_.pipe.id() == 0) session.disconnected(now);
    }
    for (const ReplicaMessage& message : ready.send) upstream_.pipe.push(message);
    if (ready.op) apply(std::move(*ready.op));
    if (session.state() == ReplicaSession::State::kFollowing) upstream_.followed_at = now;
    if (ready.send.empty() && !ready.op) break;
  }
}

void ReplicationDriver::apply(StoreOp op) {
  work_.change([this, serial = upstream_.serial, op = std::move(op)] {
    const StoreOpResult applied = apply_store_op(applier_, op);
    const uint64_t offset = log().offset();
    transport_.post([this, serial, applied] { stored(serial, applied); });
    if (!applied.status.ok()) return;
    if (!op.moves_log()) return work_.when_durable([](const Status&) {});
    if (options_.fault == Fault::kAckUnsynced) log_is_durable(serial, op.session, offset);
    work_.when_durable([this, serial, offset, session = op.session](const Status& durable) {
      if (durable.ok()) log_is_durable(serial, session, offset);
    });
  });
}

// From any thread.
void ReplicationDriver::log_is_durable(uint64_t serial, ReplicationSessionId session,
                                       uint64_t offset) {
  transport_.post([this, serial, session, offset] {
    if (upstream_.serial != serial || !upstream_.session) return;
    upstream_.session->acknowledged(session, offset);
    pump(transport_.now());
    events_.pumped();
  });
}

void ReplicationDriver::stored(uint64_t serial, const StoreOpResult& result) {
  if (upstream_.serial != serial || !upstream_.session) return;
  upstream_.session->stored(result, transport_.now());
  pump(transport_.now());
  events_.pumped();
}

TimeMs ReplicationDriver::next_deadline() const {
  TimeMs deadline = std::min(role_retry_at_, acks_.next_deadline());
  if (!settled_) return deadline;
  if (leads_) deadline = std::min(deadline, purger_.next_deadline());
  for (const auto& [stream, replica] : replicas_) {
    const TimeMs session = replica.close_at != Transport::kNoAlarm
                               ? replica.close_at
                               : replica.session->next_deadline();
    deadline = std::min(deadline, replica.pipe.deadline(session, options_.primary.timeout_ms));
  }
  if (upstream_.session) {
    deadline = std::min(deadline, upstream_.pipe.deadline(upstream_.session->next_deadline(),
                                                          options_.replica.timeout_ms));
  }
  return deadline;
}

// --- guarantees ----------------------------------------------------------------------------------

void ReplicationDriver::note_ack(StreamId stream, Downstream& replica) {
  const PrimarySession& session = *replica.session;
  if (!session.following()) return;
  acks_.acknowledged(stream, session.acknowledged(), session.last_heard());
  tell_outcomes();
}

void ReplicationDriver::wait(uint64_t offset, size_t needed, TimeMs deadline,
                             std::function<void(bool, uint64_t)> done) {
  if (!leading()) return done(false, 0);
  waits_.emplace(acks_.wait(offset, needed, deadline), std::move(done));
  tell_outcomes();
}

bool ReplicationDriver::followed_by(const std::vector<NodeId>& nodes) const {
  return std::all_of(nodes.begin(), nodes.end(), [this](const NodeId& node) {
    return std::any_of(replicas_.begin(), replicas_.end(), [&node](const auto& replica) {
      return replica.second.node == node && replica.second.session->following();
    });
  });
}

void ReplicationDriver::tell_outcomes() {
  for (const AckTracker::Outcome& outcome : acks_.take_outcomes()) {
    const auto at = waits_.find(outcome.token);
    if (at == waits_.end()) continue;
    const auto done = std::move(at->second);
    waits_.erase(at);
    done(outcome.met, outcome.replicas);
  }
}

}  // namespace syntropy
