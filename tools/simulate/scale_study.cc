#include "tools/simulate/scale_study.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "tools/simulate/chart.h"
#include "tools/simulate/membership_cluster.h"

namespace syntropy {
namespace {

constexpr TimeMs kSettleMs = 3000;      // before the first measurement
constexpr TimeMs kPatienceMs = 60'000;  // for a change or a death to be known to all
constexpr TimeMs kStepMs = 20;

Quantiles quantiles(std::vector<double> samples, size_t never) {
  Quantiles result;
  result.samples = samples.size();
  result.never = never;
  if (samples.empty()) return result;
  std::sort(samples.begin(), samples.end());
  const auto at = [&](double share) {
    const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(samples.size())));
    return samples[std::max<size_t>(rank, 1) - 1];
  };
  result.median = at(0.5);
  result.p99 = at(0.99);
  result.most = samples.back();
  return result;
}

class Cell {
 public:
  Cell(const ScaleSpec& spec, ScaleResult& result)
      : spec_(spec), result_(result), random_(spec.seed), cluster_(cluster_spec(spec, result)) {
    cluster_.set_observer(
        [this](size_t node, const MembershipReady& ready) { observe(node, ready); });
    cluster_.run_until(kSettleMs);
  }

  void measure_idle() {
    const TimeMs from = cluster_.now();
    const uint64_t bytes = cluster_.traffic().bytes;
    cluster_.run_until(from + spec_.idle_ms);
    const double seconds = static_cast<double>(cluster_.now() - from) / 1000;
    result_.idle_bytes = 2 * static_cast<double>(cluster_.traffic().bytes - bytes) / seconds /
                         static_cast<double>(cluster_.size());
  }

  void measure_changes() {
    const double interval = static_cast<double>(GossipOptions().interval_ms);
    std::vector<double> rounds;
    std::vector<double> seconds;
    size_t never = 0;
    for (size_t i = 0; i < spec_.changes; ++i) {
      const TimeMs began = cluster_.now();
      begin_change();
      while (waiting_ > 0 && cluster_.now() < began + kPatienceMs) step();
      if (waiting_ > 0) ++never;
      const auto took = static_cast<double>(known_at_ - began);
      if (waiting_ == 0) {
        rounds.push_back(std::ceil(took / interval));
        seconds.push_back(took / 1000);
      }
      waiting_ = 0;
      cluster_.run_until(cluster_.now() + kSettleMs);
    }
    result_.rounds = quantiles(std::move(rounds), never);
    result_.seconds = quantiles(std::move(seconds), never);
  }

  // As many deaths as the cluster bears; the caller begins another one for more.
  size_t measure_deaths(size_t count, std::vector<double>& seconds, size_t& never) {
    count_watched();
    const size_t bearable = std::max<size_t>(cluster_.size() / 8, 1);
    count = std::min(count, bearable);
    for (size_t i = 0; i < count; ++i) {
      const TimeMs died = cluster_.now();
      begin_death();
      while (waiting_ > 0 && cluster_.now() < died + kPatienceMs) step();
      if (waiting_ > 0) {
        ++never;
      } else {
        seconds.push_back(static_cast<double>(known_at_ - died) / 1000);
      }
      waiting_ = 0;
      cluster_.run_until(cluster_.now() + kSettleMs + random_.below(1000));
    }
    return count;
  }

  void watch(uint64_t node_seconds) {
    cluster_.run_until(cluster_.now() + node_seconds * 1000 / cluster_.size());
  }

  // Up to the first death.
  void count_watched() {
    result_.watched_node_seconds += static_cast<double>(cluster_.now() - counted_to_) / 1000 *
                                    static_cast<double>(cluster_.size());
    counted_to_ = cluster_.now();
  }

 private:
  static ClusterSpec cluster_spec(const ScaleSpec& spec, const ScaleResult& result) {
    ClusterSpec cluster;
    cluster.nodes = result.nodes;
    cluster.network.loss = result.loss;
    cluster.seed = spec.seed;
    cluster.options.gossip.mode = result.mode;
    cluster.options.detector.node_timeout = spec.node_timeout_ms;
    return cluster;
  }

  void step() { cluster_.run_until(cluster_.now() + kStepMs); }

  void begin_change() {
    const size_t node = living();
    changed_ = cluster_.id(node);
    dead_ = NodeId();
    knows_.assign(cluster_.size(), false);
    waiting_ = 0;
    for (size_t i = 0; i < cluster_.size(); ++i) waiting_ += cluster_.alive(i);
    version_ = UINT64_MAX;
    version_ = cluster_.change_entry(node);
    learn(node);
  }

  void begin_death() {
    const size_t node = living();
    cluster_.kill(node);
    dead_ = cluster_.id(node);
    changed_ = NodeId();
    knows_.assign(cluster_.size(), false);
    waiting_ = 0;
    for (size_t i = 0; i < cluster_.size(); ++i) waiting_ += cluster_.alive(i);
  }

  size_t living() {
    size_t node = 0;
    do {
      node = random_.below(cluster_.size());
    } while (!cluster_.alive(node));
    return node;
  }

  void learn(size_t node) {
    if (knows_[node]) return;
    knows_[node] = true;
    known_at_ = cluster_.now();
    --waiting_;
  }

  void observe(size_t node, const MembershipReady& ready) {
    for (const NodeId& failed : ready.failed) {
      if (waiting_ > 0 && failed == dead_) {
        learn(node);
      } else if (cluster_.alive(cluster_.index_of(failed))) {
        ++result_.false_fails;
      }
    }
    if (waiting_ == 0 || !changed_ || knows_[node]) return;
    const MemberRecordPtr* record = cluster_.membership(node).members().find(changed_);
    if (record != nullptr && (*record)->max_version >= version_) learn(node);
  }

  const ScaleSpec& spec_;
  ScaleResult& result_;
  SeededRandom random_;
  MembershipCluster cluster_;

  // What is being waited for: a change or a death to be known.
  NodeId changed_;
  EntryVersion version_ = 0;
  NodeId dead_;
  std::vector<bool> knows_;
  size_t waiting_ = 0;  // nodes that don't know yet
  TimeMs known_at_ = 0;
  TimeMs counted_to_ = 0;
};

ScaleResult run_cell(const ScaleSpec& spec, size_t nodes, double loss, GossipMode mode) {
  ScaleResult result;
  result.nodes = nodes;
  result.loss = loss;
  result.mode = mode;
  std::vector<double> detection;
  size_t never = 0;
  size_t deaths = mode == GossipMode::kPushPull ? spec.deaths : 0;
  ScaleSpec run = spec;
  bool first = true;
  do {
    Cell cell(run, result);
    if (first) {
      cell.measure_idle();
      cell.measure_changes();
      if (mode == GossipMode::kPushPull) cell.watch(spec.watched_node_seconds);
    }
    if (deaths > 0) deaths -= cell.measure_deaths(deaths, detection, never);
    if (spec.deaths == 0) cell.count_watched();
    first = false;
    ++run.seed;
  } while (deaths > 0);
  result.detection = quantiles(std::move(detection), never);
  return result;
}

std::string cell_text(const Quantiles& q, int digits) {
  if (q.samples + q.never == 0) return "-";
  if (q.never > 0) return fmt::format("{} never", q.never);
  return fmt::format("{:.{}f} / {:.{}f}", q.median, digits, q.p99, digits);
}

}  // namespace

std::vector<ScaleResult> run_scale_study(const ScaleSpec& spec,
                                         const std::function<void(const ScaleResult&)>& done) {
  std::vector<ScaleResult> results;
  for (const size_t nodes : spec.nodes) {
    for (const double loss : spec.losses) {
      for (const GossipMode mode : spec.modes) {
        results.push_back(run_cell(spec, nodes, loss, mode));
        done(results.back());
      }
    }
  }
  return results;
}

std::string to_text(GossipMode mode) {
  switch (mode) {
    case GossipMode::kPush:
      return "push";
    case GossipMode::kPull:
      return "pull";
    case GossipMode::kPushPull:
      return "push-pull";
  }
  return {};
}

std::string scale_table_head() {
  return "                          a change is known to all       idle, per node   FAIL in all "
         "views   false FAILs in\n"
         "  nodes  loss  gossip     rounds p50 / p99    s p99       bytes/s          s p50 / p99   "
         "     10^6 node-s\n";
}

std::string scale_table_line(const ScaleResult& r) {
  const std::string watched =
      r.watched_node_seconds > 0
          ? fmt::format("{} in {:.3f}", r.false_fails, r.watched_node_seconds / 1e6)
          : "-";
  return fmt::format("{:7}  {:3.0f}%  {:<9}  {:>16}  {:>7.2f}  {:>14.0f}  {:>17}  {:>17}\n",
                     r.nodes, r.loss * 100, to_text(r.mode), cell_text(r.rounds, 0), r.seconds.p99,
                     r.idle_bytes, cell_text(r.detection, 2), watched);
}

std::string scale_chart(const std::vector<ScaleResult>& results) {
  std::map<std::string, size_t> rank;
  std::vector<ChartPanel> panels = {{"A change is known to all (p99)", "rounds of gossip", {}},
                                    {"Idle cost of a node", "bytes per second", {}},
                                    {"A death is FAIL in all views (p99)", "seconds", {}}};
  for (const ScaleResult& r : results) {
    const std::string name = fmt::format("{}, {:.0f}% loss", to_text(r.mode), r.loss * 100);
    const auto [found, added] = rank.emplace(name, rank.size());
    if (added) {
      for (ChartPanel& panel : panels) panel.lines.push_back({name, {}});
    }
    const auto x = static_cast<double>(r.nodes);
    if (r.rounds.samples > 0) panels[0].lines[found->second].points.emplace_back(x, r.rounds.p99);
    panels[1].lines[found->second].points.emplace_back(x, r.idle_bytes);
    if (r.detection.samples > 0) {
      panels[2].lines[found->second].points.emplace_back(x, r.detection.p99);
    }
  }
  return render_svg("Membership at scale, simulated", "nodes", panels, 3);
}

}  // namespace syntropy
