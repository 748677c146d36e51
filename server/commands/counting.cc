#include "server/commands/counting.h"

#include <limits>
#include <string>
#include <utility>

#include "server/context.h"
#include "server/trees/row_trees.h"
#include "storage/base/slot.h"

namespace syntropy {

void drain_expired(Call& call) {
  constexpr uint64_t kBatch = 1000;
  // A transaction keeps its lock, and commits with EXEC.
  const bool commits = !call.client.in_transaction;
  call.tick.begin_write();
  while (call.tick.drain_expired(kBatch) != 0) {
    if (!commits) continue;
    // On a failed disk they stay counted.
    if (!call.tick.commit().ok()) break;
    call.tick.begin_write();
  }
}

bool visit_keys(Call& call, uint16_t slot, const std::function<bool(std::string_view)>& visit) {
  const auto scanned = call.tick.scan(
      0, {slot, 0}, std::numeric_limits<uint64_t>::max(),
      [&](std::string_view key, const RowView&) { return slot_of(key) == slot && visit(key); });
  if (scanned.ok()) return true;
  call.reply.error("ERR reading the database failed: " + std::string(scanned.status().message()));
  return false;
}

std::optional<std::vector<uint64_t>> count_keys(Call& call, const SlotRanges& slots) {
  if (call.server.trees != nullptr && !call.client.in_transaction) {
    drain_expired(call);
    (void)call.tick.commit();  // nothing but the end of the lock
    Result<std::vector<uint64_t>> counts = call.server.trees->key_counts(slots);
    if (counts.ok()) return *std::move(counts);
  }
  std::vector<uint64_t> counts;
  for (const SlotRange& range : slots.ranges()) {
    for (unsigned slot = range.first; slot <= range.last; ++slot) {
      uint64_t keys = 0;
      const auto count = [&keys](std::string_view) {
        ++keys;
        return true;
      };
      if (!visit_keys(call, static_cast<uint16_t>(slot), count)) return std::nullopt;
      counts.push_back(keys);
    }
  }
  return counts;
}

}  // namespace syntropy
