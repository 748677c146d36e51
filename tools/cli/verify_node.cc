// `syntropy verify HOST:PORT`: are the rows of a running node what was written?
#include <chrono>
#include <cstdio>
#include <thread>

#include "storage/base/clock.h"
#include "tools/cli/commands.h"
#include "tools/cli/node_side.h"
#include "tools/cli/progress.h"
#include "tools/cli/row_comparison.h"
#include "tools/cli/tree_problems.h"

namespace syntropy {
namespace {

constexpr int kMostTries = 3;

/// Real time, and the progress line.
class Host final : public RowComparisonHost {
 public:
  uint64_t now_ms() override { return clock_.monotonic_us() / 1000; }
  void wait_ms(uint64_t ms) override { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }
  void making_trees(std::string_view, uint64_t slots_left) override {
    progress.show("waiting until the trees are made", kSlotCount - slots_left, kSlotCount);
  }
  void after_round_trip(const ReconcileSummary&) override {}

  Progress progress;

 private:
  SystemClock clock_;
};

/// One range; waits for the trees where they are being made.
Result<NodeVerdict> verify_range(NodeSide& node, const SlotRange& range, uint64_t patience_ms,
                                 Host& host) {
  for (int tried = 1;; ++tried) {
    Result<NodeVerdict> verdict = node.verify(range);
    if (verdict.ok() || tried == kMostTries) return verdict;
    const Result<uint64_t> left = node.stale_slots();
    if (!left.ok() || *left == 0) return verdict;
    const Status ready = wait_for_trees(node, "the node", patience_ms, host);
    if (!ready.ok()) return ready;
  }
}

}  // namespace

int verify_node(const NodeAddress& address, size_t max_problems) {
  const auto started = std::chrono::steady_clock::now();
  const auto node = NodeSide::open(address);
  if (!node.ok()) return report_failure(node.status());
  const auto patience_ms = static_cast<uint64_t>(address.timeout_s * 1000);
  Host host;
  TreeProblems found(max_problems);
  for (const SlotRange& range : verify_steps()) {
    host.progress.show("holding rows against trees", range.first, kSlotCount,
                       with_separators(found.rows()));
    const Result<NodeVerdict> verdict = verify_range(**node, range, patience_ms, host);
    if (!verdict.ok()) return report_failure(verdict.status());
    found.add(verdict->rows, verdict->wrong_slots.size(), verdict->rotten, verdict->lost,
              verdict->unnamed_leaves);
  }
  host.progress.clear();
  std::printf("%s\n", address.text().c_str());
  for (const std::string& text : found.texts()) std::printf("PROBLEM  %s\n", text.c_str());
  std::printf("  %-12s%s\n", "rows", found.summary().c_str());
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;
  if (found.sound()) {
    std::printf("sound: no problems found in %.1f s\n", elapsed.count());
    return kExitOk;
  }
  std::printf(
      "DAMAGED: found in %.1f s. 'syntropy repair' brings rows back from another node that has "
      "them\n",
      elapsed.count());
  return kExitUnhealthy;
}

}  // namespace syntropy
