#include "tests/simulation/sim_node.h"

#include <utility>

#include "storage/derived_records.h"
#include "storage/local_keys.h"

namespace syntropy::testing {

SimNode::SimNode(size_t index, MemoryNetwork& network, const SimSettings& settings, uint64_t seed,
                 const Watch& watch)
    : index_(index),
      host_("10.0.0." + std::to_string(index + 1)),
      network_(network),
      settings_(settings),
      random_(seed),
      watch_(watch),
      clock_(network),
      purge_(settings.purge ? PurgePolicy::Mode::kImmediate : PurgePolicy::Mode::kNever),
      engine_(std::make_unique<MemoryEngine>(&purge_)) {}

SimNode::~SimNode() { kill(); }

ClusterNodeOptions SimNode::cluster_options() {
  ClusterNodeOptions options;
  options.membership.detector.node_timeout = settings_.node_timeout;
  options.membership.software = "simulation";
  if (settings_.no_linger) options.membership.linger_ms = 0;
  ReplicationSessionOptions session;
  session.stream = {.window_bytes = 8 * 1024, .piece_bytes = 2 * 1024, .retry_ms = 2000};
  session.store_bytes = 4 * 1024;
  session.heartbeat_ms = 300;
  session.timeout_ms = 4 * settings_.node_timeout;
  session.check_interval_ms = settings_.node_timeout;
  session.backoff_min_ms = 50;
  session.backoff_max_ms = 500;
  session.fault = settings_.replication_fault;
  const Purger::Options purger{settings_.node_timeout, 100, 10};
  options.replication = {session, session, purger, settings_.driver_fault};
  options.address.port = kPort;
  options.address.bus_port = kBusPort;
  options.pause_clients = [this](TimeMs span) { clients_wait_until_ = network_.now() + span; };
  options.resume_clients = [this] { clients_wait_until_ = 0; };
  options.fault = settings_.cluster_fault;
  SlotExportOptions& moves = options.mover.exports;
  moves.stream = session.stream;
  moves.unproved = settings_.give_unproved;
  moves.few_rows = 3;
  moves.short_ms = 1;
  moves.pause_ms = 200;
  moves.retry_ms = 100;
  moves.silence_ms = session.timeout_ms;
  moves.rate.percent = 25;
  moves.patience_ms = 20 * settings_.node_timeout;
  options.mover.sweep_ms = 200;
  options.mover.strays_ms = 1000;
  options.mover.rows_per_step = 10;
  options.mover.log_length = 5;
  options.mover.fault = settings_.mover_fault;
  return options;
}

void SimNode::start() {
  process_ = std::make_unique<Process>(network_);
  began_ = network_.now();
  KeyspaceOptions options;
  options.databases = 1;
  options.row_cache_bytes = 64 * 1024;
  options.new_writer_id = random_.next() | 1;
  options.replicated = true;
  options.log.backlog_bytes = settings_.backlog_bytes;
  options.log.reader_bytes = 4 * settings_.backlog_bytes;
  Result<std::unique_ptr<Keyspace>> keyspace = Keyspace::open(*engine_, clock_, purge_, options);
  Result<StateStore::Stored> identity = ClusterNode::identity(*engine_, random_);
  if (!keyspace.ok() || !identity.ok()) return watch_.violation(name() + " can't read its disk");
  keyspace_ = std::move(*keyspace);
  RowTreesOptions trees;
  trees.background = false;
  trees.forget_what_was = settings_.trees_forget;
  Result<std::unique_ptr<RowTrees>> opened = RowTrees::open(*keyspace_, trees);
  if (!opened.ok()) return watch_.violation(name() + " can't open its trees");
  trees_ = std::move(*opened);
  id_ = identity->membership.id;
  BusOptions bus;
  bus.self = id_;
  bus.limits.unacknowledged_ms = 4 * settings_.node_timeout;
  bus.limits.back_off_most_ms = 500;
  const FaultyTransport::Watch watch{
      [this](const NodeId& to, uint8_t type, std::string_view payload) {
        watch_.sent(*this, to, type, payload);
      },
      [this](const Status& why) {
        watch_.violation(name() + " doesn't understand: " + std::string(why.message()));
      },
      [this] { watch_.violation(name() + " wants to be woken again and again, at one moment"); }};
  transport_ =
      std::make_unique<FaultyTransport>(*process_, host_, bus, settings_.messages, random_, watch);
  work_ = std::make_unique<VirtualWork>(*process_, *engine_, settings_.sync, settings_.syncs_lie,
                                        random_);
  cluster_ = std::make_unique<ClusterNode>(
      ClusterNode::Parts{*transport_, *keyspace_, *trees_, *work_, clock_, random_},
      cluster_options(), *identity);
  Status started = transport_->listen({host_, kBusPort});
  if (started.ok()) started = cluster_->start();
  if (!started.ok()) watch_.violation(name() + " can't start: " + std::string(started.message()));
}

void SimNode::end() {
  if (cluster_) cluster_->stop();
  process_.reset();
  work_.reset();
  cluster_.reset();
  transport_.reset();
  trees_.reset();
  keyspace_.reset();
  clients_wait_until_ = 0;
}

void SimNode::kill() { end(); }

void SimNode::lose_power() {
  end();
  engine_->lose_unsynced();
}

std::unique_ptr<MemoryEngine> SimNode::copy_disk() const {
  auto copy = std::make_unique<MemoryEngine>(&purge_);
  const std::unique_ptr<EngineBatch> batch = copy->new_batch();
  const std::unique_ptr<EngineIterator> at = engine_->iterate({}, {}, nullptr);
  for (at->seek({}); at->valid(); at->next()) batch->put(at->key(), at->value());
  (void)copy->write(*batch);
  (void)copy->sync();
  return copy;
}

void SimNode::empty_disk() {
  MembershipState state;
  state.id = id_;
  while (state.store == 0) state.store = random_.next();
  engine_ = std::make_unique<MemoryEngine>(&purge_);
  (void)StateStore(*engine_).save(state, StateStore::Keep::kLog);
}

void SimNode::lose_rows(uint16_t first_slot, uint16_t last_slot, MemoryEngine* older,
                        bool own_too) {
  const auto replace = [&](const std::string& from, const std::string& to) {
    const std::unique_ptr<EngineBatch> batch = engine_->new_batch();
    const std::unique_ptr<EngineIterator> at = engine_->iterate(from, to, nullptr);
    for (at->seek(from); at->valid(); at->next()) batch->erase(at->key());
    if (older != nullptr) {
      const std::unique_ptr<EngineIterator> old = older->iterate(from, to, nullptr);
      for (old->seek(from); old->valid(); old->next()) batch->put(old->key(), old->value());
    }
    (void)engine_->write(*batch);
  };
  std::string from, to;
  encode_row_position(first_slot, 0, 0, &from);
  encode_row_position(last_slot + 1, 0, 0, &to);
  replace(from, to);
  if (own_too && older != nullptr) replace(kLocalKeysBegin, std::string(1, kExpiryPrefix));
  Status done = make_derived_records(*engine_, clock_.wall_ms(), 60'000, {}).status();
  if (done.ok()) done = StateStore(*engine_).lose_rows(random_).status();
  if (done.ok()) done = engine_->sync();
  if (!done.ok()) watch_.violation(name() + " can't be salvaged: " + std::string(done.message()));
}

bool SimNode::clients_wait() const { return network_.now() < clients_wait_until_; }

bool SimNode::with_majority() const {
  return running() && cluster_->membership().health(network_.now()) != ClusterHealth::kCutOff;
}

bool SimNode::serves(uint16_t slot) const {
  if (!running() || clients_wait()) return false;
  const std::shared_ptr<const Routing> routing = cluster_->gate().routing();
  if (!may_serve() || !routing->covered) return false;
  const Routing::Node* owner = routing->owner_of(slot);
  return !routing->primary && owner != nullptr && owner->id == routing->self &&
         !routing->given.contains(slot) && !routing->held.contains(slot);
}

Status SimNode::write(uint64_t generation, const std::function<void(Tick&)>& write) {
  Tick tick(*keyspace_);
  tick.judged_by(generation);
  tick.begin_command(clock_.wall_ms(), ReadTier::kDisk);
  tick.begin_write();
  write(tick);
  if (!tick.error().ok()) return tick.error();
  return tick.commit();
}

}  // namespace syntropy::testing
