// Counting: how many keys there are, exactly, and which ones a slot has.
//
// Thread safety: as handlers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "server/command.h"
#include "storage/base/slot_ranges.h"

namespace syntropy {

/// Takes the keys that have expired out of the counts; the tick has the lock afterwards. In commits
/// of its own, but in a transaction, which commits with EXEC.
void drain_expired(Call& call);

/// Calls `visit(key)` for the slot's keys until it returns false. False after replying with an
/// error.
bool visit_keys(Call& call, uint16_t slot, const std::function<bool(std::string_view)>& visit);

/// How many keys each of the slots has, in their order, expired ones not among them. From the trees,
/// which know; where they don't yet, the keys are read. Nothing after replying with an error.
std::optional<std::vector<uint64_t>> count_keys(Call& call, const SlotRanges& slots);

}  // namespace syntropy
