#include "tests/replication/shard_simulation.h"

#include <algorithm>
#include <optional>
#include <set>

#include "storage/local_records.h"
#include "storage/tick.h"

namespace syntropy::testing {
namespace {

constexpr TimeMs kTroubleEndsMs = 12'000;
constexpr TimeMs kSettledByMs = kTroubleEndsMs + 60'000;
constexpr TimeMs kEverySecondMs = 700;  // at the latest
constexpr uint16_t kPlainDb = 0;
constexpr uint16_t kCounterDb = 1;  // never flushed, nothing deleted

std::string row_key_of(uint16_t db, std::string_view key) {
  std::string row_key;
  encode_row_key(db, key, {}, &row_key);
  return row_key;
}

}  // namespace

ShardSimulation::ShardSimulation(const Options& options)
    : options_(options),
      random_(options.seed),
      always_(random_.one_in(2)),
      loss_(random_.one_in(3) ? 5 + random_.below(20) : 0) {
  session_options_.stream = {.window_bytes = 2000, .piece_bytes = 300, .retry_ms = 150};
  session_options_.store_bytes = 300;
  session_options_.heartbeat_ms = 200;
  session_options_.timeout_ms = 1500;
  session_options_.backoff_min_ms = 20;
  session_options_.backoff_max_ms = 300;
  session_options_.check_interval_ms = 400;
  session_options_.fault = options.session_fault;
  const size_t count = 3 + random_.below(2);
  cut_.assign(count, std::vector<bool>(count, false));
  for (size_t i = 0; i < count; ++i) {
    nodes_.push_back(std::make_unique<Node>(i));
    // Now and then a clock is an hour off.
    nodes_[i]->clock.advance_ms(random_.one_in(8) ? 3'600'000 : random_.below(500));
  }
}

ShardSimulation::~ShardSimulation() {
  for (auto& node : nodes_) {
    node->replica.reset();
    node->op.reset();
    node->followers.clear();
    node->stale_rows.reset();
    node->rows.reset();
    node->trees.reset();
  }
}

class ShardSimulation::StaleSessions::Answers final : public RowAnswers {
 public:
  Answers(StaleSessions& sessions, std::shared_ptr<RowAnswers> fresh)
      : sessions_(sessions), fresh_(std::move(fresh)) {}
  Status freeze(std::string_view flushes) override {
    const Status frozen = fresh_->freeze(flushes);
    if (!frozen.ok()) return frozen;
    stale_ = std::exchange(sessions_.last_, fresh_);
    return {};
  }
  const LogPosition& position() const override { return fresh_->position(); }
  const StoreMarks& marks() const override { return fresh_->marks(); }
  std::string answer(std::string_view request) override {
    return (stale_ ? stale_ : fresh_)->answer(request);
  }
  uint64_t rows_read() const override { return (stale_ ? stale_ : fresh_)->rows_read(); }
  Status purge(std::string_view purges) override { return fresh_->purge(purges); }

 private:
  StaleSessions& sessions_;
  const std::shared_ptr<RowAnswers> fresh_;
  std::shared_ptr<RowAnswers> stale_;
};

std::shared_ptr<RowAnswers> ShardSimulation::StaleSessions::answers(LogApplier::Purged purged) {
  return std::make_shared<Answers>(*this, fresh_.answers(purged));
}

// --- the world -----------------------------------------------------------------------------------

void ShardSimulation::at(TimeMs delay, std::function<void()> what) {
  events_.emplace(now_ + delay, std::move(what));
}

void ShardSimulation::on_node(Node& node, TimeMs delay, std::function<void()> what) {
  at(delay, [&node, incarnation = node.incarnation, what = std::move(what)] {
    if (node.up && node.incarnation == incarnation) what();
  });
}

void ShardSimulation::fail(std::string what) {
  if (violation_.empty()) violation_ = "at " + std::to_string(now_) + " ms: " + std::move(what);
}

void ShardSimulation::run_until(TimeMs end) {
  while (violation_.empty() && !events_.empty() && events_.begin()->first <= end) {
    const auto next = events_.begin();
    for (auto& node : nodes_) node->clock.advance_ms(next->first - now_);
    now_ = next->first;
    const std::function<void()> what = std::move(next->second);
    events_.erase(next);
    what();
  }
  if (violation_.empty()) now_ = std::max(now_, end);
}

std::string ShardSimulation::run() {
  for (auto& node : nodes_) {
    node->epoch = epoch_;
    start(*node);
  }
  at(10, [this] { client(); });
  at(500 + random_.below(500), [this] { trouble(); });
  run_until(kTroubleEndsMs);
  quiet_ = true;
  for (auto& row : cut_) row.assign(row.size(), false);
  for (auto& node : nodes_) {
    if (!node->up) start(*node);
  }
  while (violation_.empty() && now_ < kSettledByMs && !settled()) run_until(now_ + 200);
  if (violation_.empty()) check_end();
  return violation_;
}

// --- nodes ---------------------------------------------------------------------------------------

void ShardSimulation::start(Node& node) {
  if (node.up) return;
  node.up = true;
  ++node.incarnation;
  const bool same_writer = options_.fault == ShardFault::kSameWriterAfterCrash;
  const bool purge = options_.fault == ShardFault::kPurgeAtOnce;
  node.purge = std::make_unique<PurgePolicy>(purge ? PurgePolicy::Mode::kImmediate
                                                   : PurgePolicy::Mode::kNever);
  node.filter.target = node.purge.get();
  KeyspaceOptions options;
  options.databases = 2;
  options.new_writer_id = same_writer ? node.index + 1 : random_.next() | 1;
  options.replicated = true;
  options.log.backlog_bytes = 1 + random_.below(30'000);
  options.log.reader_bytes = 20'000;
  auto opened = Keyspace::open(node.engine, node.clock, *node.purge, options);
  if (!opened.ok())
    return fail("a store can't be opened: " + std::string(opened.status().message()));
  node.keyspace = std::move(*opened);
  node.applier = std::make_unique<LogApplier>(*node.keyspace);
  RowTreesOptions trees;
  trees.background = false;
  auto grown = RowTrees::open(*node.keyspace, trees);
  if (!grown.ok()) return fail("no trees: " + std::string(grown.status().message()));
  node.trees = std::move(*grown);
  node.rows = std::make_unique<TreeSessions>(*node.keyspace, *node.trees, *node.applier);
  node.stale_rows = std::make_unique<StaleSessions>(*node.rows);
  node.durable_offset = node.checked_offset = node.log().offset();
  become(node);
  on_node(node, 1, [this, &node] { learn(node); });
  if (!always_) {
    // A clock of its own, so that nodes don't sync together.
    on_node(node, random_.below(kEverySecondMs), [this, &node] { sync(node); });
  }
}

void ShardSimulation::crash(Node& node, bool power) {
  if (!node.up) return;
  ++figures_.crashes;
  node.up = false;
  for (auto& [follower, side] : node.followers) drop_connection(node, side.connection);
  if (node.connection != 0) drop_connection(node, node.connection);
  node.followers.clear();
  node.replica.reset();
  node.op.reset();
  node.connection = 0;
  node.tracker = {};
  node.waiting.clear();
  node.pending_acks.clear();
  node.stale_rows.reset();
  node.rows.reset();
  node.trees.reset();
  node.applier.reset();
  node.keyspace.reset();
  node.filter.target = nullptr;
  if (!power) return;
  std::string offset;
  const bool apart = options_.fault == ShardFault::kOffsetSyncedApart &&
                     node.engine.get(log_offset_record_key(), ReadTier::kDisk, &offset).ok();
  node.engine.lose_unsynced();
  if (apart) {
    auto batch = node.engine.new_batch();
    batch->put(log_offset_record_key(), offset);
    static_cast<void>(node.engine.write(*batch));
  }
  for (const size_t write : node.unsynced) writes_[write].lost = true;
  node.unsynced.clear();
}

// Takes up the role that the node believes to have.
void ShardSimulation::become(Node& node) {
  for (auto& [follower, side] : node.followers) drop_connection(node, side.connection);
  if (node.connection != 0) drop_connection(node, node.connection);
  node.followers.clear();
  node.replica.reset();
  node.op.reset();
  node.connection = 0;
  node.tracker.fail_all();
  node.waiting.clear();
  static_cast<void>(node.tracker.take_outcomes());
  Status moved;
  if (node.primary == node.index) {
    const bool same = options_.fault == ShardFault::kSameLineageAfterRestart && node.last_lineage;
    if (!same) node.last_lineage = LineageId::random(random_);
    moved = node.applier->begin_lineage(node.last_lineage);
  } else {
    moved = node.applier->stop_writing();
    node.replica = std::make_unique<ReplicaSession>(node.log(), *node.rows, SlotRanges::all(),
                                                    session_options_, random_, now_);
  }
  if (!moved.ok()) fail("a role can't be taken up: " + std::string(moved.message()));
  node.checked_offset = node.log().offset();
  committed(node);
}

// Hears who is primary, if a link lets it.
void ShardSimulation::learn(Node& node) {
  const bool hears = node.index == primary_ || (linked(primary_, node.index) && random_.one_in(3));
  if (node.epoch != epoch_ && hears) {
    node.epoch = epoch_;
    node.primary = primary_;
    become(node);
  }
  on_node(node, 20 + random_.below(80), [this, &node] { learn(node); });
}

void ShardSimulation::sync(Node& node) {
  if (!always_) {
    const TimeMs next = kEverySecondMs / 2 + random_.below(kEverySecondMs / 2);
    on_node(node, next, [this, &node] { sync(node); });
  }
  if (!node.engine.sync().ok()) return fail("a sync failed");
  if (options_.fault == ShardFault::kPurgeAtOnce) static_cast<void>(node.engine.compact({}, {}));
  node.durable_offset = node.log().offset();
  for (const size_t write : node.unsynced) writes_[write].synced = true;
  node.unsynced.clear();
  for (const PendingAck& ack : std::exchange(node.pending_acks, {})) {
    if (node.replica) node.replica->acknowledged(ack.session, ack.offset);
  }
  pump(node);
}

// After each commit on a node.
void ShardSimulation::committed(Node& node) {
  check_log(node);
  // What is durable beyond a point to which the log went back counts for nothing.
  node.durable_offset = std::min(node.durable_offset, node.log().offset());
  if (always_) on_node(node, random_.below(10), [this, &node] { sync(node); });
  pump(node);
}

void ShardSimulation::pump(Node& node) {
  if (!node.up || !violation_.empty()) return;
  pump_replica(node);
  std::vector<size_t> closed;
  for (auto& [follower, side] : node.followers) {
    pump_follower(node, follower, side);
    if (side.session->state() == PrimarySession::State::kClosed) closed.push_back(follower);
  }
  for (const size_t follower : closed) {
    drop_connection(node, node.followers.at(follower).connection);
    node.followers.erase(follower);
    node.tracker.remove(follower);
  }
  for (const AckTracker::Outcome& outcome : node.tracker.take_outcomes()) {
    for (const size_t write : node.waiting[outcome.token]) writes_[write].majority |= outcome.met;
    node.waiting.erase(outcome.token);
  }
  TimeMs wake = UINT64_MAX;
  if (node.replica) wake = node.replica->next_deadline();
  for (auto& [follower, side] : node.followers) {
    wake = std::min(wake, side.session->next_deadline());
  }
  const uint64_t number = ++node.wake;
  if (wake == UINT64_MAX) return;
  on_node(node, std::max(wake, now_ + 1) - now_, [this, &node, number] {
    if (node.wake == number) pump(node);
  });
}

void ShardSimulation::pump_replica(Node& node) {
  if (!node.replica) return;
  ReplicaSession::Ready ready = node.replica->take_ready(now_);
  if (ready.disconnect && node.connection != 0) {
    drop_connection(node, node.connection);
    node.connection = 0;
  }
  if (ready.connect) connect(node);
  for (ReplicaMessage& message : ready.send) {
    if (const auto* ack = std::get_if<ReplicaAck>(&message)) check_ack(node, *ack);
    transmit(node, node.primary, node.connection, std::move(message));
  }
  if (!ready.op) return;
  node.op = std::move(ready.op);
  on_node(node, random_.below(8), [this, &node, session = node.replica.get()] {
    // Another role was taken up meanwhile: its session has not asked for this.
    if (node.replica.get() != session || !node.op) return;
    const StoreOp op = *std::exchange(node.op, std::nullopt);
    execute(node, op);
  });
}

void ShardSimulation::execute(Node& node, const StoreOp& op) {
  const StoreOpResult result = apply_store_op(*node.applier, op);
  const std::string_view why = result.status.message();
  if (!result.status.ok()) fail("a replica can't apply: " + std::string(why));
  if (op.kind == StoreOp::Kind::kFollow || op.kind == StoreOp::Kind::kArrive) {
    node.checked_offset = std::min(node.checked_offset, op.offset);
  }
  node.replica->stored(result, now_);
  if (!op.moves_log()) {
    // Of a comparison, or rows that are owed, nothing is acknowledged.
  } else if (always_ && options_.fault != ShardFault::kAcknowledgeBeforeSync) {
    node.pending_acks.push_back({op.session, node.log().offset()});
  } else {
    node.replica->acknowledged(op.session, node.log().offset());
  }
  committed(node);
}

void ShardSimulation::pump_follower(Node& node, size_t follower, PrimarySide& side) {
  PrimarySession::Ready ready = side.session->take_ready(now_);
  for (PrimaryMessage& message : ready.send) {
    if (const auto* begin = std::get_if<Begin>(&message)) {
      figures_.copies += begin->copy;
      figures_.continuations += !begin->copy;
      figures_.hand_overs += begin->owed.has_value();
    }
    transmit(node, follower, side.connection, std::move(message));
  }
  if (side.session->following()) {
    node.tracker.acknowledged(follower, side.session->acknowledged(), side.session->last_heard());
  }
  if (side.session->mended_rows() > 0) fail("rows differed at one point of a log");
  figures_.checks +=
      side.session->proof().at > std::exchange(side.proven_at, side.session->proof().at);
  if (ready.answer) {
    side.answering = std::move(ready.answer);
    answer(node, follower, side);
  }
  if (!ready.take_over) return;
  on_node(node, random_.below(8),
          [this, &node, follower, connection = side.connection, rows = std::move(*ready.take_over),
           purged = ready.purged] {
            const auto at = node.followers.find(follower);
            if (at == node.followers.end() || at->second.connection != connection) return;
            at->second.session->taken_over(node.applier->take_over(rows, purged));
            committed(node);
          });
}

void ShardSimulation::answer(Node& node, size_t follower, PrimarySide& side) {
  on_node(node, random_.below(8), [this, &node, follower, connection = side.connection] {
    const auto at = node.followers.find(follower);
    if (at == node.followers.end() || at->second.connection != connection) return;
    const auto work = *std::exchange(at->second.answering, std::nullopt);
    at->second.session->answered(answer_work(work), now_);
    committed(node);
  });
}

void ShardSimulation::connect(Node& node) {
  const uint64_t connection = ++last_connection_;
  const size_t to = node.primary;
  node.connection = connection;
  on_node(node, 1 + random_.below(10), [this, &node, connection, to] {
    if (node.connection != connection) return;
    Node& primary = *nodes_[to];
    if (!primary.up || !linked(node.index, to) || !linked(to, node.index)) {
      node.connection = 0;
      node.replica->disconnected(now_);
      return pump(node);
    }
    const bool stale = options_.fault == ShardFault::kStaleRows;
    RowSessions& rows = stale ? static_cast<RowSessions&>(*primary.stale_rows) : *primary.rows;
    primary.followers[node.index] = {
        connection, std::make_unique<PrimarySession>(primary.log(), rows, session_options_, now_),
        0, std::nullopt};
    node.replica->connected(now_);
    pump(node);
    pump(primary);
  });
}

// The other end hears of it, or has to find out by the silence.
void ShardSimulation::drop_connection(Node& node, uint64_t connection) {
  for (auto& other : nodes_) {
    if (other->index == node.index || !other->up || random_.one_in(2)) continue;
    on_node(*other, 1 + random_.below(20), [this, &peer = *other, connection] {
      if (peer.connection == connection && peer.replica) {
        peer.connection = 0;
        peer.replica->disconnected(now_);
      }
      std::erase_if(peer.followers, [&](const auto& at) {
        if (at.second.connection != connection) return false;
        peer.tracker.remove(at.first);
        return true;
      });
      pump(peer);
    });
  }
}

template <class Message>
void ShardSimulation::transmit(Node& from, size_t to, uint64_t connection, Message message) {
  const uint64_t copies = loss_ != 0 && random_.one_in(loss_) ? (random_.one_in(3) ? 2 : 0) : 1;
  for (uint64_t i = 0; i < copies; ++i) {
    at(1 + random_.below(loss_ != 0 ? 30 : 3), [this, to, from = from.index, connection, message] {
      if (linked(from, to)) deliver(to, from, connection, message);
    });
  }
}

void ShardSimulation::deliver(size_t to, size_t from, uint64_t connection,
                              const PrimaryMessage& message) {
  Node& node = *nodes_[to];
  if (!node.up || !node.replica || node.connection != connection || node.primary != from) return;
  node.replica->step(message, now_);
  pump(node);
}

void ShardSimulation::deliver(size_t to, size_t from, uint64_t connection,
                              const ReplicaMessage& message) {
  Node& node = *nodes_[to];
  const auto side = node.followers.find(from);
  if (!node.up || side == node.followers.end() || side->second.connection != connection) return;
  side->second.session->step(message, now_);
  pump(node);
}

// --- what happens --------------------------------------------------------------------------------

void ShardSimulation::client() {
  if (quiet_) return;
  at(1 + random_.below(25), [this] { client(); });
  Node& node = *nodes_[random_.below(nodes_.size())];
  if (!node.writer()) return;
  std::vector<Write> written;
  write_some(node, &written);
  if (!violation_.empty()) return;
  std::vector<size_t> numbers;
  for (Write& write : written) {
    numbers.push_back(writes_.size());
    node.unsynced.push_back(writes_.size());
    writes_.push_back(std::move(write));
  }
  figures_.writes += written.size();
  const size_t needed = replicas_needed(WriteAcks::kMajority, nodes_.size() - 1);
  node.waiting[node.tracker.wait(node.log().offset(), needed, UINT64_MAX)] = numbers;
  committed(node);
}

void ShardSimulation::write_some(Node& node, std::vector<Write>* writes) {
  Tick tick(*node.keyspace);
  tick.begin_command(node.clock.wall_ms(), ReadTier::kDisk);
  tick.begin_write();
  std::set<std::pair<std::string, bool>> touched;  // row keys; incremented?
  for (uint64_t i = 1 + random_.below(3); i > 0; --i) {
    const std::string old = "u" + std::to_string(random_.below(last_key_ + 1));
    switch (random_.below(8)) {
      case 0:
      case 1:
        if (tick.erase(kPlainDb, old)) touched.insert({row_key_of(kPlainDb, old), false});
        break;
      case 2:
      case 3: {
        const std::string counter = "c" + std::to_string(random_.below(3));
        if (!tick.increment(kCounterDb, counter, 1).ok()) return fail("an increment failed");
        // One of the increments of a tick stands for each of them.
        writes->push_back({row_key_of(kCounterDb, counter), {}, true});
        break;
      }
      case 4:
        if (random_.one_in(30)) {
          tick.flush_db(kPlainDb);
          touched.clear();
        }
        break;
      default: {
        const std::string key = "u" + std::to_string(++last_key_);
        tick.put(kPlainDb, key, RowKind::kString, std::string(random_.below(120), 'v'), 0);
        touched.insert({row_key_of(kPlainDb, key), false});
      }
    }
  }
  for (const auto& [row_key, increment] : touched) writes->push_back({row_key, {}, increment});
  const Status committed = tick.commit();
  if (!committed.ok()) return fail("a primary can't write: " + std::string(committed.message()));
  for (Write& write : *writes) {
    std::string value;
    if (!node.engine.get(write.row_key, ReadTier::kDisk, &value).ok()) return fail("a row is gone");
    write.version = decode_row(value)->version;
  }
}

void ShardSimulation::trouble() {
  if (quiet_) return;
  at(100 + random_.below(1500), [this] { trouble(); });
  Node& node = *nodes_[random_.below(nodes_.size())];
  switch (random_.below(6)) {
    case 0: {
      // Under everysec what two nodes have is lost when both lose power at once.
      if (!always_ && now_ < last_power_cut_ + 2500) return;
      last_power_cut_ = now_;
      crash(node, /*power=*/true);
      break;
    }
    case 1:
      crash(node, /*power=*/false);
      break;
    case 2:
      return cut_links();
    case 3:
      for (auto& row : cut_) row.assign(row.size(), false);
      return;
    default:
      return promote();
  }
  at(20 + random_.below(1200), [this, &node] { start(node); });
}

void ShardSimulation::cut_links() {
  const size_t alone = random_.one_in(2) ? primary_ : random_.below(nodes_.size());
  const uint64_t ways = 1 + random_.below(3);  // in, out, both
  for (size_t other = 0; other < nodes_.size(); ++other) {
    if (other == alone) continue;
    if ((ways & 1) != 0) cut_[other][alone] = true;
    if ((ways & 2) != 0) cut_[alone][other] = true;
  }
}

// Mostly the replica with most of the log, as an election would have it.
void ShardSimulation::promote() {
  std::vector<Node*> able;
  for (auto& node : nodes_) {
    if (node->up && node->index != primary_) able.push_back(node.get());
  }
  if (able.empty()) return;
  Node* chosen = able[random_.below(able.size())];
  if (!random_.one_in(4)) {
    for (Node* node : able) {
      if (node->log().offset() > chosen->log().offset()) chosen = node;
    }
  }
  ++figures_.promotions;
  ++epoch_;
  primary_ = chosen->index;
}

}  // namespace syntropy::testing
