#include "membership/member_list.h"

#include <xxhash.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "storage/base/coding.h"

namespace syntropy {
namespace {

size_t bucket_of(uint64_t digest_id) { return digest_id >> 56; }

auto lower_bound_digest(const std::vector<MemberRecordPtr>& records, uint64_t id) {
  return std::lower_bound(records.begin(), records.end(), id,
                          [](const MemberRecordPtr& record, uint64_t wanted) {
                            return digest_id(record->id) < wanted;
                          });
}

uint64_t hash_of(const MemberRecord& record) {
  return member_hash(digest_id(record.id), record.max_version);
}

}  // namespace

uint64_t member_hash(uint64_t digest_id, EntryVersion version) {
  if (version == 0) return 0;
  char bytes[16];
  store_le<uint64_t>(bytes, digest_id);
  store_le<uint64_t>(bytes + 8, version);
  return XXH3_64bits(bytes, sizeof(bytes));
}

MemberList::MemberList() {
  // All empty lists share one top, which is copied before it is written to.
  static const std::shared_ptr<Top> kEmpty = std::make_shared<Top>();
  top_ = kEmpty;
}

uint64_t MemberList::group_sum(size_t group) const {
  uint64_t sum = 0;
  for (size_t i = 4 * group; i < 4 * group + 4; ++i) {
    if (top_->buckets[i] != nullptr) sum += top_->buckets[i]->sum;
  }
  return sum;
}

const MemberRecordPtr* MemberList::find_digest(uint64_t id) const {
  const Bucket* bucket = top_->buckets[bucket_of(id)].get();
  if (bucket == nullptr) return nullptr;
  const auto found = lower_bound_digest(bucket->records, id);
  if (found == bucket->records.end() || digest_id((*found)->id) != id) return nullptr;
  return &*found;
}

const MemberRecordPtr* MemberList::find(const NodeId& id) const {
  const MemberRecordPtr* found = find_digest(digest_id(id));
  return found != nullptr && (*found)->id == id ? found : nullptr;
}

const MemberRecordPtr& MemberList::at(size_t index) const {
  assert(index < size());
  const auto& starts = top_->starts;
  // The last bucket that starts at or below index; empty ones before it start there, too.
  const auto behind = std::upper_bound(starts.begin(), starts.end(), index);
  const size_t bucket = static_cast<size_t>(behind - starts.begin()) - 1;
  return top_->buckets[bucket]->records[index - starts[bucket]];
}

size_t MemberList::rank(const NodeId& id) const {
  const size_t bucket = bucket_of(digest_id(id));
  size_t rank = top_->starts[bucket];
  if (const Bucket* records = top_->buckets[bucket].get()) {
    const auto found = std::lower_bound(
        records->records.begin(), records->records.end(), id,
        [](const MemberRecordPtr& record, const NodeId& wanted) { return record->id < wanted; });
    rank += static_cast<size_t>(found - records->records.begin());
  }
  return rank;
}

MemberList::Bucket& MemberList::own_bucket(size_t index) {
  if (top_.use_count() > 1) top_ = std::make_shared<Top>(*top_);
  std::shared_ptr<Bucket>& bucket = top_->buckets[index];
  if (bucket == nullptr) {
    bucket = std::make_shared<Bucket>();
  } else if (bucket.use_count() > 1) {
    bucket = std::make_shared<Bucket>(*bucket);
  }
  return *bucket;
}

bool MemberList::put(MemberRecordPtr record) {
  assert(record != nullptr && static_cast<bool>(record->id));
  const uint64_t id = digest_id(record->id);
  const MemberRecordPtr* known = find_digest(id);
  if (known != nullptr && (*known)->id != record->id) return false;
  const size_t index = bucket_of(id);
  Bucket& bucket = own_bucket(index);
  uint64_t difference = hash_of(*record);
  const auto place =
      bucket.records.begin() + (lower_bound_digest(bucket.records, id) - bucket.records.cbegin());
  if (known != nullptr) {
    difference -= hash_of(**place);
    *place = std::move(record);
  } else {
    bucket.records.insert(place, std::move(record));
    for (size_t i = index + 1; i <= kBuckets; ++i) ++top_->starts[i];
  }
  bucket.sum += difference;
  top_->sum += difference;
  return true;
}

bool MemberList::erase(const NodeId& id) {
  if (find(id) == nullptr) return false;
  const size_t index = bucket_of(digest_id(id));
  Bucket& bucket = own_bucket(index);
  const auto place = bucket.records.begin() +
                     (lower_bound_digest(bucket.records, digest_id(id)) - bucket.records.cbegin());
  const uint64_t hash = hash_of(**place);
  bucket.records.erase(place);
  bucket.sum -= hash;
  top_->sum -= hash;
  for (size_t i = index + 1; i <= kBuckets; ++i) --top_->starts[i];
  return true;
}

}  // namespace syntropy
