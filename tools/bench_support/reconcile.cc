// Measures what it costs two nodes to find the rows in which they differ: bytes on the wire, round
// trips, processor time of both sides, rows read. Both sides are in this process, their rows in
// memory: what is measured is the session and the trees. Beside it stands what a plain hash tree
// would send for the same rows, and what no method can go below. Prints a Markdown table.

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <deque>
#include <string>
#include <vector>

#include "merkle/reconciler.h"
#include "merkle/responder.h"
#include "storage/base/coding.h"
#include "storage/base/random.h"

namespace syntropy {
namespace {

constexpr size_t kKeyBytes = 16;
constexpr size_t kValueBytes = 100;

struct Row {
  uint64_t id = 0;       // which row
  uint64_t version = 0;  // which value
  RowMark mark;
};

std::string key_of(uint64_t id) {
  std::string key;
  put_fixed64_be(&key, id);
  key.resize(kKeyBytes, 'k');
  return key;
}

std::string value_of(uint64_t version) {
  std::string value;
  put_fixed64_be(&value, version);
  value.resize(kValueBytes, 'v');
  return value;
}

Row make_row(uint64_t id, uint64_t version) {
  // The scrambled id is the row's place: 14 bits of slot and the hash.
  const uint64_t place = scramble(id + 1);
  const auto slot = static_cast<uint16_t>(place >> (64 - kSlotBits));
  const auto hash = static_cast<uint32_t>(place);
  return {id, version, mark_row(slot, hash, key_of(id), value_of(version))};
}

// Rows in an array in the order of their elements, and their tree.
class ArrayRows final : public ReconcileStore {
 public:
  explicit ArrayRows(std::vector<Row> rows) : rows_(std::move(rows)) {
    std::sort(rows_.begin(), rows_.end(),
              [](const Row& a, const Row& b) { return a.mark.element < b.mark.element; });
    std::vector<RowMark> of_slot;
    for (size_t i = 0; i < rows_.size();) {
      const uint16_t slot = slot_of_position(position_of(rows_[i].mark.element));
      of_slot.clear();
      for (; i < rows_.size() && slot_of_position(position_of(rows_[i].mark.element)) == slot;
           ++i) {
        of_slot.push_back(rows_[i].mark);
      }
      tree_.rebuild(slot, of_slot);
    }
    tree_.settle();
  }

  uint64_t visits() const { return visits_; }

  const Tree& tree() const override { return tree_; }
  Status visit(uint64_t first, uint64_t end, const Visitor& visitor) const override {
    auto row = std::lower_bound(
        rows_.begin(), rows_.end(), first,
        [](const Row& a, uint64_t position) { return position_of(a.mark.element) < position; });
    for (; row != rows_.end() && position_of(row->mark.element) < end; ++row) {
      ++visits_;
      if (!visitor(row->mark, key_of(row->id), value_of(row->version))) break;
    }
    return {};
  }
  Result<RowMark> mark(std::string_view key, std::string_view value) const override {
    return make_row(load_be<uint64_t>(key.data()), load_be<uint64_t>(value.data())).mark;
  }
  Status merge(std::span<const ReconcileRow>) override {
    return Status::unavailable("the benchmark only compares");
  }

 private:
  std::vector<Row> rows_;
  Tree tree_;
  mutable uint64_t visits_ = 0;
};

struct Measured {
  ReconcileSummary summary;
  double cpu_us = 0;
  uint64_t rows_read = 0;  // of both sides
};

double cpu_us() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

Measured compare(ArrayRows* mine, ArrayRows* theirs) {
  const uint64_t read = mine->visits() + theirs->visits();
  const double begin = cpu_us();
  Reconciler reconciler(mine, {}, nullptr);
  Responder responder(theirs);
  std::deque<std::string> wire;
  while (!reconciler.done()) {
    for (std::string& request : reconciler.take_requests()) wire.push_back(std::move(request));
    const Status status = reconciler.receive(responder.answer(wire.front()));
    wire.pop_front();
    if (!status.ok()) {
      fmt::print(stderr, "{}\n", status.message());
      std::exit(1);
    }
  }
  return {reconciler.summary(), cpu_us() - begin, mine->visits() + theirs->visits() - read};
}

// A tree of 16-byte hashes with 16 children a node and leaves of some 16 rows: for each node that
// differs its children's hashes are sent, for each leaf that does 16 bytes for each of its rows.
uint64_t plain_tree_bytes(const std::vector<uint64_t>& positions_that_differ, uint64_t rows) {
  uint64_t bytes = 16;
  if (positions_that_differ.empty()) return bytes;
  unsigned depth = 0;
  while (16.0 * std::pow(16.0, depth) < static_cast<double>(rows)) ++depth;
  for (unsigned level = 0; level <= depth; ++level) {
    std::vector<uint64_t> nodes;
    for (const uint64_t position : positions_that_differ) {
      nodes.push_back(position >> (kPositionBits - 4 * level));
    }
    std::sort(nodes.begin(), nodes.end());
    const auto count =
        static_cast<uint64_t>(std::unique(nodes.begin(), nodes.end()) - nodes.begin());
    const double leaf_rows = static_cast<double>(rows) / std::pow(16.0, depth);
    bytes += level < depth ? count * 16 * 16
                           : static_cast<uint64_t>(static_cast<double>(count) * leaf_rows * 16);
  }
  return bytes;
}

// "median (most)" of a figure of the runs.
template <typename Figure>
std::string spread(const std::vector<Measured>& runs, Figure figure) {
  std::vector<uint64_t> values;
  for (const Measured& run : runs) values.push_back(static_cast<uint64_t>(figure(run)));
  std::sort(values.begin(), values.end());
  return fmt::format("{} ({})", values[values.size() / 2], values.back());
}

void measure(uint64_t rows, uint64_t differences, int repeats) {
  std::vector<Measured> runs;
  uint64_t plain = 0;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    std::vector<Row> mine;
    std::vector<Row> theirs;
    std::vector<uint64_t> differing;
    mine.reserve(rows + differences);
    theirs.reserve(rows + differences);
    // The rows that differ are the first ids: their places are as random as all others'.
    for (uint64_t i = 0; i < rows; ++i) {
      const uint64_t id = i + static_cast<uint64_t>(repeat) * 2 * rows;
      const bool differs = i < differences;
      const uint64_t kind = differs ? i % 3 : 3;
      if (kind != 0) mine.push_back(make_row(id, 1));
      if (kind != 1) theirs.push_back(make_row(id, kind == 2 ? 2 : 1));
      if (differs) {
        differing.push_back(position_of((kind != 0 ? mine : theirs).back().mark.element));
      }
    }
    plain = plain_tree_bytes(differing, rows);
    ArrayRows here(std::move(mine));
    ArrayRows there(std::move(theirs));
    compare(&here, &there);  // warms the caches, as a session before it would have
    runs.push_back(compare(&here, &there));
    if (!runs.back().summary.proven || runs.back().summary.differences() != differences) {
      fmt::print(stderr, "found {} of {} differences\n", runs.back().summary.differences(),
                 differences);
      std::exit(1);
    }
  }
  const auto bytes = spread(runs, [](const Measured& run) { return run.summary.identify_bytes; });
  const auto keys = spread(runs, [](const Measured& run) { return run.summary.row_bytes; });
  const auto rounds =
      spread(runs, [](const Measured& run) { return run.summary.identify_round_trips; });
  const auto all_rounds = spread(runs, [](const Measured& run) { return run.summary.round_trips; });
  const auto cpu = spread(runs, [](const Measured& run) { return run.cpu_us; });
  const auto read = spread(runs, [](const Measured& run) { return run.rows_read; });
  const auto d = static_cast<double>(differences);
  const double bound = differences == 0 ? 0 : d * (64 - std::log2(d) + 1.44) / 8;
  fmt::print("| {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.0f} |\n", rows, differences, bytes,
             rounds, cpu, keys, all_rounds, read, plain, bound);
  std::fflush(stdout);
}

}  // namespace
}  // namespace syntropy

int main(int argc, char** argv) {
  using namespace syntropy;
  CLI::App app("Measures finding the rows in which two stores differ, both in this process.");
  std::vector<uint64_t> rows = {1'000'000};
  std::vector<uint64_t> differences = {0, 1, 10, 100, 1000, 10'000, 100'000};
  int repeats = 5;
  app.add_option("--rows", rows, "rows of a store, separated by commas; a million takes 0.2 GB")
      ->delimiter(',');
  app.add_option("--differences", differences, "a third missing here, there, different")
      ->delimiter(',');
  app.add_option("--repeats", repeats, "pairs of stores; medians are printed")
      ->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  fmt::print(
      "Medians (most). To identify: until the last element is known; then the keys are asked for.\n"
      "Plain tree: 16 children a node, hashes of 16 bytes, leaves of 16 rows.\n\n"
      "| rows | differences | bytes to identify | round trips | CPU of both sides, us | keys' "
      "bytes "
      "| round trips with keys | rows read | plain tree, bytes | bound, bytes |\n"
      "|---|---|---|---|---|---|---|---|---|---|\n");
  for (const uint64_t count : rows) {
    for (const uint64_t differing : differences) {
      if (differing <= count) measure(count, differing, repeats);
    }
  }
}
