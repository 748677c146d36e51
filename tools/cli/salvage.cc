// `syntropy salvage`: a store that opens, of what is left of one that doesn't.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "server/cluster/state_store.h"
#include "storage/base/clock.h"
#include "storage/base/random.h"
#include "storage/derived_records.h"
#include "storage/keyspace.h"
#include "storage/rocks_salvage.h"
#include "tools/cli/commands.h"
#include "tools/cli/progress.h"

namespace syntropy {
namespace {

struct SalvageOptions {
  std::string dir;
  bool yes = false;
};

void print_line(std::string_view label, const std::string& text) {
  std::printf("  %-12s%s\n", std::string(label).c_str(), text.c_str());
  std::fflush(stdout);
}

/// Ok: it may be changed.
Status ask(const SalvageOptions& options) {
  if (options.yes) return {};
  std::printf(
      "What cannot be read is lost, older versions of it may come back, and the directory is\n"
      "changed for good. Make a copy of it first, if there is room:\n"
      "  cp -a %s %s.copy\n",
      options.dir.c_str(), options.dir.c_str());
  if (::isatty(STDIN_FILENO) == 0) {
    return Status::invalid_argument("nothing was changed: give --yes to go on");
  }
  std::printf("Go on? [y/N] ");
  std::fflush(stdout);
  const int answer = std::getchar();
  if (answer == 'y' || answer == 'Y') return {};
  return Status::invalid_argument("nothing was changed");
}

void print_lost(const RocksSalvage& salvage, const std::string& dir) {
  for (const RocksSalvage::LostFile& file : salvage.lost_files()) {
    print_line("unreadable", fmt::format("{}, {}", file.path, bytes_text(file.bytes)));
  }
  print_line("replaced", fmt::format("lies in {}/lost, which may be removed", dir));
}

void print_left(const DerivedRecords& left) {
  print_line("rows", with_separators(left.rows) + " are left, deleted ones among them");
  if (left.unreadable != 0) {
    print_line("", with_separators(left.unreadable) +
                       " of them cannot be decoded; 'syntropy "
                       "verify' names them");
  }
  if (left.databases.empty()) print_line("keys", "none are left");
  for (const auto& [db, counts] : left.databases) {
    print_line(fmt::format("db{}", db),
               fmt::format("{} keys, {} of them with an expiry", with_separators(counts.keys),
                           with_separators(counts.expiring)));
  }
}

void print_cluster(const std::optional<NodeId>& node) {
  if (!node) {
    print_line("cluster", "no node of one, or the record of it is lost: see --help");
    return;
  }
  print_line("cluster", "node " + node->hex() +
                            "; once started it hands over what only it has, and gets back what the "
                            "others have");
}

/// Makes consistent what is left.
Status mend(RocksSalvage& salvage, const std::string& dir) {
  Progress progress;
  SystemClock clock;
  const Result<DerivedRecords> left = make_derived_records(
      salvage.engine(), clock.wall_ms(), KeyspaceOptions().max_clock_drift_ms,
      [&](uint64_t rows) { progress.show("counting rows", 0, 0, with_separators(rows)); });
  progress.clear();
  if (!left.ok()) return left.status();
  SeededRandom random(system_seed());
  const Result<std::optional<NodeId>> node = StateStore(salvage.engine()).lose_rows(random);
  if (!node.ok()) return node.status();
  // The sums of the rows that were: the node makes them anew.
  std::error_code error;
  std::filesystem::remove_all(dir + "/trees", error);
  if (error) return Status::io_error("cannot remove " + dir + "/trees: " + error.message());
  print_left(*left);
  print_cluster(*node);
  return salvage.finish();
}

int salvage(const SalvageOptions& options) {
  const auto started = std::chrono::steady_clock::now();
  Progress progress;
  Result<std::vector<std::string>> damage =
      RocksSalvage::find_damage(options.dir, [&](uint64_t read, uint64_t all) {
        progress.show("reading table files", read, all, bytes_text(read));
      });
  progress.clear();
  if (!damage.ok()) return report_failure(damage.status());
  std::printf("%s\n", options.dir.c_str());
  if (damage->empty()) {
    std::printf("sound: all files are there and can be read, so nothing was done\n");
    return kExitOk;
  }
  for (const std::string& text : *damage) print_line("damage", text);
  const Status agreed = ask(options);
  if (!agreed.ok()) return report_failure(agreed);
  progress.show("merging what is left", 0, 0);
  Result<std::unique_ptr<RocksSalvage>> begun = RocksSalvage::begin(options.dir);
  progress.clear();
  if (!begun.ok()) return report_failure(begun.status());
  print_lost(**begun, options.dir);
  const Status mended = mend(**begun, options.dir);
  if (!mended.ok()) return report_failure(mended);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;
  std::printf("salvaged in %.1f s: the node can be started\n", elapsed.count());
  return kExitOk;
}

}  // namespace

void add_salvage_command(CLI::App& app, int* exit_code) {
  const auto options = std::make_shared<SalvageOptions>();
  CLI::App* const command = app.add_subcommand(
      "salvage", "Make a store that opens of one whose files are missing or unreadable");
  command->set_help_flag("--help", "Explain and exit");
  command->add_option("DIR", options->dir, "The directory of a node that doesn't start any more")
      ->required();
  command->add_flag("-y,--yes", options->yes, "Don't ask");
  command->footer(
      "Reads all files first. If all are there and whole, nothing is done. Else those that cannot\n"
      "be read are moved to DIR/lost, and a store is made of the others: what is derived from the\n"
      "rows (counts, expiry, trees) is made anew from the rows that are there. It needs as much\n"
      "room on the disk again as the store has, and can be repeated when it was interrupted.\n"
      "\n"
      "What was in the lost files is gone. Where an older version of a row lies in another file,\n"
      "that one comes back, or what was deleted.\n"
      "\n"
      "A node of a cluster mends itself from the others after its start. It is never taken for\n"
      "complete before: a replica is made equal with its primary, a primary is replaced by one of\n"
      "its replicas and then made equal with that. Where nobody has more, it goes on with what is\n"
      "left. If the record of which node it was is lost, it starts as a stranger: hand its rows\n"
      "over with 'syntropy repair DIR/ HOST:PORT', and start an empty node in its place.\n"
      "\n"
      "First see whether DIR/snapshots has a file of the name that is missing: snapshots share\n"
      "their files with the store, so with a copy of it nothing is lost. A whole snapshot is the\n"
      "store as it was at one moment, which what is salvaged is not.\n"
      "\n"
      "Exit code: 0 salvaged, or sound; 2 not (in use, no store, not agreed to, no room).\n"
      "\n"
      "Examples:\n"
      "  syntropy salvage /var/lib/syntropy\n"
      "  syntropy salvage --yes /var/lib/syntropy && systemctl start syntropy");
  command->callback([options, exit_code] { *exit_code = salvage(*options); });
}

}  // namespace syntropy
