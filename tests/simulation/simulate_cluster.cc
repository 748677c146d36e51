// simulate_cluster: runs seeds of the simulation.
//
//   simulate_cluster --seed 17            one seed, with a trace of what happens
//   simulate_cluster --seed 17 --key k0   and of what the nodes have of that key
//   simulate_cluster --seeds 2000 [--from 1]
//
// Ends with 1 at the first violation, whose seed it prints.
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/simulation/simulation.h"

namespace {

using syntropy::testing::Simulation;
using syntropy::testing::SimulationFigures;
using syntropy::testing::SimulationOptions;

struct Arguments {
  uint64_t from = 1;
  uint64_t seeds = 20;
  bool one = false;
  bool keep_going = false;
  std::string key;
};

bool parse(int count, char** words, Arguments* arguments) {
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--keep-going") {
      arguments->keep_going = true;
      continue;
    }
    if (i + 1 == count) return false;
    const char* const text = words[++i];
    const uint64_t value = std::strtoull(text, nullptr, 10);
    if (word == "--seed") {
      arguments->from = value;
      arguments->seeds = 1;
      arguments->one = true;
    } else if (word == "--key") {
      arguments->key = text;
    } else if (word == "--seeds") {
      arguments->seeds = value;
    } else if (word == "--from") {
      arguments->from = value;
    } else {
      return false;
    }
  }
  return true;
}

void print(uint64_t seeds, const SimulationFigures& sum, double seconds) {
  const auto number = [](uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "%llu seeds in %.1f s: %llu writes, %llu acknowledged, %llu of them by several nodes, %llu "
      "lost with disks, %llu refused, %llu troubles, %llu comparisons, %llu deletions purged, %llu "
      "of %llu moves of slots ended well, at rest after %llu ms at most\n",
      number(seeds), seconds, number(sum.writes), number(sum.acknowledged), number(sum.guaranteed),
      number(sum.lost_with_disks), number(sum.refused), number(sum.events), number(sum.compared),
      number(sum.purged), number(sum.moved), number(sum.moves), number(sum.rest_ms));
}

}  // namespace

int main(int count, char** words) {
  Arguments arguments;
  if (!parse(count, words, &arguments)) {
    std::fprintf(stderr,
                 "usage: simulate_cluster [--seed N [--key KEY] | --seeds N [--from N]]"
                 " [--keep-going]\n");
    return 2;
  }
  if (!arguments.one) spdlog::set_level(spdlog::level::off);
  const auto began = std::chrono::steady_clock::now();
  SimulationFigures sum;
  uint64_t violations = 0;
  for (uint64_t i = 0; i < arguments.seeds; ++i) {
    SimulationOptions options;
    options.seed = arguments.from + i;
    options.trace = arguments.one;
    options.trace_key = arguments.key;
    Simulation simulation(options);
    const std::string violation = simulation.run();
    const SimulationFigures& figures = simulation.figures();
    sum.writes += figures.writes;
    sum.acknowledged += figures.acknowledged;
    sum.guaranteed += figures.guaranteed;
    sum.refused += figures.refused;
    sum.lost_with_disks += figures.lost_with_disks;
    sum.events += figures.events;
    sum.compared += figures.compared;
    sum.purged += figures.purged;
    sum.moves += figures.moves;
    sum.moved += figures.moved;
    sum.rest_ms = std::max(sum.rest_ms, figures.rest_ms);
    if (violation.empty()) continue;
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(options.seed),
                violation.c_str());
    std::fflush(stdout);
    ++violations;
    if (!arguments.keep_going) break;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  print(arguments.seeds, sum, took.count());
  return violations == 0 ? 0 : 1;
}
