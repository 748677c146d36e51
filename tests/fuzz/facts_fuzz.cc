// What membership decodes from other nodes and from its own records: the facts in entries, slot
// ranges, and the stored state of ownership. Input: one byte that says which, then its bytes.
//
// Properties: what is decoded is encoded to the same bytes; slot ranges are in order, don't touch,
// and are the same set after any detour; a claim in a slot map is owned in full.

#include <cstdint>
#include <string>

#include "membership/facts.h"
#include "membership/ownership.h"
#include "membership/slot_map.h"
#include "tests/fuzz/check.h"

namespace syntropy {
namespace {

template <class Fact>
void check_fact(std::string_view bytes) {
  const Result<Fact> fact = decode_fact<Fact>(bytes);
  if (fact.ok()) SYNTROPY_CHECK(encode(*fact) == bytes);
}

void check_ranges(const SlotRanges& slots) {
  const std::vector<SlotRange>& ranges = slots.ranges();
  uint32_t count = 0;
  for (size_t i = 0; i < ranges.size(); ++i) {
    SYNTROPY_CHECK(ranges[i].first <= ranges[i].last && ranges[i].last < kSlotCount);
    SYNTROPY_CHECK(i == 0 || ranges[i - 1].last + 1 < ranges[i].first);
    count += ranges[i].count();
  }
  SYNTROPY_CHECK(slots.count() == count);
  const SlotRanges others = SlotRanges::all().difference(slots);
  SYNTROPY_CHECK(!others.intersects(slots));
  SYNTROPY_CHECK(SlotRanges::all().difference(others) == slots);
}

void check_slots_fact(std::string_view bytes) {
  const Result<SlotsFact> fact = decode_fact<SlotsFact>(bytes);
  if (!fact.ok()) return;
  SYNTROPY_CHECK(encode(*fact) == bytes);
  check_ranges(fact->slots);
  const NodeId member = *NodeId::from_bytes(std::string(NodeId::kBytes, 'm'));
  SlotMap map;
  map.set_claim(member, fact->epoch, fact->slots);
  SYNTROPY_CHECK(map.slots_of(member) == fact->slots);
  SYNTROPY_CHECK(map.covered() == fact->slots.count());
  map.remove(member);
  SYNTROPY_CHECK(map.covered() == 0 && map.runs().empty());
}

void check_state(std::string_view bytes) {
  const Result<OwnershipState> state = decode_ownership_state(bytes);
  if (!state.ok()) return;
  constexpr char kBeforeMoves = 1;  // is written in the present format
  SYNTROPY_CHECK(bytes.front() == kBeforeMoves || encode(*state) == bytes);
  SYNTROPY_CHECK(*decode_ownership_state(encode(*state)) == *state);
  check_ranges(state->slots);
}

}  // namespace
}  // namespace syntropy

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace syntropy;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 11) {
    case 0:
      check_fact<AddressFact>(bytes);
      break;
    case 1:
      check_fact<RoleFact>(bytes);
      break;
    case 2:
      check_slots_fact(bytes);
      break;
    case 3:
      check_fact<ReplicationFact>(bytes);
      break;
    case 4:
      check_fact<LoadFact>(bytes);
      break;
    case 5:
      check_fact<SoftwareFact>(bytes);
      break;
    case 6:
      check_fact<IncarnationFact>(bytes);
      break;
    case 7:
      check_fact<StoreFact>(bytes);
      break;
    case 8:
      check_fact<SuspectsFact>(bytes);
      break;
    case 9:
      check_fact<ForgottenFact>(bytes);
      break;
    default:
      check_state(bytes);
  }
  return 0;
}
