#include "server/cluster/purger.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "storage/base/slot.h"
#include "storage/purge_scan.h"
#include "storage/row.h"

namespace syntropy {

Purger::Purger(Keyspace& keyspace, RowTrees& trees, LogApplier& applier, StoreWork& work,
               Events events)
    : keyspace_(keyspace),
      trees_(trees),
      applier_(applier),
      work_(work),
      events_(std::move(events)) {}

void Purger::stop() {
  ++serial_;
  passing_ = false;
  pass_at_ = now_ + options_.interval_ms;
}

void Purger::prove(std::optional<HlcStamp> stamp, TimeMs now) {
  now_ = now;
  pass_at_ = now + options_.interval_ms;
  if (passing_ || (stamp && *stamp <= last_)) return;
  passing_ = true;
  watermark_ = stamp;
  from_.clear();
  step_at_ = now;
}

void Purger::put_off(TimeMs now) {
  now_ = now;
  if (passing_ && step_at_ == UINT64_MAX) return;  // a step is under way: asked again after it
  passing_ = false;
  pass_at_ = now + options_.pause_ms * 10;
}

void Purger::tick(TimeMs now) {
  now_ = now;
  if (passing_ && now >= step_at_) begin_step();
}

void Purger::begin_step() {
  step_at_ = UINT64_MAX;
  work_.read([this, serial = serial_, watermark = watermark_, from = from_,
              rows = options_.rows_per_step] {
    Step step = look(watermark, from, rows);
    events_.post([this, serial, step = std::move(step)] { looked(serial, step); });
  });
}

// A row that is covered and is no key is a dead one, or a part of a collection.
bool Purger::has_dead_rows() const {
  uint64_t keys = 0;
  for (uint32_t db = 0; db < keyspace_.databases(); ++db) {
    keys += keyspace_.key_count(static_cast<uint16_t>(db));
  }
  return trees_.stats().rows > keys;
}

Purger::Step Purger::look(std::optional<HlcStamp> watermark, const std::string& from,
                          uint64_t rows) {
  Step step;
  step.watermark = watermark ? *watermark : keyspace_.freeze({}).clock;
  if (from.empty() && !has_dead_rows()) return step;
  // What is purged elsewhere because of this node must not come back here with a loss of power.
  if (from.empty()) step.status = keyspace_.engine().sync();
  if (!step.status.ok()) return step;
  Result<PurgeScan> scan = scan_purgeable(keyspace_, 0, kSlotCount - 1, step.watermark, from, rows);
  step.status = scan.status();
  if (!scan.ok()) return step;
  const SlotRanges foreign = events_.foreign();
  for (PurgedRow& row : scan->rows) {
    const Result<RowKeyView> key = decode_row_key(row.row_key);
    if (key.ok() && !foreign.contains(key->slot)) step.rows.push_back(std::move(row));
  }
  step.next = std::move(scan->next);
  return step;
}

void Purger::looked(uint64_t serial, Step step) {
  if (serial != serial_) return;
  if (!step.status.ok() || step.rows.empty()) return go_on(step, step.status);
  work_.change([this, serial, step = std::move(step)] {
    const Status done = applier_.purge(step.watermark, step.rows);
    events_.post([this, serial, step, done] { purged(serial, step, done); });
    if (done.ok()) work_.when_durable([](const Status&) {});
  });
}

void Purger::purged(uint64_t serial, const Step& step, const Status& status) {
  if (serial != serial_) return;
  if (status.ok()) purged_rows_ += step.rows.size();
  go_on(step, status);
}

void Purger::go_on(const Step& step, const Status& status) {
  if (!status.ok()) spdlog::warn("dead rows can't be removed: {}", status.message());
  from_ = step.next;
  watermark_ = step.watermark;
  step_at_ = now_ + options_.pause_ms;
  if (!status.ok() || from_.empty()) {
    passing_ = false;
    if (status.ok()) last_ = step.watermark;
  }
  events_.done();
}

}  // namespace syntropy
