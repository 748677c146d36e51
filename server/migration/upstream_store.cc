#include "server/migration/upstream_store.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>

#include "server/commands/arguments.h"
#include "server/commands/table.h"
#include "storage/durability.h"
#include "storage/keyspace.h"

namespace syntropy {
namespace {

constexpr uint64_t kMostInBatch = 1000;
constexpr size_t kMostBatchBytes = size_t{1} << 20;
constexpr uint64_t kFailuresLogged = 10;

bool is(std::span<const std::string_view> command, std::string_view name) {
  return equals_ignoring_case(command[0], name);
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

/// Of a command and, where it has any, its subcommand; null: it isn't here.
const CommandSpec* find_spec(std::span<const std::string_view> command) {
  const CommandSpec* const spec = find_command(command[0]);
  if (spec == nullptr || spec->subcommands.empty() || command.size() < 2) return spec;
  return find_subcommand(*spec, command[1]);
}

}  // namespace

UpstreamStore::UpstreamStore(ServerContext& server, bool leave_out)
    : server_(server), leave_out_(leave_out) {
  client_.authenticated = true;
}

Status UpstreamStore::begin_copy() {
  counts_ = {};
  in_transaction_ = false;
  transaction_.clear();
  const Status selected = set_database(0);
  if (!selected.ok()) return selected;
  begin_command();
  for (uint32_t db = 0; db < server_.keyspace.databases(); ++db) {
    tick_->flush_db(static_cast<uint16_t>(db));
  }
  return commit();
}

// Nothing has expired that the other hasn't deleted: it knows when that was, between its writes.
void UpstreamStore::begin_command() {
  if (!tick_) tick_.emplace(server_.keyspace);
  tick_->begin_command(0, ReadTier::kDisk);
  tick_->begin_write();
}

Status UpstreamStore::put(const RdbReader::Entry& entry) {
  if (!leave_out_ && !counts_.left_out.empty()) return Status();  // end_copy() ends it
  const Status selected = set_database(entry.database);
  if (!selected.ok()) return selected;
  const uint64_t expiry =
      entry.expires_at_ms ? static_cast<uint64_t>(std::max<int64_t>(*entry.expires_at_ms, 1)) : 0;
  begin_command();
  tick_->put(client_.db, entry.key, RowKind::kString, entry.value, expiry);
  if (!tick_->error().ok()) return tick_->error();
  ++counts_.keys;
  ++batched_;
  return is_large() ? commit() : Status();
}

void UpstreamStore::pass_over(const RdbReader::Entry& entry) { ++counts_.left_out[entry.type]; }

Status UpstreamStore::end_copy() {
  if (!leave_out_ && !counts_.left_out.empty()) {
    return Status::invalid_argument(
        "it holds what there is no place for here yet: " + left_out_text() +
        " ('replicaof-leave-out yes' copies the rest)");
  }
  return commit();
}

std::string UpstreamStore::left_out_text() const {
  std::string text;
  for (const auto& [name, count] : counts_.left_out) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name);
  }
  return text;
}

Status UpstreamStore::apply(std::span<const std::string_view> command) {
  if (is(command, "multi")) {
    in_transaction_ = true;
    return Status();
  }
  if (!in_transaction_) return execute(command);
  if (!is(command, "exec")) {
    transaction_.emplace_back(command.begin(), command.end());
    return Status();
  }
  in_transaction_ = false;
  Status executed;
  std::vector<std::string_view> args;
  for (const Args& queued : std::exchange(transaction_, {})) {
    if (!executed.ok()) break;
    args.assign(queued.begin(), queued.end());
    executed = execute(args);
  }
  return executed;
}

Status UpstreamStore::execute(std::span<const std::string_view> command) {
  if (is(command, "select") && command.size() == 2) return select(command[1]);
  if (is(command, "ping") || is(command, "replconf")) return Status();
  const CommandSpec* const spec = find_spec(command);
  constexpr uint32_t kTaken = kWrite | kPubSub;
  if (spec == nullptr || (spec->flags & kTaken) == 0 || spec->handler == nullptr) {
    const std::string name = lower(command[0]);
    ++counts_.left_out[name];
    if (leave_out_) return Status();
    return Status::invalid_argument("it sent the command '" + name +
                                    "', which isn't here yet ('replicaof-leave-out yes' passes "
                                    "over what works on such keys)");
  }
  if (!arity_allows(*spec, command.size())) {
    return Status::corruption("it sent '" + lower(command[0]) + "' with " +
                              std::to_string(command.size() - 1) + " arguments");
  }
  begin_command();
  std::string reply;
  ReplyWriter writer(&reply, 2);
  Call call{command, *spec, client_, *tick_, writer, server_, tick_->now_ms()};
  spec->handler(call);
  if (!tick_->error().ok()) return tick_->error();
  ++counts_.commands;
  ++batched_;
  if (!reply.starts_with('-')) return Status();
  // There it succeeded. So what it worked on is of a type that was left out.
  ++counts_.failed;
  if (counts_.failed <= kFailuresLogged) {
    spdlog::warn("a command of the redis-server, '{}', failed here: {}", full_name(*spec),
                 reply.substr(1, reply.find('\r') - 1));
  }
  erase_keys(command);
  return Status();
}

// Whatever the keys are there, what they were here they aren't.
void UpstreamStore::erase_keys(std::span<const std::string_view> command) {
  begin_command();
  for_each_key(*find_spec(command), command,
               [this](std::string_view key) { tick_->erase(client_.db, key); });
}

Status UpstreamStore::select(std::string_view database) {
  uint64_t number = 0;
  const char* const end = database.data() + database.size();
  const auto [read, error] = std::from_chars(database.data(), end, number);
  if (error != std::errc() || read != end) {
    return Status::corruption("it selected the database '" + std::string(database) + "'");
  }
  return set_database(number);
}

Status UpstreamStore::set_database(uint64_t database) {
  if (database >= server_.keyspace.databases()) {
    return Status::invalid_argument(
        fmt::format("it has a database {}: set 'databases' to {} or more and start again", database,
                    database + 1));
  }
  client_.db = static_cast<uint16_t>(database);
  return Status();
}

bool UpstreamStore::is_large() const {
  return batched_ >= kMostInBatch || (tick_ && tick_->pending_bytes() >= kMostBatchBytes);
}

Status UpstreamStore::commit() {
  batched_ = 0;
  if (!tick_) return Status();
  const bool wrote = tick_->has_writes();
  const Status committed = tick_->commit();
  tick_.reset();
  return committed.ok() ? server_.durability.finish_tick(wrote) : committed;
}

void UpstreamStore::abandon() {
  tick_.reset();
  batched_ = 0;
  in_transaction_ = false;
  transaction_.clear();
}

}  // namespace syntropy
