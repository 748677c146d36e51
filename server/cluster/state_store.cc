#include "server/cluster/state_store.h"

#include <memory>
#include <string>
#include <utility>

#include "storage/local_keys.h"

namespace syntropy {
namespace {

std::string state_record_key() { return meta_key("cluster/state"); }
std::string joining_record_key() { return meta_key("cluster/joining"); }

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
  const bool known = bytes.size() == 1 && static_cast<uint8_t>(bytes[0]) <= uint8_t(Keep::kNothing);
  if (!known) return Status::corruption("the record cluster/joining is ill-formed");
  stored.joining = static_cast<Keep>(bytes[0]);
  return std::optional<Stored>(std::move(stored));
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
