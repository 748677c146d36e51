#include "membership/slot_map.h"

#include <xxhash.h>

#include <algorithm>
#include <cassert>

namespace syntropy {
namespace {

/// Room for further claims and runs in a fresh copy.
constexpr size_t kSpare = 16;

using Runs = std::vector<SlotRun>;

bool outranks(uint64_t epoch, const NodeId& member, const SlotClaim& other) {
  return epoch != other.epoch ? epoch > other.epoch : member > other.member;
}

Runs::const_iterator first_ending_at(const Runs& runs, uint32_t slot) {
  return std::lower_bound(runs.begin(), runs.end(), slot,
                          [](const SlotRun& run, uint32_t at) { return run.range.last < at; });
}

SlotRange range_of(uint32_t first, uint32_t last) {
  return {static_cast<uint16_t>(first), static_cast<uint16_t>(last)};
}

// Calls visit(part, owner) for the parts of `range` that differ in owner, in order; no node for
// those without one.
template <class Visit>
void for_each_part(const Runs& runs, SlotRange range, Visit visit) {
  uint32_t next = range.first;
  for (auto run = first_ending_at(runs, range.first);
       run != runs.end() && run->range.first <= range.last; ++run) {
    if (run->range.first > next) visit(range_of(next, run->range.first - 1u), NodeId());
    const uint32_t last = std::min(run->range.last, range.last);
    visit(range_of(std::max<uint32_t>(next, run->range.first), last), run->owner);
    next = last + 1;
  }
  if (next <= range.last) visit(range_of(next, range.last), NodeId());
}

// Gives `range` to `owner`, or to nobody.
void assign(Runs* runs, SlotRange range, const NodeId& owner) {
  auto begin = runs->begin() + (first_ending_at(*runs, range.first) - runs->cbegin());
  auto end = begin;
  while (end != runs->end() && end->range.first <= range.last) ++end;

  // What remains of the runs at the ends, and the neighbours, which may become one with the new.
  SlotRun pieces[5];
  size_t count = 0;
  const auto append = [&](SlotRange part, const NodeId& node) {
    if (count > 0 && pieces[count - 1].owner == node &&
        pieces[count - 1].range.last + 1u == part.first) {
      pieces[count - 1].range.last = part.last;
    } else {
      pieces[count++] = {part, node};
    }
  };
  const bool cuts_left = begin != end && begin->range.first < range.first;
  const bool cuts_right = begin != end && (end - 1)->range.last > range.last;
  const SlotRun left = begin != end ? *begin : SlotRun();
  const SlotRun right = begin != end ? *(end - 1) : SlotRun();
  if (!cuts_left && begin != runs->begin()) {
    --begin;
    append(begin->range, begin->owner);
  }
  if (cuts_left) append(range_of(left.range.first, range.first - 1u), left.owner);
  if (owner) append(range, owner);
  if (cuts_right) append(range_of(range.last + 1u, right.range.last), right.owner);
  if (!cuts_right && end != runs->end()) {
    append(end->range, end->owner);
    ++end;
  }

  const size_t old_count = static_cast<size_t>(end - begin);
  const size_t same = std::min(old_count, count);
  const auto rest = std::copy(pieces, pieces + same, begin);
  if (count < old_count) {
    runs->erase(rest, end);
  } else {
    runs->insert(rest, pieces + same, pieces + count);
  }
}

uint64_t hash_of(const NodeId& id) { return XXH3_64bits(id.bytes().data(), id.bytes().size()); }

// Ascending, and what lies side by side and went the same way is one.
void tidy(std::vector<SlotMove>* moves) {
  std::sort(moves->begin(), moves->end(),
            [](const SlotMove& a, const SlotMove& b) { return a.range.first < b.range.first; });
  std::vector<SlotMove> tidied;
  for (const SlotMove& move : *moves) {
    if (!tidied.empty() && tidied.back().from == move.from && tidied.back().to == move.to &&
        tidied.back().range.last + 1u == move.range.first) {
      tidied.back().range.last = move.range.last;
    } else {
      tidied.push_back(move);
    }
  }
  *moves = std::move(tidied);
}

template <class Claims>
auto claim_at(Claims& claims, const NodeId& member) {
  return std::lower_bound(
      claims.begin(), claims.end(), member,
      [](const SlotClaim& claim, const NodeId& id) { return claim.member < id; });
}

}  // namespace

SlotMap::SlotMap() {
  static const std::shared_ptr<Table> kEmpty = std::make_shared<Table>();
  table_ = kEmpty;
}

SlotMap::Table& SlotMap::own_table() {
  if (table_.use_count() > 1) {
    auto own = std::make_shared<Table>();
    // With room for a few more: a copy that is full would be copied again, into twice the memory,
    // by the very change that it is made for.
    own->claims.reserve(table_->claims.size() + kSpare);
    own->runs.reserve(table_->runs.size() + kSpare);
    *own = *table_;
    table_ = std::move(own);
  }
  return *table_;
}

bool SlotMap::is_superseded(const NodeId& member) const {
  const SlotClaim* claim = claim_of(member);
  return claim != nullptr && claim->owned < claim->slots->count();
}

const SlotClaim* SlotMap::claim_of(const NodeId& member) const {
  const auto at = claim_at(table_->claims, member);
  return at != table_->claims.end() && at->member == member ? &*at : nullptr;
}

void SlotMap::count(const NodeId& member, int32_t slots) {
  Table& table = *table_;
  table.covered += static_cast<uint32_t>(slots);
  const auto claim = claim_at(table.claims, member);
  assert(claim != table.claims.end() && claim->member == member);
  const bool owned_some = claim->owned > 0;
  claim->owned += static_cast<uint32_t>(slots);
  const bool owns_some = claim->owned > 0;
  if (owned_some == owns_some) return;
  table.owners += owns_some ? 1u : ~0u;
  table.owners_hash += owns_some ? hash_of(member) : ~hash_of(member) + 1;
}

void SlotMap::give(SlotRange range, const NodeId& owner, std::vector<SlotMove>* moves) {
  for_each_part(table_->runs, range, [&](SlotRange part, const NodeId& from) {
    if (from == owner) return;
    moves->push_back({part, from, owner});
    const auto slots = static_cast<int32_t>(part.count());
    if (from) count(from, -slots);
    if (owner) count(owner, slots);
  });
  assign(&table_->runs, range, owner);
}

void SlotMap::win(const NodeId& member, uint64_t epoch, const SlotRanges& slots,
                  std::vector<SlotMove>* moves) {
  std::vector<SlotRange> won;
  for (const SlotRange& range : slots.ranges()) {
    for_each_part(table_->runs, range, [&](SlotRange part, const NodeId& owner) {
      if (owner == member || (owner && !outranks(epoch, member, *claim_of(owner)))) return;
      won.push_back(part);
    });
  }
  for (const SlotRange& range : won) give(range, member, moves);
}

void SlotMap::settle(SlotRanges open, std::vector<SlotMove>* moves) {
  std::vector<const SlotClaim*> claimants;
  for (const SlotClaim& claim : table_->claims) {
    if (claim.slots->intersects(open)) claimants.push_back(&claim);
  }
  std::sort(claimants.begin(), claimants.end(), [](const SlotClaim* a, const SlotClaim* b) {
    return outranks(a->epoch, a->member, *b);
  });
  for (const SlotClaim* claim : claimants) {
    const SlotRanges part = open.intersection(*claim->slots);
    for (const SlotRange& range : part.ranges()) give(range, claim->member, moves);
    open.remove(part);
  }
  for (const SlotRange& range : open.ranges()) give(range, NodeId(), moves);
}

std::vector<SlotMove> SlotMap::set_claim(const NodeId& member, uint64_t epoch, SlotRanges slots) {
  return set_claim(member, epoch, std::make_shared<const SlotRanges>(std::move(slots)));
}

std::vector<SlotMove> SlotMap::set_claim(const NodeId& member, uint64_t epoch,
                                         std::shared_ptr<const SlotRanges> slots) {
  assert(member);
  const SlotClaim* known = claim_of(member);
  if (known == nullptr ? slots->empty() : known->epoch == epoch && *known->slots == *slots) {
    return {};
  }
  std::vector<SlotMove> moves;
  Table& table = own_table();
  auto claim = claim_at(table.claims, member);
  // Slots that it owned and may not own any more: they are open to all claims.
  SlotRanges open;
  if (known == nullptr) {
    table.claims.insert(claim, SlotClaim{member, epoch, slots, 0});
  } else {
    if (claim->owned > 0) {
      const SlotRanges given_up =
          epoch < claim->epoch ? *claim->slots : claim->slots->difference(*slots);
      for (const SlotRange& range : given_up.ranges()) {
        for_each_part(table.runs, range, [&](SlotRange part, const NodeId& owner) {
          if (owner == member) open.add(part);
        });
      }
    }
    claim->epoch = epoch;
    claim->slots = slots;
  }
  if (!open.empty()) settle(std::move(open), &moves);
  win(member, epoch, *slots, &moves);
  if (slots->empty()) {
    claim = claim_at(table.claims, member);
    table.claims.erase(claim);
  }
  tidy(&moves);
  drop_hints_of(moves);
  return moves;
}

std::vector<SlotMove> SlotMap::remove(const NodeId& member) {
  std::erase_if(hints_, [&](const Hint& hint) { return hint.owner == member; });
  return set_claim(member, 0, SlotRanges());
}

NodeId SlotMap::owner(uint16_t slot) const {
  const Hint* const hint = hint_of(slot);
  return hint != nullptr ? hint->owner : owner_by_claims(slot);
}

NodeId SlotMap::owner_by_claims(uint16_t slot) const {
  const auto run = first_ending_at(table_->runs, slot);
  return run != table_->runs.end() && run->range.first <= slot ? run->owner : NodeId();
}

SlotRanges SlotMap::slots_of(const NodeId& member) const {
  SlotRanges slots;
  const SlotClaim* claim = claim_of(member);
  if (claim == nullptr || claim->owned == 0) return slots;
  for (const SlotRange& range : claim->slots->ranges()) {
    for_each_part(table_->runs, range, [&](SlotRange part, const NodeId& owner) {
      if (owner == member) slots.add(part);
    });
  }
  return slots;
}

uint32_t SlotMap::count_of(const NodeId& member) const {
  const SlotClaim* claim = claim_of(member);
  return claim == nullptr ? 0 : claim->owned;
}

std::optional<uint16_t> SlotMap::first_with_owner(const SlotRanges& slots, bool owned) const {
  for (const SlotRange& range : slots.ranges()) {
    for (uint32_t slot = range.first; slot <= range.last; ++slot) {
      const auto at = static_cast<uint16_t>(slot);
      const Hint* const hint = hint_of(at);
      const NodeId& has = hint != nullptr && !hint->lingers ? hint->owner : owner_by_claims(at);
      if (static_cast<bool>(has) == owned) return at;
    }
  }
  return std::nullopt;
}

std::vector<NodeId> SlotMap::owners() const {
  std::vector<NodeId> ids;
  ids.reserve(table_->owners);
  for (const SlotClaim& claim : table_->claims) {
    if (claim.owned > 0) ids.push_back(claim.member);
  }
  return ids;
}

uint64_t SlotMap::max_epoch() const {
  uint64_t epoch = 0;
  for (const SlotClaim& claim : table_->claims) epoch = std::max(epoch, claim.epoch);
  return epoch;
}

std::vector<SlotRun> SlotMap::view() const {
  Runs runs = table_->runs;
  for (auto hint = hints_.begin(); hint != hints_.end();) {
    auto end = hint + 1;
    while (end != hints_.end() && end->owner == hint->owner && end->slot == (end - 1)->slot + 1) {
      ++end;
    }
    assign(&runs, {hint->slot, (end - 1)->slot}, hint->owner);
    hint = end;
  }
  return runs;
}

void SlotMap::hint(const SlotRanges& slots, const NodeId& owner, TimeMs until) {
  drop_hints(slots);
  for (const SlotRange& range : slots.ranges()) {
    for_each_part(table_->runs, range, [&](SlotRange part, const NodeId& from) {
      if (from == owner) return;
      for (uint32_t slot = part.first; slot <= part.last; ++slot) {
        hints_.push_back({static_cast<uint16_t>(slot), owner, until, false});
      }
    });
  }
  sort_hints();
}

void SlotMap::linger(const SlotRanges& slots, const NodeId& last_owner, TimeMs until) {
  std::vector<Hint> more;
  for (const SlotRange& range : slots.ranges()) {
    for_each_part(table_->runs, range, [&](SlotRange part, const NodeId& owner) {
      for (uint32_t slot = part.first; !owner && slot <= part.last; ++slot) {
        const auto at = static_cast<uint16_t>(slot);
        if (hint_of(at) == nullptr) more.push_back({at, last_owner, until, true});
      }
    });
  }
  hints_.insert(hints_.end(), more.begin(), more.end());
  sort_hints();
}

void SlotMap::sort_hints() {
  std::sort(hints_.begin(), hints_.end(),
            [](const Hint& a, const Hint& b) { return a.slot < b.slot; });
}

const SlotMap::Hint* SlotMap::hint_of(uint16_t slot) const {
  const auto at = std::lower_bound(hints_.begin(), hints_.end(), slot,
                                   [](const Hint& hint, uint16_t of) { return hint.slot < of; });
  return at != hints_.end() && at->slot == slot ? &*at : nullptr;
}

void SlotMap::drop_hints(const SlotRanges& slots) {
  std::erase_if(hints_, [&](const Hint& hint) { return slots.contains(hint.slot); });
}

bool SlotMap::expire_hints(TimeMs now) {
  return std::erase_if(hints_, [&](const Hint& hint) { return hint.until <= now; }) > 0;
}

TimeMs SlotMap::next_hint_expiry() const {
  TimeMs next = UINT64_MAX;
  for (const Hint& hint : hints_) next = std::min(next, hint.until);
  return next;
}

void SlotMap::drop_hints_of(const std::vector<SlotMove>& moves) {
  if (hints_.empty()) return;
  std::erase_if(hints_, [&](const Hint& hint) {
    return std::any_of(moves.begin(), moves.end(), [&](const SlotMove& move) {
      return move.to && move.range.first <= hint.slot && hint.slot <= move.range.last;
    });
  });
}

bool SlotMap::same_claims(const SlotMap& other) const {
  if (table_ == other.table_) return true;
  return std::equal(table_->claims.begin(), table_->claims.end(), other.table_->claims.begin(),
                    other.table_->claims.end(), [](const SlotClaim& a, const SlotClaim& b) {
                      return a.member == b.member && a.epoch == b.epoch &&
                             (a.slots == b.slots || *a.slots == *b.slots);
                    });
}

}  // namespace syntropy
