#include "membership/delta.h"

#include <algorithm>
#include <utility>

#include "storage/base/coding.h"

namespace syntropy {
namespace {

template <class T>
void shuffle(std::vector<T>& items, Random& random) {
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
}

size_t framed(size_t payload) { return 1 + varint_size(payload) + payload; }

/// What has been taken of one source.
struct Taken {
  size_t source = 0;
  size_t first = 0;    // index of the first missing entry
  size_t next = 0;     // behind the last one taken
  size_t payload = 0;  // bytes within the delta; 0: nothing was taken
  bool open = true;    // more of it may be taken
};

class Packer {
 public:
  Packer(const std::vector<DeltaSource>& sources, size_t budget)
      : sources_(sources), budget_(budget), taken_(sources.size()) {
    for (size_t i = 0; i < sources.size(); ++i) {
      const auto& entries = sources[i].record->entries;
      const auto first = std::upper_bound(
          entries.begin(), entries.end(), sources[i].from,
          [](EntryVersion from, const Entry& entry) { return from < entry.version; });
      taken_[i].source = i;
      taken_[i].first = taken_[i].next = static_cast<size_t>(first - entries.begin());
      taken_[i].open = first != entries.end();
    }
  }

  std::vector<Taken>& taken() { return taken_; }
  size_t missing(const Taken& t) const {
    return sources_[t.source].record->entries.size() - t.first;
  }

  /// Takes the next entry; closes the source when there is none, or no room for it.
  void take(Taken& t) {
    const DeltaSource& source = sources_[t.source];
    const auto& entries = source.record->entries;
    size_t payload = t.payload;
    if (payload == 0) {
      payload = 2 + NodeId::kBytes + (source.from == 0 ? 0 : 1 + varint_size(source.from));
    }
    payload += wire_size(entries[t.next]);
    const size_t before = t.payload == 0 ? 0 : framed(t.payload);
    if (used_ - before + framed(payload) > budget_) {
      complete_ = t.open = false;
      return;
    }
    used_ += framed(payload) - before;
    t.payload = payload;
    if (++t.next == entries.size()) t.open = false;
  }

  DeltaResult result() const {
    DeltaResult result;
    result.complete = complete_;
    for (const Taken& t : taken_) {
      if (t.next == t.first) continue;
      const DeltaSource& source = sources_[t.source];
      const auto& entries = source.record->entries;
      MemberDelta& delta = result.deltas.emplace_back();
      delta.id = source.record->id;
      delta.from = source.from;
      delta.entries.assign(entries.begin() + static_cast<std::ptrdiff_t>(t.first),
                           entries.begin() + static_cast<std::ptrdiff_t>(t.next));
      if (t.next == entries.size()) delta.whole = source.record;
    }
    return result;
  }

 private:
  const std::vector<DeltaSource>& sources_;
  size_t budget_;
  size_t used_ = 0;
  bool complete_ = true;
  std::vector<Taken> taken_;
};

}  // namespace

DeltaResult build_delta(std::vector<DeltaSource>& sources, DeltaOrder order, size_t budget,
                        Random& random) {
  if (sources.size() > 1) shuffle(sources, random);
  Packer packer(sources, budget);
  std::vector<Taken>& taken = packer.taken();
  if (order == DeltaOrder::kDepth) {
    std::stable_sort(taken.begin(), taken.end(), [&packer](const Taken& a, const Taken& b) {
      return packer.missing(a) > packer.missing(b);
    });
    for (Taken& t : taken) {
      while (t.open) packer.take(t);
    }
  } else {
    for (bool any = true; any;) {
      any = false;
      for (Taken& t : taken) {
        if (!t.open) continue;
        packer.take(t);
        any = true;
      }
    }
  }
  return packer.result();
}

Digest build_digest(const MemberList& members, uint64_t groups) {
  Digest digest;
  for (size_t group = 0; group < MemberList::kGroups; ++group) {
    if (((groups >> group) & 1) == 0) continue;
    for (size_t i = members.group_begin(group); i < members.group_end(group); ++i) {
      const MemberRecord& record = *members.at(i);
      if (record.max_version != 0) digest.push_back({digest_id(record.id), record.max_version});
    }
  }
  return digest;
}

std::vector<DeltaSource> missing_from(const MemberList& members, const Digest& digest) {
  std::vector<DeltaSource> sources;
  size_t next = 0;
  for (const MemberRecordPtr& record : members) {
    const uint64_t id = digest_id(record->id);
    while (next < digest.size() && digest[next].id < id) ++next;
    const EntryVersion from =
        next < digest.size() && digest[next].id == id ? digest[next].version : 0;
    if (from < record->max_version) sources.push_back({record, from});
  }
  return sources;
}

PreciseDigest build_precise_digest(const MemberList& members) {
  PreciseDigest digest;
  for (const MemberRecordPtr& record : members) {
    const size_t first = digest.size();
    for (const Entry& entry : record->entries) {
      digest.push_back({digest_id(record->id), entry.key, entry.version});
    }
    std::sort(digest.begin() + static_cast<std::ptrdiff_t>(first), digest.end(),
              [](const PreciseItem& a, const PreciseItem& b) { return a.key < b.key; });
  }
  return digest;
}

size_t wire_size(const PreciseDigest& digest) {
  // Ids once per member, then per member the number of entries, keys and versions.
  size_t bytes = 0;
  for (size_t i = 0; i < digest.size(); ++i) {
    if (i == 0 || digest[i].id != digest[i - 1].id) bytes += sizeof(uint64_t) + 1;
    bytes += 1 + varint_size(digest[i].version);
  }
  return bytes;
}

DeltaResult build_precise_delta(const MemberList& members, const PreciseDigest& digest,
                                PreciseOrder order, size_t budget, Random& random) {
  // The missing entries of each member, in the order in which they are to go.
  std::vector<MemberDelta> missing;
  size_t next = 0;
  for (const MemberRecordPtr& record : members) {
    const uint64_t id = digest_id(record->id);
    while (next < digest.size() && digest[next].id < id) ++next;
    MemberDelta delta;
    delta.id = record->id;
    for (const Entry& entry : record->entries) {
      EntryVersion known = 0;
      for (size_t i = next; i < digest.size() && digest[i].id == id; ++i) {
        if (digest[i].key == entry.key) known = digest[i].version;
      }
      if (entry.version > known) delta.entries.push_back(entry);
    }
    if (order == PreciseOrder::kNewestFirst) {
      std::reverse(delta.entries.begin(), delta.entries.end());
    }
    if (!delta.entries.empty()) missing.push_back(std::move(delta));
  }
  shuffle(missing, random);

  DeltaResult result;
  std::vector<size_t> payloads(missing.size(), 0);
  std::vector<size_t> counts(missing.size(), 0);
  size_t used = 0;
  bool any = true;
  for (size_t turn = 0; any; ++turn) {
    any = false;
    for (size_t i = 0; i < missing.size(); ++i) {
      if (turn >= missing[i].entries.size() || counts[i] < turn) continue;
      any = true;
      const size_t payload = (payloads[i] == 0 ? 2 + NodeId::kBytes : payloads[i]) +
                             wire_size(missing[i].entries[turn]);
      const size_t before = payloads[i] == 0 ? 0 : framed(payloads[i]);
      if (used - before + framed(payload) > budget) {
        result.complete = false;
        continue;
      }
      used += framed(payload) - before;
      payloads[i] = payload;
      ++counts[i];
    }
  }
  for (size_t i = 0; i < missing.size(); ++i) {
    if (counts[i] == 0) continue;
    missing[i].entries.resize(counts[i]);
    result.deltas.push_back(std::move(missing[i]));
  }
  return result;
}

bool apply_precise(MemberList& members, const MemberDelta& delta) {
  const MemberRecordPtr* known = members.find(delta.id);
  auto record = std::make_shared<MemberRecord>();
  if (known != nullptr) *record = **known;
  record->id = delta.id;
  bool changed = false;
  for (const Entry& entry : delta.entries) {
    const auto same = std::find_if(record->entries.begin(), record->entries.end(),
                                   [&](const Entry& other) { return other.key == entry.key; });
    if (same != record->entries.end() && same->version >= entry.version) continue;
    if (same != record->entries.end()) record->entries.erase(same);
    const auto place =
        std::upper_bound(record->entries.begin(), record->entries.end(), entry,
                         [](const Entry& a, const Entry& b) { return a.version < b.version; });
    record->entries.insert(place, entry);
    record->max_version = std::max(record->max_version, entry.version);
    changed = true;
  }
  return changed && members.put(std::move(record));
}

}  // namespace syntropy
