#include "server/cluster/state_store.h"

#include <memory>
#include <string>
#include <utility>

#include "membership/facts.h"
#include "storage/local_keys.h"
#include "storage/local_records.h"
#include "storage/replication_log.h"

namespace syntropy {
namespace {

std::string state_record_key() { return meta_key("cluster/state"); }
std::string joining_record_key() { return meta_key("cluster/joining"); }

// The lineage that the rows come from, as the log says, or else what the node has told.
LineageId lineage_of(const LogPosition& position, const MembershipState* membership) {
  if (position.lineage() || membership == nullptr || membership->own == nullptr) {
    return position.lineage();
  }
  const auto told = decode_fact<ReplicationFact>(membership->own->value(EntryKey::kReplication));
  return told.ok() ? told->lineage : LineageId();
}

}  // namespace

Result<std::optional<StateStore::Stored>> StateStore::load() const {
  std::string bytes;
  Status read = engine_.get(state_record_key(), ReadTier::kDisk, &bytes);
  if (read.is(StatusCode::kNotFound)) return std::optional<Stored>();
  if (!read.ok()) return read;
  Result<MembershipState> membership = decode_membership_state(bytes);
  if (!membership.ok()) return membership.status();
  Stored stored{std::move(*membership)};
  read = engine_.get(joining_record_key(), ReadTier::kDisk, &bytes);
  if (read.is(StatusCode::kNotFound)) return std::optional<Stored>(std::move(stored));
  if (!read.ok()) return read;
  const bool known = bytes.size() == 1 && static_cast<uint8_t>(bytes[0]) <= uint8_t(Keep::kCopies);
  if (!known) return Status::corruption("the record cluster/joining is ill-formed");
  stored.joining = static_cast<Keep>(bytes[0]);
  return std::optional<Stored>(std::move(stored));
}

Result<std::optional<NodeId>> StateStore::lose_rows(Random& random) {
  Result<std::optional<Stored>> stored = load();
  if (!stored.ok()) return stored.status();
  const Result<LogPosition> position = ReplicationLog::position_in(engine_, nullptr);
  if (!position.ok()) return position.status();
  const Result<bool> logged = ReplicationLog::exists(engine_);
  if (!logged.ok()) return logged.status();
  if (*logged || *stored) {
    // Any of the rows may be what nobody else has, so all of the lineage is owed; its name tells
    // the primary that what was purged there can be among them.
    LogPosition lost;
    const LineageId lineage = lineage_of(*position, *stored ? &(*stored)->membership : nullptr);
    if (lineage) lost.history.push_back({lineage, 0});
    lost.owed = LogPoint{lineage, UINT64_MAX};
    std::string history;
    encode_history(lost.history, &history);
    const std::unique_ptr<EngineBatch> batch = engine_.new_batch();
    batch->put(log_history_record_key(), history);
    batch->put(log_offset_record_key(), encode_position(lost));
    const Status written = engine_.write(*batch);
    if (!written.ok()) return written;
  }
  if (!*stored) return std::optional<NodeId>();
  MembershipState& membership = (*stored)->membership;
  const uint64_t former = membership.store;
  do {
    membership.store = random.next();
  } while (membership.store == 0 || membership.store == former);
  // Rows that were to go before it follows are still nobody's.
  const Keep keep = (*stored)->joining == Keep::kNothing ? Keep::kNothing : Keep::kRows;
  const Status saved = save(membership, keep);
  if (!saved.ok()) return saved;
  return std::optional<NodeId>(membership.id);
}

Status StateStore::save(const MembershipState& membership, Keep joining) {
  const std::unique_ptr<EngineBatch> batch = engine_.new_batch();
  batch->put(state_record_key(), encode(membership));
  if (joining == Keep::kLog) {
    batch->erase(joining_record_key());
  } else {
    batch->put(joining_record_key(), std::string(1, static_cast<char>(joining)));
  }
  const Status written = engine_.write(*batch);
  return written.ok() ? engine_.sync() : written;
}

}  // namespace syntropy
