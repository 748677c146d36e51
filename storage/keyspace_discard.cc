// Making a store forget its rows. See Keyspace::discard_rows().
#include <mutex>
#include <string>
#include <utility>

#include "storage/keyspace.h"
#include "storage/local_keys.h"

namespace syntropy {
namespace {

constexpr size_t kKeysPerBatch = 1000;  // the writers' lock is held that long

std::string end_of(std::string prefix) {
  prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

}  // namespace

// One batch after the other, each found anew.
Status Keyspace::discard(std::string begin, std::string end) {
  for (size_t erased = kKeysPerBatch; erased == kKeysPerBatch;) {
    const std::lock_guard lock(lock_);
    const std::unique_ptr<EngineBatch> batch = engine_.new_batch();
    const std::unique_ptr<EngineIterator> at = engine_.iterate(begin, end, nullptr);
    erased = 0;
    for (at->seek(begin); at->valid() && erased < kKeysPerBatch; at->next(), ++erased) {
      batch->erase(at->key());
    }
    if (!at->status().ok()) return at->status();
    if (erased == 0) break;
    const Status written = engine_.write(*batch);
    if (!written.ok()) return written;
  }
  return Status();
}

Status Keyspace::discard_rows() {
  {
    const std::lock_guard lock(lock_);
    if (row_listener_ != nullptr) row_listener_->recount();
  }
  // Rows first: what is left of them after a crash is still counted, or counted too high.
  Status done = discard({}, kRowKeysEnd);
  if (done.ok()) done = discard(expiry_position(0), expiry_keys_end());
  if (done.ok()) done = discard(count_records_begin(), end_of(count_records_begin()));
  if (done.ok()) done = discard(flush_records_begin(), end_of(flush_records_begin()));
  if (done.ok()) done = discard(purged_record_key(), purged_record_key() + '\0');
  if (!done.ok()) return done;
  const std::lock_guard lock(lock_);
  for (uint32_t db = 0; db < databases_; ++db) {
    database_[db].keys = 0;
    database_[db].expiring = 0;
    database_[db].flush_stamp = 0;
  }
  purged_up_to_ = 0;
  {
    // Rows below these stamps may come from now on, and compaction must leave them alone.
    const std::lock_guard purge_lock(purge_mutex_);
    purge_.forget_flush_stamps();
    unsettled_flush_stamps_.clear();
    ++discards_;
  }
  const size_t capacity = cache_.capacity();
  cache_.set_capacity(0);
  cache_.set_capacity(capacity);
  if (row_listener_ != nullptr) row_listener_->emptied();
  return Status();
}

}  // namespace syntropy
