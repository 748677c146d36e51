#include "membership/gossip_state.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "storage/base/coding.h"

namespace syntropy {
namespace {

const Entry* find_entry(const std::vector<Entry>& entries, EntryKey key) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [key](const Entry& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

KeySet keys_of(const MemberRecord& record) {
  KeySet keys;
  for (const Entry& entry : record.entries) keys.add(entry.key);
  return keys;
}

uint64_t stamp_in(const std::vector<Entry>& entries) {
  const Entry* joined = find_entry(entries, EntryKey::kJoined);
  if (joined == nullptr || joined->value->size() != sizeof(uint64_t)) return 0;
  return load_le<uint64_t>(joined->value->data());
}

/// `record` (or nothing) with the entries of `delta` above its version.
MemberRecordPtr merge(const MemberRecord* record, const MemberDelta& delta, MemberChange* change) {
  auto merged = std::make_shared<MemberRecord>();
  merged->id = delta.id;
  merged->max_version = delta.entries.back().version;
  const EntryVersion have = record == nullptr ? 0 : record->max_version;
  size_t first = 0;
  while (delta.entries[first].version <= have) ++first;
  if (record != nullptr) {
    merged->entries.reserve(record->entries.size() + delta.entries.size() - first);
    for (const Entry& entry : record->entries) {
      const bool replaced =
          std::any_of(delta.entries.begin() + static_cast<std::ptrdiff_t>(first),
                      delta.entries.end(), [&](const Entry& e) { return e.key == entry.key; });
      if (!replaced) merged->entries.push_back(entry);
    }
  }
  for (size_t i = first; i < delta.entries.size(); ++i) {
    const Entry& entry = delta.entries[i];
    const Entry* before = record == nullptr ? nullptr : find_entry(record->entries, entry.key);
    if (before == nullptr || *before->value != *entry.value) change->keys.add(entry.key);
    merged->entries.push_back(entry);
  }
  if (delta.whole != nullptr && delta.whole->max_version == merged->max_version &&
      delta.whole->entries.size() == merged->entries.size()) {
    return delta.whole;
  }
  return merged;
}

}  // namespace

std::string encode_join_stamp(uint64_t stamp) {
  std::string value;
  put_le<uint64_t>(&value, stamp);
  return value;
}

uint64_t join_stamp(const MemberRecord& record) { return stamp_in(record.entries); }

GossipState::GossipState(const NodeId& self, const GossipLimits& limits, EntryVersion first_version)
    : self_(self), limits_(limits), first_version_(first_version) {
  assert(static_cast<bool>(self));
  auto own = std::make_shared<MemberRecord>();
  own->id = self;
  replace_own(std::move(own));
}

EntryVersion GossipState::version_of(uint64_t digest_id) const {
  const MemberRecordPtr* known = members_.find_digest(digest_id);
  return known == nullptr ? 0 : (*known)->max_version;
}

void GossipState::replace_own(MemberRecordPtr record) {
  own_ = std::move(record);
  const bool put = members_.put(own_);
  assert(put);  // nobody with our digest id is ever let in
  (void)put;
}

void GossipState::start_with(const MemberList& view) {
  members_ = view;
  if (const MemberRecordPtr* own = members_.find(self_)) {
    own_ = *own;
  } else {
    replace_own(own_);
  }
}

std::optional<MemberChange> GossipState::speak(EntryVersion told) {
  listening_ = false;
  if (own_->entries.empty()) return std::nullopt;
  auto record = std::make_shared<MemberRecord>();
  record->id = self_;
  record->max_version = std::max(own_->max_version, told);
  for (const Entry& entry : own_->entries) {
    record->entries.push_back({entry.key, ++record->max_version, entry.value});
  }
  MemberChange change;
  change.before = own_;
  replace_own(std::move(record));
  change.after = own_;
  return change;
}

std::optional<MemberChange> GossipState::set_own(EntryKey key, std::string_view value) {
  assert(!listening_);
  const Entry* known = find_entry(own_->entries, key);
  if (known != nullptr && *known->value == value) return std::nullopt;
  auto record = std::make_shared<MemberRecord>();
  record->id = self_;
  record->max_version = (own_->max_version == 0 ? first_version_ : own_->max_version) + 1;
  record->entries.reserve(own_->entries.size() + 1);
  for (const Entry& entry : own_->entries) {
    if (entry.key != key) record->entries.push_back(entry);
  }
  record->entries.push_back({key, record->max_version, std::make_shared<const std::string>(value)});
  MemberChange change;
  change.before = own_;
  change.keys.add(key);
  replace_own(std::move(record));
  change.after = own_;
  return change;
}

bool GossipState::well_formed(const MemberDelta& delta) const {
  if (!delta.id || delta.entries.empty() || delta.entries.size() > limits_.max_entries) {
    return false;
  }
  EntryVersion last = delta.from;
  for (size_t i = 0; i < delta.entries.size(); ++i) {
    const Entry& entry = delta.entries[i];
    if (static_cast<uint8_t>(entry.key) == 0 || entry.value == nullptr ||
        entry.value->size() > limits_.max_entry_bytes || entry.version <= last ||
        entry.version > kMaxEntryVersion) {
      return false;
    }
    last = entry.version;
    for (size_t j = 0; j < i; ++j) {
      if (delta.entries[j].key == entry.key) return false;
    }
  }
  return true;
}

bool GossipState::within_limits(const MemberRecord& record) const {
  size_t bytes = 0;
  for (const Entry& entry : record.entries) bytes += entry.value->size();
  return record.entries.size() <= limits_.max_entries && bytes <= limits_.max_record_bytes;
}

GossipState::Applied GossipState::apply(const MemberDelta& delta, MemberChange* change) {
  if (!well_formed(delta)) return Applied::kRefused;
  if (delta.id == self_ && !listening_) return apply_own(delta, change);
  const MemberRecordPtr* known = members_.find_digest(digest_id(delta.id));
  if (known != nullptr && (*known)->id != delta.id) return Applied::kRefused;
  const EntryVersion have = known == nullptr ? 0 : (*known)->max_version;
  if (delta.entries.back().version <= have) return Applied::kOld;
  Forgotten* forgotten = find_forgotten(delta.id);
  if (forgotten != nullptr && stamp_in(delta.entries) <= forgotten->stamp) {
    forgotten->version = std::max(forgotten->version, delta.entries.back().version);
    return Applied::kRefused;
  }
  if (delta.from > have) return Applied::kHole;
  if (known == nullptr && members_.size() >= limits_.max_members) return Applied::kRefused;

  MemberChange step;
  step.before = known == nullptr ? nullptr : *known;
  step.after = merge(step.before.get(), delta, &step);
  if (!within_limits(*step.after)) return Applied::kRefused;
  members_.put(step.after);
  if (delta.id == self_) own_ = step.after;
  if (forgotten != nullptr) {
    forgotten_.erase(forgotten_.begin() + (forgotten - forgotten_.data()));
  }
  *change = std::move(step);
  return Applied::kNews;
}

GossipState::Applied GossipState::apply_own(const MemberDelta& delta, MemberChange* change) {
  const auto is_ours = [this](const Entry& entry) {
    const Entry* own = find_entry(own_->entries, entry.key);
    if (own == nullptr || entry.version > own->version) return false;
    return entry.version < own->version || *own->value == *entry.value;
  };
  if (std::all_of(delta.entries.begin(), delta.entries.end(), is_ours)) return Applied::kOld;

  auto record = std::make_shared<MemberRecord>();
  record->id = self_;
  record->max_version = std::max(own_->max_version, delta.entries.back().version);
  const auto add = [&record](const Entry& entry) {
    record->entries.push_back({entry.key, ++record->max_version, entry.value});
  };
  for (const Entry& entry : own_->entries) add(entry);
  for (const Entry& entry : delta.entries) {
    if (find_entry(own_->entries, entry.key) != nullptr) continue;
    add(entry);
    change->keys.add(entry.key);
    if (within_limits(*record)) continue;
    record->entries.pop_back();
    --record->max_version;
  }
  change->before = own_;
  replace_own(std::move(record));
  change->after = own_;
  return Applied::kEcho;
}

std::optional<MemberChange> GossipState::add_contact(const NodeId& id) {
  if (!id || members_.find_digest(digest_id(id)) != nullptr ||
      members_.size() >= limits_.max_members) {
    return std::nullopt;
  }
  if (Forgotten* forgotten = find_forgotten(id)) {
    forgotten_.erase(forgotten_.begin() + (forgotten - forgotten_.data()));
  }
  auto record = std::make_shared<MemberRecord>();
  record->id = id;
  MemberChange change;
  change.after = record;
  members_.put(std::move(record));
  return change;
}

std::optional<MemberChange> GossipState::forget(const NodeId& id, uint64_t stamp) {
  if (!id || id == self_) return std::nullopt;
  const MemberRecordPtr* found = members_.find(id);
  const MemberRecordPtr known = found == nullptr ? nullptr : *found;
  if (known != nullptr && join_stamp(*known) > stamp) return std::nullopt;
  Forgotten* forgotten = find_forgotten(id);
  if (forgotten == nullptr) {
    if (forgotten_.size() >= limits_.max_forgotten) forgotten_.erase(forgotten_.begin());
    forgotten_.push_back({id, stamp, 0});
    forgotten = &forgotten_.back();
  }
  forgotten->stamp = std::max(forgotten->stamp, stamp);
  if (known == nullptr) return std::nullopt;
  forgotten->version = std::max(forgotten->version, known->max_version);
  MemberChange change;
  change.before = known;
  change.keys = keys_of(*known);
  members_.erase(id);
  return change;
}

bool GossipState::is_forgotten(const NodeId& id) const {
  return const_cast<GossipState*>(this)->find_forgotten(id) != nullptr;
}

void GossipState::lift_forgotten(const std::function<bool(const NodeId&)>& lifted) {
  std::erase_if(forgotten_, [&](const Forgotten& forgotten) { return lifted(forgotten.id); });
}

bool GossipState::wants(uint64_t digest_id_wanted, EntryVersion version) const {
  if (members_.find_digest(digest_id_wanted) != nullptr) return true;
  for (const Forgotten& forgotten : forgotten_) {
    if (digest_id(forgotten.id) == digest_id_wanted) return version > forgotten.version;
  }
  return members_.size() < limits_.max_members;
}

GossipState::Forgotten* GossipState::find_forgotten(const NodeId& id) {
  const auto found = std::find_if(forgotten_.begin(), forgotten_.end(),
                                  [&id](const Forgotten& other) { return other.id == id; });
  return found == forgotten_.end() ? nullptr : &*found;
}

}  // namespace syntropy
