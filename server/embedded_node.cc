// The public API (server/public/syntropy/node.h) over a Server whose loop has a thread of its own.
#include <algorithm>
#include <future>
#include <set>
#include <thread>

#include "server/cluster/redirect.h"
#include "server/config/load.h"
#include "server/follower.h"
#include "server/public/syntropy/node.h"
#include "server/server.h"
#include "storage/counter.h"
#include "storage/tick.h"

namespace syntropy {
namespace {

constexpr uint16_t kDatabase = 0;
constexpr uint64_t kScanRows = 256;  // per tick of a scan
constexpr uint64_t kDrainKeys = 1000;
constexpr std::chrono::milliseconds kJoinPoll(20);
constexpr std::chrono::milliseconds kMeetAgain(1000);  // each meeting is tried for that long

Status closed() { return Status::unavailable("the node is closed"); }

Result<Config> config_of(const NodeOptions& options) {
  if (options.dir.empty()) return Status::invalid_argument("NodeOptions: 'dir' is empty");
  std::vector<std::string> arguments;
  const auto add = [&](const std::string& name, const std::string& value) {
    arguments.push_back("--" + name);
    arguments.push_back(value);
  };
  add("port", "0");
  for (const auto& [name, value] : options.config) add(name, value);
  add("dir", options.dir);
  std::istream no_input(nullptr);
  Result<Invocation> invocation = load_config(arguments, no_input);
  if (!invocation.ok()) return invocation.status();
  return std::move(invocation->config);
}

/// The bytes of a string row; nullopt for other types.
std::optional<std::string> string_of(const RowView& row) {
  if (row.kind == RowKind::kString) return std::string(row.payload);
  if (row.kind != RowKind::kCounter) return std::nullopt;
  Result<int64_t> value = counter_value_saturated(row);
  if (!value.ok()) return std::nullopt;
  return std::to_string(*value);
}

}  // namespace

struct Node::State {
  std::unique_ptr<Server> server;
  std::thread loop;

  ~State() { (void)stop(); }

  Status stop() {
    if (!server) return Status();
    server->shutdown({});
    if (loop.joinable()) loop.join();
    const Status ended = server->ended();
    server.reset();
    return ended;
  }

  /// Why a request for these keys isn't served here.
  template <class Keys>
  Status elsewhere(Tick& tick, const Keys& keys, bool writes) {
    if (Follower* const follower = server->context().follower; follower != nullptr) {
      const Follower::Mode mode = follower->mode();
      if (mode == Follower::Mode::kCopying || (writes && mode == Follower::Mode::kFollowing)) {
        return Status::unavailable("this node follows a redis-server: REPLICAOF NO ONE ends that");
      }
    }
    Cluster* const cluster = server->context().cluster;
    if (cluster == nullptr) return Status();
    const std::shared_ptr<const Routing> routing = cluster->gate().routing();
    RequestKeys request;
    for (const std::string_view key : keys) request.add(key);
    if (request.empty()) return Status();
    if (moves_here(*routing, request)) {
      for (const std::string_view key : keys)
        request.note_lookup(tick.get(kDatabase, key).has_value());
      if (!tick.error().ok()) return tick.error();
    }
    tick.judged_by(routing->generation);
    RequestTerms terms;
    terms.writes = writes;
    terms.may_serve = cluster->gate().may_serve(server->context().clock.monotonic_us() / 1000);
    terms.reads_when_down = server->context().config.current()->cluster.allow_reads_when_down;
    const std::string error = redirect(*routing, request, terms);
    return error.empty() ? Status() : Status::unavailable(error);
  }

  /// Waits until as many nodes hold what was written as is promised.
  Status await_copies() {
    Cluster* const cluster = server->context().cluster;
    const auto config = server->context().config.current();
    if (cluster == nullptr || config->cluster.write_acks == WriteAcks::kOne) return Status();
    std::promise<Status> promise;
    cluster->await(config->cluster.write_acks, config->cluster.write_acks_timeout_ms,
                   [&promise](const Status& held) { promise.set_value(held); });
    const Status held = promise.get_future().get();
    return held.ok() ? held : Status::unavailable("NOREPLICAS " + std::string(held.message()));
  }

  /// Runs `write` in a tick of its own and waits as the durability policy says.
  template <class Keys, class Write>
  Status commit(const Keys& keys, Write&& write) {
    Durability& durability = server->durability();
    Status ended;
    bool wrote = false;
    {
      Tick tick(server->keyspace());
      tick.begin_command(server->context().clock.wall_ms(), ReadTier::kDisk);
      tick.begin_write();
      ended = elsewhere(tick, keys, true);
      if (ended.ok()) {
        write(tick);
        ended = tick.error();
      }
      wrote = ended.ok() && tick.has_writes();
      if (ended.ok()) ended = tick.commit();
    }  // nobody waits for a sync while it holds the writers' lock
    const Status durable = durability.finish_tick(wrote && ended.ok());
    if (!ended.ok() || !wrote) return ended;
    return durable.ok() ? await_copies() : durable;
  }

  uint64_t expiry_of(std::chrono::milliseconds ttl) const {
    if (ttl.count() == 0) return 0;
    return server->context().clock.wall_ms() + static_cast<uint64_t>(ttl.count());
  }
};

void WriteBatch::put(std::string_view key, std::string_view value, std::chrono::milliseconds ttl) {
  changes_.push_back({std::string(key), std::string(value), ttl});
}

void WriteBatch::erase(std::string_view key) {
  changes_.push_back({std::string(key), std::nullopt, {}});
}

Node::Node(std::unique_ptr<State> state) : state_(std::move(state)) {}
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(Node&&) noexcept = default;
Node::~Node() = default;

Result<Node> Node::open(const NodeOptions& options) {
  Result<Config> config = config_of(options);
  if (!config.ok()) return config.status();
  Result<std::unique_ptr<Server>> server = Server::open(*config, {});
  if (!server.ok()) return server.status();
  // When the node ends is for the program to say, not for its clients.
  (*server)->context().shutdown = nullptr;
  const Status listening = (*server)->listen();
  if (!listening.ok()) return listening;
  auto state = std::make_unique<State>();
  state->server = std::move(*server);
  state->loop = std::thread([server = state->server.get()] { (void)server->run(); });
  return Node(std::move(state));
}

Result<std::optional<std::string>> Node::get(std::string_view key) {
  if (!state_) return closed();
  Tick tick(state_->server->keyspace());
  tick.begin_command(state_->server->context().clock.wall_ms(), ReadTier::kDisk);
  const Status elsewhere = state_->elsewhere(tick, std::initializer_list{key}, false);
  if (!elsewhere.ok()) return elsewhere;
  const std::optional<RowView> row = tick.get(kDatabase, key);
  if (!tick.error().ok()) return tick.error();
  if (!row) return std::optional<std::string>();
  std::optional<std::string> value = string_of(*row);
  if (!value) return Status::invalid_argument("the key does not hold a string");
  return value;
}

Status Node::put(std::string_view key, std::string_view value, std::chrono::milliseconds ttl) {
  WriteBatch batch;
  batch.put(key, value, ttl);
  return write(batch);
}

Result<bool> Node::erase(std::string_view key) {
  if (!state_) return closed();
  bool erased = false;
  const Status done = state_->commit(std::initializer_list{key},
                                     [&](Tick& tick) { erased = tick.erase(kDatabase, key); });
  if (!done.ok()) return done;
  return erased;
}

Status Node::write(const WriteBatch& batch) {
  if (!state_) return closed();
  const bool negative = std::any_of(batch.changes_.begin(), batch.changes_.end(),
                                    [](const auto& change) { return change.ttl.count() < 0; });
  if (negative) return Status::invalid_argument("a negative time to live");
  std::vector<std::string_view> keys;
  for (const WriteBatch::Change& change : batch.changes_) keys.push_back(change.key);
  return state_->commit(keys, [&](Tick& tick) {
    for (const WriteBatch::Change& change : batch.changes_) {
      if (change.value) {
        tick.put(kDatabase, change.key, RowKind::kString, *change.value,
                 state_->expiry_of(change.ttl));
      } else {
        tick.erase(kDatabase, change.key);
      }
    }
  });
}

Status Node::scan(std::string_view prefix, const Visitor& visit) {
  if (!state_) return closed();
  std::optional<ScanPosition> position = ScanPosition{};
  bool go_on = true;
  while (position && go_on) {
    std::vector<std::pair<std::string, std::string>> found;
    Tick tick(state_->server->keyspace());
    tick.begin_command(state_->server->context().clock.wall_ms(), ReadTier::kDisk);
    auto next =
        tick.scan(kDatabase, *position, kScanRows, [&](std::string_view key, const RowView& row) {
          if (!key.starts_with(prefix)) return true;
          if (auto value = string_of(row)) found.emplace_back(key, *value);
          return true;
        });
    if (!next.ok()) return next.status();
    position = *next;
    for (const auto& [key, value] : found) {
      if (!(go_on = visit(key, value))) break;
    }
  }
  return Status();
}

Result<uint64_t> Node::count() {
  if (!state_) return closed();
  uint64_t count = 0;
  for (uint64_t drained = kDrainKeys; drained == kDrainKeys;) {
    const Status done = state_->commit(std::initializer_list<std::string_view>{}, [&](Tick& tick) {
      drained = tick.drain_expired(kDrainKeys);
      count = tick.key_count(kDatabase);
    });
    if (!done.ok()) return done;
  }
  return count;
}

Status Node::flush() {
  if (!state_) return closed();
  return state_->server->durability().sync_now();
}

uint16_t Node::port() const { return state_ ? state_->server->port() : 0; }

uint16_t Node::bus_port() const { return state_ ? state_->server->bus_port() : 0; }

Status Node::join(std::string_view host, uint16_t bus_port, std::chrono::milliseconds patience) {
  if (!state_) return closed();
  Cluster* const cluster = state_->server->context().cluster;
  if (cluster == nullptr) {
    return Status::unavailable(
        "this node isn't part of a cluster: open it with cluster-enabled yes");
  }
  const std::set<NodeId> before = cluster->call([](Cluster& self) {
    std::set<NodeId> known;
    for (const MemberRecordPtr& member : self.membership().members()) known.insert(member->id);
    return known;
  });
  const auto begin = std::chrono::steady_clock::now();
  for (auto meet_at = begin;;) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= meet_at) {
      meet_at = now + kMeetAgain;
      const Status begun = cluster->call([&](Cluster& self) {
        const Status meeting = self.membership().meet(std::string(host), bus_port, self.now());
        self.settle();
        return meeting;
      });
      if (!begun.ok()) return begun;
    }
    const bool met = cluster->call([&](Cluster& self) {
      const Membership& membership = self.membership();
      const MemberList& members = membership.members();
      return std::any_of(members.begin(), members.end(), [&](const MemberRecordPtr& member) {
        const std::optional<MemberView> view = membership.member(member->id);
        // It may tell another address than the one by which it was asked for.
        const bool there = view->address.host == host || !before.contains(view->id);
        return view->id != membership.self() && !view->contact && there &&
               view->address.bus_port == bus_port;
      });
    });
    if (met) return Status();
    if (now >= begin + patience) {
      return Status::unavailable("no node of a cluster answers at " + std::string(host) +
                                 ", bus port " + std::to_string(bus_port));
    }
    std::this_thread::sleep_for(kJoinPoll);
  }
}

Status Node::close() {
  if (!state_) return closed();
  const Status ended = state_->stop();
  state_.reset();
  return ended;
}

}  // namespace syntropy
