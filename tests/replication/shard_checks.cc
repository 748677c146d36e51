// What must hold in a shard, at every moment and in the end.
#include <algorithm>

#include "storage/counter.h"
#include "storage/local_keys.h"
#include "storage/local_records.h"
#include "tests/replication/shard_simulation.h"

namespace syntropy::testing {
namespace {

constexpr uint16_t kPlainDb = 0;

std::map<std::string, std::string> records(Engine& engine, std::string lower, std::string upper) {
  std::map<std::string, std::string> found;
  const std::string from = lower;
  auto at = engine.iterate(std::move(lower), std::move(upper), nullptr);
  for (at->seek(from); at->valid(); at->next()) found.emplace(at->key(), at->value());
  return found;
}

std::map<std::string, std::string> rows_of(Engine& engine) {
  return records(engine, {}, kRowKeysEnd);
}

std::map<std::string, std::string> flushes_of(Engine& engine) {
  return records(engine, flush_records_begin(), flush_records_begin() + "\xff\xff\xff");
}

}  // namespace

void ShardSimulation::check_ack(Node& node, const ReplicaAck& ack) {
  if (!ack.following) return;
  if (ack.applied > node.log().offset()) fail("a replica acknowledges what it has not applied");
  if (ack.acknowledged > ack.applied) fail("a replica acknowledges more than it has applied");
  if (always_ && ack.acknowledged > node.durable_offset) {
    fail("a replica acknowledges what it has not synced");
  }
}

// One (lineage, offset) never stands for different bytes.
void ShardSimulation::check_log(Node& node) {
  const LogPosition position = node.log().position();
  const uint64_t from = std::max(node.checked_offset, node.log().backlog_begin());
  node.checked_offset = position.offset;
  if (from >= position.offset) return;
  const Result<std::string> bytes = node.log().read(from, SIZE_MAX);
  if (!bytes.ok()) return fail("the backlog can't be read");
  for (size_t i = 0; i < position.history.size(); ++i) {
    const Lineage& lineage = position.history[i];
    const uint64_t next =
        i + 1 < position.history.size() ? position.history[i + 1].start : position.offset;
    const uint64_t begin = std::max(lineage.start, from);
    const uint64_t end = std::min(next, position.offset);
    if (begin >= end) continue;
    CanonicalLog& log =
        canonical_.try_emplace(lineage.id, CanonicalLog{lineage.start, {}}).first->second;
    const std::string_view part = std::string_view(*bytes).substr(begin - from, end - begin);
    const uint64_t at = begin - log.start;
    if (log.start != lineage.start || at > log.bytes.size()) return fail("bytes out of nowhere");
    const std::string_view known = std::string_view(log.bytes).substr(at, part.size());
    if (known != part.substr(0, known.size())) {
      return fail("node " + std::to_string(node.index) + " has other bytes at an offset");
    }
    // Only the writer of a lineage makes new bytes.
    if (known.size() < part.size() && !node.writer()) return fail("a replica wrote the log");
    log.bytes.append(part.substr(known.size()));
  }
}

bool ShardSimulation::settled() {
  Node& primary = *nodes_[primary_];
  if (!primary.writer() || primary.epoch != epoch_) return false;
  for (auto& node : nodes_) {
    if (node->index == primary_) continue;
    if (node->epoch != epoch_ || !node->replica) return false;
    if (node->replica->state() != ReplicaSession::State::kFollowing) return false;
    const LogPosition position = node->log().position();
    if (position.owed || position.offset != primary.log().offset()) return false;
  }
  return true;
}

void ShardSimulation::check_end() {
  if (!settled()) return fail("the shard doesn't come to rest");
  Node& primary = *nodes_[primary_];
  const auto rows = rows_of(primary.engine);
  const auto flushes = flushes_of(primary.engine);
  // Rows below a flush may be there or not: they are dead wherever its stamp is.
  const auto standing = [&](std::map<std::string, std::string> all) {
    std::erase_if(all, [&](const auto& row) {
      const auto flush = flushes.find(flush_record_key(decode_row_key(row.first)->db));
      return flush != flushes.end() &&
             decode_row(row.second)->version.stamp <= *decode_u64(flush->second);
    });
    return all;
  };
  for (auto& node : nodes_) {
    const std::string who = "node " + std::to_string(node->index);
    if (flushes_of(node->engine) != flushes) fail(who + " has other flush stamps");
    if (standing(rows_of(node->engine)) != standing(rows)) fail(who + " has other rows");
    for (uint16_t db = 0; db < 2; ++db) {
      if (node->keyspace->key_count(db) != primary.keyspace->key_count(db)) {
        fail(who + " counts other keys");
      }
    }
  }
  check_writes(primary);
}

// Every acknowledged write is there, unless a later version of its row is.
void ShardSimulation::check_writes(Node& node) {
  const auto rows = rows_of(node.engine);
  const auto flushes = flushes_of(node.engine);
  std::map<std::string, int64_t> least;
  std::map<std::string, int64_t> most;
  for (const Write& write : writes_) {
    const bool required = write.majority || write.synced || !write.lost;
    figures_.acknowledged += required;
    if (write.increment) {
      least[write.row_key] += required;
      ++most[write.row_key];
      continue;
    }
    if (!required) continue;
    const auto flush = flushes.find(flush_record_key(kPlainDb));
    if (flush != flushes.end() && write.version.stamp <= *decode_u64(flush->second)) continue;
    const auto row = rows.find(write.row_key);
    if (row == rows.end() || decode_row(row->second)->version < write.version) {
      return fail("an acknowledged write is lost");
    }
  }
  for (const auto& [row_key, sum] : least) {
    const auto row = rows.find(row_key);
    const int64_t value = row == rows.end() ? 0 : *counter_value(*decode_row(row->second));
    if (value < sum) return fail("acknowledged increments are lost");
    if (value > most[row_key]) return fail("increments count twice");
  }
}

}  // namespace syntropy::testing
