#include "tests/simulation/ledger.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "storage/counter.h"
#include "storage/row.h"

namespace syntropy::testing {
namespace {

std::string describe(const Write& write) {
  constexpr const char* kNames[] = {"SET", "DEL", "INCR"};
  return std::string(kNames[static_cast<size_t>(write.kind)]) + " of " + write.key + " on node " +
         std::to_string(write.node) + " at " + std::to_string(write.at) + " ms (stamp " +
         std::to_string(write.version.stamp) + ")";
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

bool has_write(Engine& engine, const Write& write) {
  const std::optional<std::string> value = row_of(engine, write.row_key);
  return value && shows(*value, write);
}

// Whether the node of the later write could know the clock of the other one.
bool knew_clock(const Write& later, const Write& earlier) {
  if (later.began > earlier.at || earlier.clock_set > later.began) return false;
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
  writes_.push_back(std::move(write));
  return {};
}

void Ledger::acknowledge(Number number, TimeMs now) {
  writes_[number].acknowledged = true;
  writes_[number].acknowledged_at = now;
}

bool Ledger::has(MemoryEngine& engine, Number number, bool durable) const {
  const Write& write = writes_[number];
  std::string value;
  if (durable) return engine.get_durable(write.row_key, &value).ok() && shows(value, write);
  return has_write(engine, write);
}

std::vector<Ledger::Number> Ledger::held(Engine& engine) const {
  std::vector<Number> numbers;
  for (Number i = 0; i < writes_.size(); ++i) {
    const Write& write = writes_[i];
    if (write.acknowledged && !write.lost && has_write(engine, write)) numbers.push_back(i);
  }
  return numbers;
}

size_t Ledger::lose_since(const std::vector<Number>& held, Engine& engine,
                          const std::vector<Engine*>& others) {
  size_t lost = 0;
  for (const Number number : held) {
    Write& write = writes_[number];
    if (has_write(engine, write)) continue;
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
    if (write.acknowledged && !write.lost && !has_write(engine, write)) {
      return "an acknowledged write is lost: " + describe(write);
    }
    increments_only = increments_only && write.kind == Write::Kind::kIncrement;
    ++most;
  }
  const std::optional<std::string> value = row_of(engine, row_key);
  if (!value) return {};  // nothing of it was required
  const Result<RowView> row = decode_row(*value);
  if (!row.ok()) return "a row is ill-formed";
  const bool known = std::any_of(numbers.begin(), numbers.end(), [&](Number number) {
    return writes_[number].version == row->version;
  });
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
