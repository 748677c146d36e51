#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "storage/base/clock.h"
#include "tools/cli/commands.h"
#include "tools/cli/compare.h"
#include "tools/cli/comparison_report.h"
#include "tools/cli/progress.h"

namespace syntropy {
namespace {

/// Real time, the progress line, and the limits.
class KeyHost final : public ComparisonHost {
 public:
  KeyHost(const CompareOptions& options, KeyServer& a, KeyServer& b)
      : options_(options), a_(a), b_(b), started_us_(clock_.monotonic_us()) {}

  uint64_t now_ms() override { return clock_.monotonic_us() / 1000; }
  void wait_ms(uint64_t ms) override { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }
  void after_page(const ComparisonCounts& counts) override {
    const uint64_t walked = counts.walked_a + counts.walked_b;
    const uint64_t bytes = a_.traffic().bytes + b_.traffic().bytes;
    progress_.show(counts.walked_b == 0 ? "comparing the keys of A" : "looking for more keys at B",
                   0, 0,
                   fmt::format("{} keys, {} different, {}", with_separators(walked),
                               with_separators(counts.total()), bytes_text(bytes)));
    const uint64_t elapsed_us = clock_.monotonic_us() - started_us_;
    const uint64_t wait_us =
        std::max(throttle_us(walked, options_.limit_keys_per_second, elapsed_us),
                 throttle_us(bytes, options_.limit_bytes_per_second, elapsed_us));
    if (wait_us != 0) std::this_thread::sleep_for(std::chrono::microseconds(wait_us));
  }
  uint64_t elapsed_us() const { return clock_.monotonic_us() - started_us_; }
  void clear() { progress_.clear(); }

 private:
  const CompareOptions& options_;
  KeyServer& a_;
  KeyServer& b_;
  SystemClock clock_;
  const uint64_t started_us_;
  Progress progress_;
};

Result<Endpoint> endpoint_of(const CompareOptions::Side& side, const CompareOptions& options) {
  Result<Endpoint> endpoint = parse_endpoint(side.text);
  if (!endpoint.ok()) return endpoint;
  NodeAddress& address = endpoint->address;
  if (!side.user.empty()) address.user = side.user;
  if (!side.password.empty()) address.password = side.password;
  address.timeout_s = options.timeout_s;
  const bool tls = address.tls.enabled;
  address.tls = options.tls;
  address.tls.enabled = tls;
  return endpoint;
}

/// What a page takes of a second at the limit, so that the limit holds in the small as well.
ScanOptions scan_of(const CompareOptions& options) {
  ScanOptions scan = options.scan;
  if (options.limit_keys_per_second != 0) {
    const uint64_t tenth = std::max<uint64_t>(options.limit_keys_per_second / 10, 1);
    scan.batch = static_cast<size_t>(std::min<uint64_t>(scan.batch, tenth));
  }
  return scan;
}

Result<std::unique_ptr<RespKeyServer>> open_side(const Endpoint& endpoint,
                                                 const CompareOptions& options,
                                                 const Clock& clock) {
  return RespKeyServer::open(endpoint.address, endpoint.database.value_or(options.database),
                             scan_of(options), clock);
}

/// One run over two servers.
class KeyRun {
 public:
  KeyRun(const CompareOptions& options, KeyServer& a, KeyServer& b)
      : options_(options), a_(a), b_(b), host_(options, a, b) {}

  Status run(ComparisonReport* report) {
    ComparisonOptions comparing = options_.comparison;
    if (!options_.slots.empty()) comparing.slots = *parse_slots(options_.slots);
    const RepairOptions repairing = options_.repair.value_or(RepairOptions{});
    KeyRepair repair(a_, b_, repairing, [&](Mending mending, const Difference& difference) {
      if (repairing.dry_run) tell(mending, difference);
    });
    Comparison comparison(a_, b_, comparing, host_, [&](std::span<const Difference> differences) {
      for (const Difference& difference : differences) {
        std::vector<Difference>& first = report->first[difference.kind];
        if (first.size() < options_.max_keys) first.push_back(difference);
      }
      return options_.repair ? repair.mend(differences) : Status();
    });
    const Status status = comparison.run();
    host_.clear();
    report->counts = comparison.counts();
    report->traffic_a = a_.traffic();
    report->traffic_b = b_.traffic();
    report->elapsed_us = host_.elapsed_us();
    report->max_remembered = comparing.max_remembered;
    report->dry_run = repairing.dry_run;
    if (options_.repair) report->repair = repair.counts();
    return status;
  }

 private:
  void tell(Mending mending, const Difference& difference) {
    if (options_.json) return;
    host_.clear();
    std::printf("would %s  %s\n", std::string(mending_text(mending)).c_str(),
                quoted_key(difference.key).c_str());
  }

  const CompareOptions& options_;
  KeyServer& a_;
  KeyServer& b_;
  KeyHost host_;
};

int run_compare_keys(const Endpoint& a, const Endpoint& b, const CompareOptions& options) {
  const SystemClock clock;
  const auto server_a = open_side(a, options, clock);
  if (!server_a.ok()) return report_failure(server_a.status());
  const auto server_b = open_side(b, options, clock);
  if (!server_b.ok()) return report_failure(server_b.status());
  ComparisonReport report;
  report.a = a.text();
  report.b = b.text();
  const Status status = KeyRun(options, **server_a, **server_b).run(&report);
  if (status.ok()) return print_report(report, options.json);
  // What had been mended until then stays so, and is worth knowing.
  if (report.repair && report.repair->mended() != 0) {
    std::fprintf(stderr, "syntropy: %s keys were mended before this:\n",
                 with_separators(report.repair->mended()).c_str());
  }
  return report_failure(status);
}

}  // namespace

int print_report(const ComparisonReport& report, bool json) {
  if (json) {
    std::puts(
        report_json(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else {
    std::fputs(report_text(report).c_str(), stdout);
  }
  return report.good() ? kExitOk : kExitUnhealthy;
}

int run_compare(const CompareOptions& options) {
  const Result<Endpoint> a = endpoint_of(options.a, options);
  if (!a.ok()) return report_failure(a.status());
  const Result<Endpoint> b = endpoint_of(options.b, options);
  if (!b.ok()) return report_failure(b.status());
  const Result<CompareWay> way = way_of(*a, *b, options);
  if (!way.ok()) return report_failure(way.status());
  if (*way == CompareWay::kRows) return run_compare_rows(*a, *b, options);
  return run_compare_keys(*a, *b, options);
}

}  // namespace syntropy
