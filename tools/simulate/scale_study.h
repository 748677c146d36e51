// The scale study: what membership costs and how fast it is, by the number of nodes, the loss of
// messages and the way of gossip. Runs the cores alone, in virtual time (membership_cluster.h).
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "membership/gossip.h"

namespace syntropy {

struct ScaleSpec {
  std::vector<size_t> nodes = {10, 100, 1000};  // each at least 2
  std::vector<double> losses = {0, 0.1, 0.3};   // share of messages lost, 0 .. below 1
  std::vector<GossipMode> modes = {GossipMode::kPush, GossipMode::kPull, GossipMode::kPushPull};
  uint64_t seed = 1;
  uint64_t node_timeout_ms = 1000;
  size_t changes = 100;               // per cell
  size_t deaths = 30;                 // per cell of push-pull; 0: failure detection isn't measured
  uint64_t idle_ms = 10'000;          // for which the idle cost is measured
  uint64_t watched_node_seconds = 0;  // per cell of push-pull, in search of false FAILs
};

/// Of a number of samples.
struct Quantiles {
  double median = 0;
  double p99 = 0;
  double most = 0;
  size_t samples = 0;
  size_t never = 0;  // did not end in time; not among the samples
};

/// One cell of the study.
struct ScaleResult {
  size_t nodes = 0;
  double loss = 0;
  GossipMode mode = GossipMode::kPushPull;
  Quantiles rounds;       // gossip intervals until a change is known to all nodes
  Quantiles seconds;      // the same in seconds
  double idle_bytes = 0;  // sent and received, per node and second, frames included
  Quantiles detection;    // seconds from a death until it is FAIL in every view
  uint64_t false_fails = 0;
  double watched_node_seconds = 0;  // in all runs of the cell, deaths left out
};

/// Runs the cells one after another and tells each as soon as it is done.
std::vector<ScaleResult> run_scale_study(const ScaleSpec& spec,
                                         const std::function<void(const ScaleResult&)>& done);

/// "push", "pull", "push-pull".
std::string to_text(GossipMode mode);
/// The head of the table, and a line of it.
std::string scale_table_head();
std::string scale_table_line(const ScaleResult& result);
/// Rounds, idle cost and detection over the number of nodes.
std::string scale_chart(const std::vector<ScaleResult>& results);

}  // namespace syntropy
