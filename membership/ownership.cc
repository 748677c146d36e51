#include "membership/ownership.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "storage/base/coding.h"

namespace syntropy {
namespace {

using Moving = std::vector<std::pair<uint16_t, NodeId>>;

constexpr uint8_t kStateFormat = 2;
constexpr uint8_t kStateBeforeMoves = 1;

void put_moving(std::string* out, const Moving& moving) {
  put_varint64(out, moving.size());
  for (const auto& [slot, node] : moving) {
    put_fixed16_le(out, slot);
    out->append(node.bytes());
  }
}

bool read_id(ByteReader* reader, NodeId* id) {
  std::string_view bytes;
  if (!reader->read_bytes(NodeId::kBytes, &bytes)) return false;
  *id = *NodeId::from_bytes(bytes);
  return true;
}

bool read_moving(ByteReader* reader, Moving* moving) {
  uint64_t count = 0;
  if (!reader->read_varint64(&count) || count > kSlotCount) return false;
  for (uint64_t i = 0; i < count; ++i) {
    uint16_t slot = 0;
    NodeId node;
    if (!reader->read_fixed16_le(&slot) || !read_id(reader, &node)) return false;
    if (slot >= kSlotCount || (i > 0 && slot <= moving->back().first)) return false;
    moving->emplace_back(slot, node);
  }
  return true;
}

}  // namespace

std::string encode(const OwnershipState& state) {
  std::string out(1, static_cast<char>(kStateFormat));
  put_varint64(&out, state.current_epoch);
  put_varint64(&out, state.config_epoch);
  put_varint64(&out, state.last_vote_epoch);
  out.append(state.voted_for.bytes());
  out.append(state.voted_over.bytes());
  state.slots.encode(&out);
  put_moving(&out, state.migrating);
  put_moving(&out, state.importing);
  state.given.encode(&out);
  out.append(state.given_to.bytes());
  state.spare.encode(&out);
  return out;
}

Result<OwnershipState> decode_ownership_state(std::string_view bytes) {
  OwnershipState state;
  ByteReader reader(bytes);
  uint8_t format = 0;
  if (!reader.read_u8(&format) || (format != kStateFormat && format != kStateBeforeMoves)) {
    return Status::corruption("slot ownership: format " + std::to_string(format) + " is not known");
  }
  reader.read_varint64(&state.current_epoch);
  reader.read_varint64(&state.config_epoch);
  reader.read_varint64(&state.last_vote_epoch);
  const Status ill_formed = Status::corruption("slot ownership: ill-formed");
  if (!read_id(&reader, &state.voted_for) || !read_id(&reader, &state.voted_over)) {
    return ill_formed;
  }
  Result<SlotRanges> slots = SlotRanges::decode(&reader);
  if (!slots.ok()) return slots.status();
  state.slots = std::move(*slots);
  if (!read_moving(&reader, &state.migrating) || !read_moving(&reader, &state.importing)) {
    return ill_formed;
  }
  if (format != kStateBeforeMoves) {
    Result<SlotRanges> given = SlotRanges::decode(&reader);
    if (!given.ok()) return given.status();
    if (!read_id(&reader, &state.given_to)) return ill_formed;
    Result<SlotRanges> spare = SlotRanges::decode(&reader);
    if (!spare.ok()) return spare.status();
    state.given = std::move(*given);
    state.spare = std::move(*spare);
  }
  const bool sound =
      state.slots.contains(state.given) && !state.slots.intersects(state.spare) && reader.at_end();
  return sound ? Result<OwnershipState>(std::move(state)) : ill_formed;
}

Ownership::Ownership(const NodeId& self, OwnershipState stored, SlotMap map)
    : self_(self), state_(std::move(stored)), map_(std::move(map)) {
  state_.current_epoch =
      std::max({state_.current_epoch, state_.config_epoch, state_.last_vote_epoch});
  observe_epoch(map_.max_epoch());
  settle(map_.set_claim(self_, state_.config_epoch, state_.slots));
}

void Ownership::set_claim(const NodeId& member, const SlotsFact& fact, TimeMs until) {
  if (member == self_) return;
  observe_epoch(fact.epoch);
  std::vector<SlotMove> moves = map_.set_claim(member, fact.epoch, fact.slots);
  SlotRanges given_up;
  for (const SlotMove& move : moves) {
    if (!move.to) given_up.add(move.range);
  }
  if (!given_up.empty()) map_.linger(given_up, member, until);
  settle(std::move(moves));
  if (fact.epoch == state_.config_epoch) may_collide_ = true;
}

void Ownership::restore_claim(const SlotsFact& fact) {
  if (fact == claim() || fact.epoch < state_.config_epoch) return;
  observe_epoch(fact.epoch);
  state_.last_vote_epoch = std::max(state_.last_vote_epoch, state_.current_epoch);
  state_.voted_for = state_.voted_over = NodeId();
  state_.config_epoch = fact.epoch;
  state_.slots = fact.slots;
  claim_changed();
}

void Ownership::remove(const NodeId& member) {
  if (member == self_) return;
  settle(map_.remove(member));
}

void Ownership::observe_epoch(uint64_t epoch) {
  // Not a reason to store: what is lost at a restart is heard again, and what this node does on the
  // strength of an epoch is stored with it.
  state_.current_epoch = std::max(state_.current_epoch, epoch);
}

void Ownership::tick(TimeMs now) {
  if (map_.expire_hints(now)) ready_.view_changed = true;
}

OwnershipReady Ownership::take_ready() {
  // Not before: all claims of a message count, so that one step is enough.
  if (std::exchange(may_collide_, false)) resolve_collision();
  return std::exchange(ready_, {});
}

uint64_t Ownership::next_epoch() {
  assert(state_.current_epoch < UINT64_MAX - 1);
  ready_.persist = true;
  return state_.current_epoch += state_.current_epoch % 2 == 0 ? 1 : 2;
}

uint64_t Ownership::next_election_epoch() {
  assert(state_.current_epoch < UINT64_MAX - 1);
  ready_.persist = true;
  return state_.current_epoch += state_.current_epoch % 2 == 0 ? 2 : 1;
}

void Ownership::vote(uint64_t epoch, const NodeId& candidate, const NodeId& primary) {
  assert(epoch > state_.last_vote_epoch);
  observe_epoch(epoch);
  state_.last_vote_epoch = epoch;
  state_.voted_for = candidate;
  state_.voted_over = primary;
  ready_.persist = true;
}

void Ownership::vote_withdrawn() {
  state_.voted_over = NodeId();
  ready_.persist = true;
}

void Ownership::win(uint64_t epoch, const SlotRanges& slots) {
  observe_epoch(epoch);
  state_.config_epoch = epoch;
  state_.slots.add(slots);
  // As a replica it had what its primary had, whatever that was.
  if (std::exchange(primary_, NodeId())) state_.spare.clear();
  claim_changed();
}

void Ownership::give(const SlotRanges& slots, const NodeId& shard) {
  assert(state_.slots.contains(slots) && state_.given.empty());
  state_.given = slots;
  state_.given_to = shard;
  ready_.persist = ready_.view_changed = true;
}

void Ownership::take(const SlotRanges& slots) { win(next_epoch(), slots); }

void Ownership::take_back() {
  state_.given.clear();
  state_.given_to = NodeId();
  state_.config_epoch = next_epoch();
  ready_.view_changed = true;
  claim_changed();
}

void Ownership::add_spare(const SlotRanges& slots) {
  state_.spare.add(slots.difference(state_.slots));
  ready_.persist = true;
}

void Ownership::remove_spare(const SlotRanges& slots) {
  state_.spare.remove(slots);
  ready_.persist = true;
}

void Ownership::claim_changed() {
  // A slot that is not ours has nowhere to go from here, one that is ours needs not come.
  std::erase_if(state_.migrating,
                [&](const auto& entry) { return !state_.slots.contains(entry.first); });
  std::erase_if(state_.importing,
                [&](const auto& entry) { return state_.slots.contains(entry.first); });
  const SlotRanges gone = state_.given.difference(state_.slots);
  state_.given.remove(gone);
  if (state_.given.empty()) state_.given_to = NodeId();
  state_.spare.add(gone);
  state_.spare.remove(state_.slots);
  ready_.persist = true;
  ready_.publish = true;
  may_collide_ = true;
  settle(map_.set_claim(self_, state_.config_epoch, state_.slots));
}

void Ownership::settle(std::vector<SlotMove> moves) {
  const bool lost = map_.count_of(self_) != state_.slots.count();
  if (!moves.empty()) {
    ready_.view_changed = true;
    if (primary_) follow_winner(moves);
    ready_.moves.insert(ready_.moves.end(), moves.begin(), moves.end());
  }
  if (lost) yield_lost();
}

void Ownership::yield_lost() {
  const SlotRanges lost = state_.slots.difference(map_.slots_of(self_));
  state_.slots.remove(lost);
  if (state_.slots.empty() && !primary_) {
    const uint16_t last = lost.ranges().back().last;
    follow(map_.owner_by_claims(last), lost.count());
  }
  claim_changed();
}

void Ownership::follow_winner(const std::vector<SlotMove>& moves) {
  if (map_.owns_slots(primary_)) return;
  NodeId winner;
  for (const SlotMove& move : moves) {
    if (move.from == primary_ && move.to && move.to != self_) winner = move.to;
  }
  uint32_t taken = 0;
  for (const SlotMove& move : moves) {
    if (move.from == primary_ && move.to == winner) taken += move.range.count();
  }
  if (winner) follow(winner, taken);
}

void Ownership::follow(const NodeId& winner, uint32_t taken) {
  // Whoever owned slots before took ours by migration; a failover gives exactly ours.
  if (migration_ || map_.count_of(winner) == taken) ready_.follow = winner;
}

void Ownership::resolve_collision() {
  if (state_.slots.empty()) return;
  uint64_t greater = 0;
  for (const SlotClaim& claim : map_.claims()) {
    if (claim.epoch == state_.config_epoch && claim.member > self_) ++greater;
  }
  if (greater == 0) return;
  for (uint64_t k = 0; k < greater; ++k) state_.config_epoch = next_epoch();
  claim_changed();
}

}  // namespace syntropy
