// Comparing and mending row by row: what `syntropy compare` and `syntropy repair` do between
// Syntropy nodes and directories.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "storage/base/clock.h"
#include "tools/cli/commands.h"
#include "tools/cli/compare.h"
#include "tools/cli/directory_side.h"
#include "tools/cli/node_side.h"
#include "tools/cli/progress.h"
#include "tools/cli/row_comparison.h"

namespace syntropy {
namespace {

/// Real time, the progress line, and the limit.
class RowHost final : public RowComparisonHost {
 public:
  RowHost(const CompareOptions& options, ReconcileSide& a, ReconcileSide& b)
      : options_(options), a_(a), b_(b), started_us_(clock_.monotonic_us()) {}

  uint64_t now_ms() override { return clock_.monotonic_us() / 1000; }
  void wait_ms(uint64_t ms) override { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }
  void making_trees(std::string_view side, uint64_t slots_left) override {
    progress_.show("waiting until the trees of " + std::string(side) + " are made",
                   kSlotCount - slots_left, kSlotCount);
  }
  void after_round_trip(const ReconcileSummary& so_far) override {
    const uint64_t bytes = a_.traffic().bytes + b_.traffic().bytes;
    progress_.show(
        "comparing rows", 0, 0,
        fmt::format("{} different, {}", with_separators(so_far.differences()), bytes_text(bytes)));
    const uint64_t wait_us =
        throttle_us(bytes, options_.limit_bytes_per_second, clock_.monotonic_us() - started_us_);
    if (wait_us != 0) std::this_thread::sleep_for(std::chrono::microseconds(wait_us));
  }
  uint64_t elapsed_us() const { return clock_.monotonic_us() - started_us_; }
  void clear() { progress_.clear(); }

 private:
  const CompareOptions& options_;
  ReconcileSide& a_;
  ReconcileSide& b_;
  SystemClock clock_;
  const uint64_t started_us_;
  Progress progress_;
};

/// What a run does to rows.
ReconcilePlan plan_of(const CompareOptions& options) {
  ReconcilePlan plan;
  if (!options.slots.empty()) plan.slots = *parse_slots(options.slots);
  if (!options.repair) return plan;
  // A row's version says which is the newer one, so nothing speaks against going both ways.
  const Direction direction =
      options.direction_chosen ? options.repair->direction : Direction::kBoth;
  plan.pull = direction != Direction::kPush;
  plan.push = direction != Direction::kPull;
  return plan;
}

/// One side, as far as the two kinds differ.
struct Side {
  std::unique_ptr<ReconcileSide> side;
  NodeSide* node = nullptr;
  DirectorySide* directory = nullptr;
};

/// `written`: rows are going to be written to it.
Result<Side> open_side(const Endpoint& endpoint, const ReconcilePlan& plan, bool written) {
  Side opened;
  if (endpoint.kind == Endpoint::Kind::kDirectory) {
    Result<std::unique_ptr<DirectorySide>> side = DirectorySide::open(endpoint.directory, written);
    if (!side.ok()) return side.status();
    opened.directory = side->get();
    opened.side = std::move(*side);
    return opened;
  }
  Result<std::unique_ptr<NodeSide>> side = NodeSide::open(endpoint.address);
  if (!side.ok()) return side.status();
  if (written) {
    const Status writable = (*side)->check_writable(plan.slots);
    if (!writable.ok()) return writable;
  }
  opened.node = side->get();
  opened.side = std::move(*side);
  return opened;
}

std::string owner_text(const RowOwner& owner) {
  return owner.database == 0 ? std::string() : fmt::format("database {}", owner.database);
}

/// One run over two sides.
class RowRun {
 public:
  RowRun(const CompareOptions& options, const ReconcilePlan& plan, Side& a, Side& b)
      : options_(options), plan_(plan), a_(a), b_(b), host_(options, *a.side, *b.side) {}

  Status run(ComparisonReport* report) {
    const bool dry = options_.repair && options_.repair->dry_run;
    const bool mends = plan_.mends() && !dry;
    ReconcilePlan looking;
    looking.slots = plan_.slots;
    RowComparisonOptions comparing;
    comparing.rechecks = options_.comparison.rechecks;
    comparing.recheck_delay_ms = options_.comparison.recheck_delay_ms;
    comparing.patience_ms = static_cast<uint64_t>(options_.timeout_s * 1000);
    RowComparison comparison(*a_.side, *b_.side, comparing, host_);
    const Result<RowOutcome> found = comparison.run(mends ? plan_ : looking);
    if (!found.ok()) return found.status();
    take(*found, report);
    report->dry_run = dry;
    if (mends) {
      const Result<RowOutcome> left = comparison.run(looking);
      if (!left.ok()) return left.status();
      report->repair->left = left->total();
      take_proof(*left, report);
      for (const Side* side : {&a_, &b_}) {
        if (side->directory == nullptr) continue;
        const Status closed = side->directory->close();
        if (!closed.ok()) return closed;
      }
    }
    host_.clear();
    report->traffic_a = a_.side->traffic();
    report->traffic_b = b_.side->traffic();
    report->elapsed_us = host_.elapsed_us();
    return {};
  }

 private:
  void take(const RowOutcome& found, ComparisonReport* report) const {
    report->counts.compared = found.rows;
    report->counts.differences = found.counts;
    report->counts.exact = found.exact;
    for (const auto& [owner, kind] : found.differences) {
      std::vector<Difference>& first = report->first[kind];
      if (first.size() < options_.max_keys) first.push_back({kind, owner.key, owner_text(owner)});
    }
    report->proof.emplace();
    report->proof->in_use = a_.side->in_use() || b_.side->in_use();
    take_proof(found, report);
    if (!options_.repair) return;
    RepairCounts& repair = report->repair.emplace();
    repair.copied_to_a = found.rows_pulled;
    repair.copied_to_b = found.rows_pushed;
    if (!options_.repair->dry_run) return;
    using Kind = Difference::Kind;
    if (plan_.pull) repair.copied_to_a = report->counts.of(Kind::kMissingHere);
    if (plan_.push) repair.copied_to_b = report->counts.of(Kind::kMissingThere);
    repair.by_version = report->counts.of(Kind::kDifferent);
  }

  static void take_proof(const RowOutcome& found, ComparisonReport* report) {
    RowProof& proof = *report->proof;
    proof.proven = found.proven;
    proof.on_their_way = found.on_their_way;
    proof.sessions += found.sessions;
    proof.round_trips += found.round_trips;
    proof.identify_bytes += found.identify_bytes;
    proof.row_bytes += found.row_bytes;
  }

  const CompareOptions& options_;
  const ReconcilePlan& plan_;
  Side& a_;
  Side& b_;
  RowHost host_;
};

/// A node that became a replica meanwhile, or takes no writes for another reason.
Status explained(const Status& status, const ReconcilePlan& plan) {
  if (!plan.mends() || status.message().find("follows another") == std::string_view::npos) {
    return status;
  }
  return {status.code(), std::string(status.message()) + ": repair at its primary"};
}

}  // namespace

int run_compare_rows(const Endpoint& a, const Endpoint& b, const CompareOptions& options) {
  const ReconcilePlan plan = plan_of(options);
  const bool dry = options.repair && options.repair->dry_run;
  Result<Side> side_a = open_side(a, plan, plan.pull && !dry);
  if (!side_a.ok()) return report_failure(side_a.status());
  Result<Side> side_b = open_side(b, plan, plan.push && !dry);
  if (!side_b.ok()) return report_failure(side_b.status());
  ComparisonReport report;
  report.a = a.text();
  report.b = b.text();
  const Status status = RowRun(options, plan, *side_a, *side_b).run(&report);
  if (!status.ok()) return report_failure(explained(status, plan));
  return print_report(report, options.json);
}

}  // namespace syntropy
