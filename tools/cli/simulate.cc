// syntropy simulate: the scale study of membership, in virtual time.
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tools/cli/commands.h"
#include "tools/simulate/scale_study.h"

namespace syntropy {
namespace {

constexpr char kExplanation[] =
    "Runs the membership of many nodes in this process, in virtual time, over a network that "
    "delays "
    "messages by 1 to 50 ms and loses some: how many rounds of gossip (200 ms) a change takes to "
    "be "
    "known to all, what an idle cluster costs each node (sent and received), how long a death "
    "takes "
    "to be FAIL in every view, and how often a living node is taken for dead. The same seed gives "
    "the same figures.";

struct SimulateOptions {
  std::vector<size_t> nodes = ScaleSpec().nodes;
  std::vector<double> loss_percent = {0, 10, 30};
  uint64_t seed = 1;
  uint64_t node_timeout_ms = 1000;
  size_t changes = 100;
  size_t deaths = 30;
  double watch = 0;
  bool push_pull_only = false;
  std::string svg;
};

ScaleSpec spec_of(const SimulateOptions& options) {
  ScaleSpec spec;
  spec.nodes = options.nodes;
  spec.losses.clear();
  for (const double percent : options.loss_percent) spec.losses.push_back(percent / 100);
  if (options.push_pull_only) spec.modes = {GossipMode::kPushPull};
  spec.seed = options.seed;
  spec.node_timeout_ms = options.node_timeout_ms;
  spec.changes = options.changes;
  spec.deaths = options.deaths;
  spec.watched_node_seconds = static_cast<uint64_t>(options.watch * 1e6);
  return spec;
}

int simulate(const SimulateOptions& options) {
  std::fputs(scale_table_head().c_str(), stdout);
  const std::vector<ScaleResult> results =
      run_scale_study(spec_of(options), [](const ScaleResult& result) {
        std::fputs(scale_table_line(result).c_str(), stdout);
        std::fflush(stdout);
      });
  if (options.svg.empty()) return kExitOk;
  std::ofstream file(options.svg);
  file << scale_chart(results);
  file.close();
  if (!file) return report_failure(Status::io_error("can't write '" + options.svg + "'"));
  std::printf("The chart is in %s\n", options.svg.c_str());
  return kExitOk;
}

}  // namespace

void add_simulate_command(CLI::App& app, int* exit_code) {
  auto options = std::make_shared<SimulateOptions>();
  CLI::App* command = app.add_subcommand("simulate", "How membership scales, in a simulation");
  command->description(kExplanation);
  command
      ->add_option("--nodes", options->nodes,
                   "Sizes of the cluster, separated by commas; 10000 takes some 4.5 GB")
      ->delimiter(',')
      ->check(CLI::Range(size_t{2}, size_t{20000}))
      ->capture_default_str();
  command->add_option("--loss", options->loss_percent, "Messages lost, in percent")
      ->delimiter(',')
      ->check(CLI::Range(0.0, 90.0))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Of all chance")->capture_default_str();
  command->add_option("--node-timeout", options->node_timeout_ms, "cluster-node-timeout in ms")
      ->check(CLI::Range(300, 60000))
      ->capture_default_str();
  command->add_option("--changes", options->changes, "Changes to measure per line")
      ->capture_default_str();
  command->add_option("--deaths", options->deaths, "Deaths to measure per line of push-pull")
      ->capture_default_str();
  command
      ->add_option("--watch", options->watch,
                   "Also watch for that many million node-seconds per line of push-pull whether a "
                   "living node is taken for dead")
      ->check(CLI::Range(0.0, 1000.0))
      ->capture_default_str();
  command->add_flag("--push-pull-only", options->push_pull_only, "Leave out push and pull");
  command->add_option("--svg", options->svg, "Write a chart to this file");
  command->callback([options, exit_code] { *exit_code = simulate(*options); });
}

}  // namespace syntropy
