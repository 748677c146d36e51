#include "tests/simulation/ledger.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "storage/counter.h"
#include "storage/local_records.h"
#include "storage/row.h"

namespace syntropy::testing {
namespace {

std::string describe(const Write& write) {
  constexpr const char* kNames[] = {"SET", "DEL", "INCR"};
  return std::string(kNames[static_cast<size_t>(write.kind)]) + " of " + write.key + " on node " +
         std::to_string(write.node) + " at " + std::to_string(write.at) + " ms (stamp " +
         std::to_string(write.version.stamp) + ")" + (write.acknowledged ? "" : ", unanswered") +
         (write.lost ? ", lost" : "") + (write.gone ? ", purged" : "");
}

std::optional<std::string> row_of(Engine& engine, const std::string& row_key) {
  std::string value;
  if (!engine.get(row_key, ReadTier::kDisk, &value).ok()) return std::nullopt;
  return value;
}

int64_t total_of(const RowView& row, WriterId writer) {
  const Result<Counter> counter = parse_counter(row);
  if (!counter.ok()) return 0;
  for (const CounterEntry& entry : counter->entries) {
    if (entry.writer == writer) return entry.total;
  }
  return 0;
}

// Whether the write is part of this row.
bool shows(const std::string& value, const Write& write) {
  const Result<RowView> row = decode_row(value);
  if (!row.ok() || row->version < write.version) return false;
  if (row->version > write.version || write.kind != Write::Kind::kIncrement) return true;
  return total_of(*row, write.writer) >= write.total;
}

bool required(const Write& write) { return write.acknowledged && !write.lost && !write.gone; }

// The purge watermark as `value` says, the record of a store.
HlcStamp watermark_in(const std::string& value) {
  const Result<uint64_t> stamp = decode_u64(value);
  return stamp.ok() ? *stamp : 0;
}

// Whether the store may have purged the write: it has no such row.
bool knows_purge(Engine& engine, const Write& write) {
  const std::optional<std::string> watermark = row_of(engine, purged_record_key());
  return watermark && write.version.stamp <= watermark_in(*watermark) &&
         !row_of(engine, write.row_key);
}

// Whether the deletion took the write with it. A counter that began after a deletion has that one's
// version: its increments are later.
bool deletes(const Write& erased, const Write& write) {
  if (write.kind == Write::Kind::kIncrement) return write.version < erased.version;
  return !(erased.version < write.version);
}

bool has_write(Engine& engine, const Write& write) {
  const std::optional<std::string> value = row_of(engine, write.row_key);
  return value && shows(*value, write);
}

// Whether the node of the later write could know the clock of the other one.
bool knew_clock(const Write& later, const Write& earlier) {
  if (later.began > earlier.at || earlier.clock_set > later.began || earlier.slow) return false;
  const LineageId& lineage = earlier.history.back().id;
  for (size_t i = 0; i < later.history.size(); ++i) {
    const bool last = i + 1 == later.history.size();
    const bool bytes = last || later.history[i + 1].start > later.history[i].start;
    if (later.history[i].id == lineage && bytes) return true;
  }
  return false;
}

}  // namespace

std::string Ledger::add(Write write, WriterId writer, Engine& engine, Number* number) {
  encode_row_key(0, write.key, {}, &write.row_key);
  const std::optional<std::string> value = row_of(engine, write.row_key);
  if (!value) return "a row isn't there after its commit: " + write.key;
  const Result<RowView> row = decode_row(*value);
  if (!row.ok()) return "a row is ill-formed: " + write.key;
  write.version = row->version;
  write.writer = writer;
  if (write.kind == Write::Kind::kIncrement) write.total = total_of(*row, writer);
  *number = writes_.size();
  if (write.kind == Write::Kind::kErase) erased_[write.row_key].push_back(*number);
  writes_.push_back(std::move(write));
  return {};
}

// What the store has of the row, for a message.
std::string Ledger::state_of(const std::string& row_key, Engine& engine) const {
  std::string text;
  const std::optional<std::string> value = row_of(engine, row_key);
  const Result<RowView> row = decode_row(value.value_or(""));
  text += row.ok() ? "; its row has stamp " + std::to_string(row->version.stamp) : "; no row";
  if (const auto watermark = row_of(engine, purged_record_key())) {
    text += "; purged up to " + std::to_string(watermark_in(*watermark));
  }
  for (const Write& write : writes_) {
    if (write.row_key == row_key) text += "\n    " + describe(write);
  }
  return text;
}

void Ledger::find_again(Engine& engine) {
  for (const auto& [row_key, erased] : erased_) {
    for (const Number number : erased) {
      Write& write = writes_[number];
      if (!write.lost) continue;
      const std::optional<std::string> value = row_of(engine, row_key);
      const Result<RowView> row = decode_row(value.value_or(""));
      if (row.ok() && row->version == write.version) write.lost = false;
    }
  }
}

void Ledger::note_purges(size_t node, Engine& engine,
                         const std::function<bool(const std::string&)>& owns) {
  if (!row_of(engine, purged_record_key())) return;
  for (auto& [row_key, erased] : erased_) {
    const Write* newest = nullptr;
    for (const Number number : erased) {
      const Write& write = writes_[number];
      if (write.lost || !knows_purge(engine, write)) continue;
      if (newest == nullptr || newest->version < write.version) newest = &write;
    }
    if (newest == nullptr || !owns(newest->key)) continue;
    const bool known = std::any_of(erased.begin(), erased.end(), [&](const Number number) {
      return writes_[number].gone && newest->version < writes_[number].version;
    });
    if (known) continue;  // of a later one
    if (!newest->gone) keepers_[row_key].clear();
    keepers_[row_key].insert(node);
    if (newest->gone) continue;
    for (Write& write : writes_) {
      if (write.row_key == row_key && deletes(*newest, write)) write.gone = true;
    }
  }
}

// Whether the store has no such row, and has purged one that was deleted later.
bool Ledger::superseded(const Write& write, Engine& engine) const {
  const auto at = erased_.find(write.row_key);
  return at != erased_.end() &&
         std::any_of(at->second.begin(), at->second.end(), [&](const Number number) {
           const Write& erased = writes_[number];
           return deletes(erased, write) && knows_purge(engine, erased);
         });
}

void Ledger::disk_changed(size_t node, Engine& engine) {
  for (auto& [row_key, keepers] : keepers_) {
    const auto forgotten = [&](const Write& write) {
      return write.row_key == row_key && write.gone && !knows_purge(engine, write);
    };
    if (keepers.count(node) == 0 || std::none_of(writes_.begin(), writes_.end(), forgotten))
      continue;
    keepers.erase(node);
    if (!keepers.empty()) continue;
    for (Write& write : writes_) {
      if (!forgotten(write)) continue;
      write.gone = false;
      write.lost = true;
    }
  }
}

void Ledger::brought_back(Engine& engine) {
  for (Write& write : writes_) {
    if (!write.gone || !row_of(engine, write.row_key)) continue;
    write.gone = false;
    write.lost = true;
  }
}

size_t Ledger::purged() const {
  return static_cast<size_t>(std::count_if(writes_.begin(), writes_.end(), [](const Write& write) {
    return write.kind == Write::Kind::kErase && write.acknowledged && write.gone;
  }));
}

void Ledger::acknowledge(Number number, TimeMs now) {
  writes_[number].acknowledged = true;
  writes_[number].acknowledged_at = now;
}

bool Ledger::has(MemoryEngine& engine, Number number, bool durable) const {
  const Write& write = writes_[number];
  std::string value;
  if (write.gone || superseded(write, engine)) return true;
  if (durable) return engine.get_durable(write.row_key, &value).ok() && shows(value, write);
  return has_write(engine, write);
}

std::vector<Ledger::Number> Ledger::held(Engine& engine) const {
  std::vector<Number> numbers;
  for (Number i = 0; i < writes_.size(); ++i) {
    const Write& write = writes_[i];
    if (required(write) && has_write(engine, write)) numbers.push_back(i);
  }
  return numbers;
}

size_t Ledger::lose_since(const std::vector<Number>& held, Engine& engine,
                          const std::vector<Engine*>& others) {
  size_t lost = 0;
  for (const Number number : held) {
    Write& write = writes_[number];
    if (write.gone || has_write(engine, write)) continue;
    if (std::any_of(others.begin(), others.end(),
                    [&](Engine* other) { return has_write(*other, write); })) {
      continue;
    }
    write.lost = true;
    ++lost;
  }
  return lost;
}

std::string Ledger::check(const std::function<Engine*(const std::string&)>& store_of) const {
  std::map<std::string, std::vector<Number>> rows;
  for (Number i = 0; i < writes_.size(); ++i) rows[writes_[i].row_key].push_back(i);
  for (const auto& [row_key, numbers] : rows) {
    Engine* engine = store_of(writes_[numbers.front()].key);
    if (engine == nullptr) return "nobody owns the slot of " + writes_[numbers.front()].key;
    std::string violation = check_row(row_key, *engine, numbers);
    if (!violation.empty()) return violation;
  }
  return {};
}

std::string Ledger::check_row(const std::string& row_key, Engine& engine,
                              const std::vector<Number>& numbers) const {
  bool increments_only = true;
  int64_t most = 0;
  for (const Number number : numbers) {
    const Write& write = writes_[number];
    if (required(write) && !has_write(engine, write) && !superseded(write, engine)) {
      return "an acknowledged write is lost: " + describe(write) + state_of(row_key, engine);
    }
    increments_only = increments_only && write.kind == Write::Kind::kIncrement;
    ++most;
  }
  const std::optional<std::string> value = row_of(engine, row_key);
  if (!value) return {};  // nothing of it was required
  const Result<RowView> row = decode_row(*value);
  if (!row.ok()) return "a row is ill-formed";
  bool known = false;
  bool back = row->kind != RowKind::kTombstone;  // all that it may be is gone
  for (const Number number : numbers) {
    const Write& write = writes_[number];
    if (write.version != row->version) continue;
    known = true;
    back = back && write.gone;
  }
  if (known && back) return "what was purged is back" + state_of(row_key, engine);
  if (!known) return "a row that nobody wrote: " + writes_[numbers.front()].key;
  if (increments_only && *counter_value(*row) > most) {
    return "increments count twice: " + writes_[numbers.front()].key;
  }
  return increments_only ? std::string() : check_order(*row, numbers);
}

std::string Ledger::check_order(const RowView& row, const std::vector<Number>& numbers) const {
  const auto shown = std::find_if(numbers.begin(), numbers.end(), [&](Number number) {
    const Write& write = writes_[number];
    return write.version == row.version && write.kind != Write::Kind::kIncrement;
  });
  if (shown == numbers.end() || !writes_[*shown].acknowledged) return {};
  for (const Number number : numbers) {
    const Write& write = writes_[number];
    if (!write.acknowledged || write.lost || write.kind == Write::Kind::kIncrement) continue;
    if (!knew_clock(write, writes_[*shown])) continue;
    if (write.version < row.version && write.at > writes_[*shown].acknowledged_at) {
      return "a write is undone by an older one: " + describe(write) + " by " +
             describe(writes_[*shown]);
    }
  }
  return {};
}

}  // namespace syntropy::testing
