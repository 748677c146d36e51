// `syntropy verify HOST:PORT`: are the rows of a running node what was written? Those that aren't
// are taken from another node, if there is one.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "storage/base/clock.h"
#include "storage/row.h"
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

/// Takes from `source` what the verdict names; how many rows came.
Result<uint64_t> mend(NodeSide& node, NodeSide& source, const NodeVerdict& verdict) {
  std::vector<uint64_t> positions = verdict.lost;
  for (const std::string& row_key : verdict.rotten) {
    // A key that has rotted itself says nothing; its row is among the lost ones.
    const Result<RowKeyView> key = decode_row_key(row_key);
    if (key.ok()) positions.push_back(row_position(key->slot, key->hash));
  }
  std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
  if (positions.empty()) return uint64_t{0};
  const Result<std::vector<ReconcileRow>> rows = source.fetch(positions);
  if (!rows.ok()) return rows.status();
  uint64_t mended = 0;
  for (const ReconcileRow& row : *rows) {
    const Result<bool> taken = node.mend(row);
    if (!taken.ok()) return taken.status();
    mended += *taken;
  }
  return mended;
}

}  // namespace

int verify_node(const NodeAddress& address, size_t max_problems, const NodeAddress* mend_from) {
  const auto started = std::chrono::steady_clock::now();
  const auto node = NodeSide::open(address);
  if (!node.ok()) return report_failure(node.status());
  std::unique_ptr<NodeSide> source;
  if (mend_from != nullptr) {
    auto opened = NodeSide::open(*mend_from);
    if (!opened.ok()) return report_failure(opened.status());
    source = std::move(*opened);
  }
  uint64_t mended = 0;
  const auto patience_ms = static_cast<uint64_t>(address.timeout_s * 1000);
  Host host;
  TreeProblems found(max_problems);
  for (const SlotRange& range : verify_steps()) {
    host.progress.show("holding rows against trees", range.first, kSlotCount,
                       with_separators(found.rows()));
    Result<NodeVerdict> verdict = verify_range(**node, range, patience_ms, host);
    if (!verdict.ok()) return report_failure(verdict.status());
    if (source != nullptr && !verdict->wrong_slots.empty()) {
      const Result<uint64_t> taken = mend(**node, *source, *verdict);
      if (!taken.ok()) return report_failure(taken.status());
      mended += *taken;
      verdict = verify_range(**node, range, patience_ms, host);
      if (!verdict.ok()) return report_failure(verdict.status());
    }
    found.add(verdict->rows, verdict->wrong_slots.size(), verdict->rotten, verdict->lost.size(),
              verdict->unnamed_leaves);
  }
  host.progress.clear();
  std::printf("%s\n", address.text().c_str());
  for (const std::string& text : found.texts()) std::printf("PROBLEM  %s\n", text.c_str());
  std::printf("  %-12s%s\n", "rows", found.summary().c_str());
  if (mended != 0) {
    std::printf("  %-12s%s rotten or lost rows came back from %s\n", "mended",
                with_separators(mended).c_str(), mend_from->text().c_str());
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;
  if (found.sound()) {
    std::printf("sound: no problems found in %.1f s\n", elapsed.count());
    return kExitOk;
  }
  std::printf("DAMAGED: found in %.1f s. %s\n", elapsed.count(),
              source == nullptr
                  ? "--mend-from HOST:PORT takes the rows back from a node that has them"
                  : "What is left isn't on the other node, or too much is wrong side by side");
  return kExitUnhealthy;
}

}  // namespace syntropy
