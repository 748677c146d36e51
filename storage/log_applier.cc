#include "storage/log_applier.h"

#include <utility>

#include "storage/tick.h"

namespace syntropy {
namespace {

Status merge_items(Tick& tick, std::string_view records) {
  LogRecordReader reader(records);
  LogItem item;
  while (true) {
    Result<bool> more = reader.next(&item);
    if (!more.ok()) return more.status();
    if (!*more) return {};
    Result<bool> merged = item.is_flush ? tick.merge_flush(item.db, item.stamp)
                                        : tick.merge_row(item.row_key, item.row_value);
    if (!merged.ok()) return merged.status();
  }
}

}  // namespace

Status LogApplier::commit_merged(std::string_view records, std::optional<LogChange> change) {
  Tick tick(keyspace_);
  tick.begin_command(0, ReadTier::kDisk);  // merging doesn't ask for the time
  tick.begin_write();
  const Status merged = merge_items(tick, records);
  if (!merged.ok()) return merged;
  if (change) tick.change_log(std::move(*change));
  return tick.commit();
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

Result<LogPoint> LogApplier::take_over(std::string_view records) {
  const Status role = log().check_writer();
  if (!role.ok()) return role;
  const Status merged = commit_merged(records, std::nullopt);
  if (!merged.ok()) return merged;
  const LogPosition position = log().position();
  return LogPoint{position.history.back().id, position.offset};
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
  return commit_merged(records, std::move(change));
}

Status LogApplier::merge(std::string_view records, const LogPoint& source) {
  LogChange change;
  change.kind = LogChange::Kind::kMerge;
  change.owed = source;
  return commit_merged(records, std::move(change));
}

Status LogApplier::arrive(const History& history, uint64_t offset) {
  return move(false, [&] { return LogPosition{history, offset, std::nullopt}; });
}

}  // namespace syntropy
