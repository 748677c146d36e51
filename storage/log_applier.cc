#include "storage/log_applier.h"

#include <utility>

#include "storage/tick.h"

namespace syntropy {
namespace {

/// Calls `apply` for each item, until one of its errors.
template <class Apply>
Status for_each_item(std::string_view records, Apply&& apply) {
  LogRecordReader reader(records);
  LogItem item;
  while (true) {
    Result<bool> more = reader.next(&item);
    if (!more.ok()) return more.status();
    if (!*more) return {};
    const Status applied = apply(item);
    if (!applied.ok()) return applied;
  }
}

Status apply_item(Tick& tick, const LogItem& item) {
  switch (item.kind) {
    case LogItem::Kind::kRow:
      return tick.merge_row(item.row_key, item.row_value).status();
    case LogItem::Kind::kFlush:
      return tick.merge_flush(item.db, item.stamp).status();
    case LogItem::Kind::kPurgeWatermark:
      if (item.stamp == UINT64_MAX) return Status::corruption("purge: the stamp is no time");
      tick.raise_purge_watermark(item.stamp);
      return {};
    case LogItem::Kind::kPurge:
      return tick.purge_row(item.row_key, item.stamp).status();
  }
  return {};
}

bool purges(const LogItem& item) {
  return item.kind == LogItem::Kind::kPurge || item.kind == LogItem::Kind::kPurgeWatermark;
}

Status take_over_item(Tick& tick, const LogItem& item, LogApplier::Purged purged) {
  using Purged = LogApplier::Purged;
  if (purges(item)) {
    if (purged == Purged::kTaken || purged == Purged::kReturned) return {};
    if (item.kind == LogItem::Kind::kPurgeWatermark && purged == Purged::kMoved) return {};
    if (item.kind == LogItem::Kind::kPurge && purged != Purged::kDropped) {
      return tick.purge_row(item.row_key, item.stamp, Tick::Alive::kGoesIfNotOurs).status();
    }
  } else if (item.kind == LogItem::Kind::kRow &&
             (purged == Purged::kDropped || purged == Purged::kReturned)) {
    Result<bool> was_purged = tick.was_purged(item.row_key, item.row_value);
    if (!was_purged.ok()) return was_purged.status();
    if (*was_purged) return {};
  }
  return apply_item(tick, item);
}

}  // namespace

template <class Fill>
Status LogApplier::commit(std::optional<LogChange> change, Fill&& fill) {
  Tick tick(keyspace_);
  tick.begin_command(0, ReadTier::kDisk);  // what is drained is dead, all else is as it was sent
  tick.begin_write();
  if (change) tick.change_log(std::move(*change));
  const Status filled = fill(tick);
  return filled.ok() ? tick.commit() : filled;
}

template <class Make>
Status LogApplier::move(bool writer, Make&& make) {
  Tick tick(keyspace_);
  tick.begin_command(0, ReadTier::kDisk);
  tick.begin_write();  // the log stands still from here on
  if (writer) tick.outrun_last_writer();
  LogChange change;
  change.kind = LogChange::Kind::kMove;
  change.position = make();
  change.writer = writer;
  tick.change_log(std::move(change));
  return tick.commit();
}

Status LogApplier::begin_lineage(const LineageId& id) {
  return move(true, [&] {
    LogPosition position = log().position();
    position.begin_lineage(id);
    return position;
  });
}

Result<LogPoint> LogApplier::take_over(std::string_view records, Purged purged) {
  const Status role = log().check_writer();
  if (!role.ok()) return role;
  const Status merged = commit(std::nullopt, [&](Tick& tick) {
    return for_each_item(records,
                         [&](const LogItem& item) { return take_over_item(tick, item, purged); });
  });
  if (!merged.ok()) return merged;
  const LogPosition position = log().position();
  return LogPoint{position.history.back().id, position.offset};
}

Status LogApplier::purge(HlcStamp watermark, std::span<const PurgedRow> rows) {
  if (watermark == UINT64_MAX) return Status::invalid_argument("purge: the watermark is no time");
  return commit(std::nullopt, [&](Tick& tick) {
    const Status role = log().check_writer();
    if (!role.ok()) return role;
    tick.raise_purge_watermark(watermark);
    for (const PurgedRow& row : rows) {
      const Result<bool> purged = tick.purge_row(row.row_key, row.stamp);
      if (!purged.ok()) return purged.status();
    }
    return Status();
  });
}

Status LogApplier::remove(std::span<const PurgedRow> rows) {
  return commit(std::nullopt, [&](Tick& tick) {
    const Status role = log().check_writer();
    if (!role.ok()) return role;
    for (const PurgedRow& row : rows) {
      const Result<bool> gone = tick.purge_row(row.row_key, row.stamp, Tick::Alive::kGoes);
      if (!gone.ok()) return gone.status();
    }
    return Status();
  });
}

Status LogApplier::restamp(std::span<const PurgedRow> rows, HlcStamp floor) {
  return commit(std::nullopt, [&](Tick& tick) {
    const Status role = log().check_writer();
    if (!role.ok()) return role;
    tick.observe(floor);  // what is written from now on is above it as well
    for (const PurgedRow& row : rows) {
      const Result<bool> anew = tick.restamp_row(row.row_key, floor);
      if (!anew.ok()) return anew.status();
    }
    return Status();
  });
}

Result<LogPoint> LogApplier::pause_writes() {
  Tick tick(keyspace_);
  tick.begin_command(0, ReadTier::kDisk);
  tick.begin_write();
  if (!log().writer()) return Status::unavailable("this node follows another one");
  log().set_paused(true);
  const LogPosition position = log().position();
  return LogPoint{position.history.back().id, position.offset};
}

void LogApplier::resume_writes() {
  Tick tick(keyspace_);
  tick.begin_command(0, ReadTier::kDisk);
  tick.begin_write();
  log().set_paused(false);
}

void LogApplier::fence(uint64_t generation) {
  Tick tick(keyspace_);
  tick.begin_command(0, ReadTier::kDisk);
  tick.begin_write();
  log().fence(generation);
}

Status LogApplier::hold(uint64_t generation) {
  Tick tick(keyspace_);
  tick.begin_command(0, ReadTier::kDisk);
  tick.begin_write();
  if (!log().writer()) return Status::unavailable("this node follows another one");
  log().fence(generation);
  log().set_only_judged(true);
  return Status();
}

void LogApplier::release() {
  Tick tick(keyspace_);
  tick.begin_command(0, ReadTier::kDisk);
  tick.begin_write();
  log().set_only_judged(false);
}

Status LogApplier::stop_writing(Keep keep) {
  return move(false, [&] {
    LogPosition position = log().position();
    if (keep == Keep::kLog) return position;
    LogPosition afresh;
    if (keep == Keep::kRows) {
      afresh.owed = position.owed ? position.owed : LogPoint{position.lineage(), position.offset};
    }
    return afresh;
  });
}

Status LogApplier::follow(const History& history, uint64_t offset,
                          const std::optional<LogPoint>& owed) {
  return move(false, [&] { return LogPosition{history, offset, owed}; });
}

Status LogApplier::append(uint64_t offset, std::string_view records) {
  LogChange change;
  change.kind = LogChange::Kind::kAppend;
  change.offset = offset;
  change.records = records;
  return commit(std::move(change), [&](Tick& tick) {
    return for_each_item(records, [&](const LogItem& item) { return apply_item(tick, item); });
  });
}

Status LogApplier::merge(std::string_view records, const LogPoint& source) {
  LogChange change;
  change.kind = LogChange::Kind::kMerge;
  change.owed = source;
  return commit(std::move(change), [&](Tick& tick) {
    return for_each_item(records, [&](const LogItem& item) {
      return purges(item) ? Status() : apply_item(tick, item);
    });
  });
}

Status LogApplier::purge_as_told(std::string_view records) {
  LogChange change;
  change.kind = LogChange::Kind::kNone;
  return commit(std::move(change), [&](Tick& tick) {
    return for_each_item(records, [&](const LogItem& item) {
      return purges(item) ? apply_item(tick, item) : Status();
    });
  });
}

Status LogApplier::add_purges(std::string_view records, LogRecordBuilder* purges_of) {
  return for_each_item(records, [&](const LogItem& item) {
    if (item.kind == LogItem::Kind::kPurge) purges_of->add_purge(item.stamp, item.row_key);
    if (item.kind == LogItem::Kind::kPurgeWatermark) purges_of->add_purge_watermark(item.stamp);
    return Status();
  });
}

Status LogApplier::arrive(const History& history, uint64_t offset) {
  return move(false, [&] { return LogPosition{history, offset, std::nullopt}; });
}

Status LogApplier::drop(std::span<const std::string> row_keys, HlcStamp watermark) {
  LogChange change;
  change.kind = LogChange::Kind::kNone;
  return commit(std::move(change), [&](Tick& tick) {
    for (const std::string& row_key : row_keys) {
      const Result<bool> purged = tick.purge_row(row_key, watermark);
      if (!purged.ok()) return purged.status();
    }
    return Status();
  });
}

Status LogApplier::raise_watermark(HlcStamp watermark) {
  if (watermark == UINT64_MAX) return Status::invalid_argument("purge: the watermark is no time");
  LogChange change;
  change.kind = LogChange::Kind::kNone;
  return commit(std::move(change), [&](Tick& tick) {
    tick.raise_purge_watermark(watermark);
    return Status();
  });
}

Status LogApplier::follow_clock(HlcStamp stamp) {
  LogChange change;
  change.kind = LogChange::Kind::kNone;
  const Status followed = commit(std::move(change), [&](Tick& tick) {
    tick.observe(stamp);
    return Status();
  });
  return followed.ok() ? keyspace_.engine().sync() : followed;
}

}  // namespace syntropy
