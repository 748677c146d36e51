// The public API (server/public/syntropy/node.h) over a Server whose loop has a thread of its own.
#include <algorithm>
#include <thread>

#include "server/config/load.h"
#include "server/public/syntropy/node.h"
#include "server/server.h"
#include "storage/counter.h"
#include "storage/tick.h"

namespace syntropy {
namespace {

constexpr uint16_t kDatabase = 0;
constexpr uint64_t kScanRows = 256;  // per tick of a scan
constexpr uint64_t kDrainKeys = 1000;

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

  /// Runs `write` in a tick of its own and waits as the durability policy says.
  template <class Write>
  Status commit(Write&& write) {
    Durability& durability = server->durability();
    Status ended;
    bool wrote = false;
    {
      Tick tick(server->keyspace());
      tick.begin_command(server->context().clock.wall_ms(), ReadTier::kDisk);
      tick.begin_write();
      write(tick);
      ended = tick.error();
      wrote = ended.ok() && tick.has_writes();
      if (ended.ok()) ended = tick.commit();
    }  // nobody waits for a sync while it holds the writers' lock
    const Status durable = durability.finish_tick(wrote && ended.ok());
    return ended.ok() && wrote ? durable : ended;
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
  const Status done = state_->commit([&](Tick& tick) { erased = tick.erase(kDatabase, key); });
  if (!done.ok()) return done;
  return erased;
}

Status Node::write(const WriteBatch& batch) {
  if (!state_) return closed();
  const bool negative = std::any_of(batch.changes_.begin(), batch.changes_.end(),
                                    [](const auto& change) { return change.ttl.count() < 0; });
  if (negative) return Status::invalid_argument("a negative time to live");
  return state_->commit([&](Tick& tick) {
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
    const Status done = state_->commit([&](Tick& tick) {
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

Status Node::close() {
  if (!state_) return closed();
  const Status ended = state_->stop();
  state_.reset();
  return ended;
}

}  // namespace syntropy
