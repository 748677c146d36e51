// `syntropy verify`: is a data directory, a snapshot, or a running node sound?
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "storage/rocks_inspection.h"
#include "tools/cli/commands.h"
#include "tools/cli/directory_store.h"
#include "tools/cli/endpoint.h"
#include "tools/cli/progress.h"
#include "tools/cli/store_check.h"
#include "tools/cli/tree_problems.h"

namespace syntropy {
namespace {

struct VerifyOptions {
  std::string target;
  std::string mend_from;
  size_t max_problems = 20;
  // Of a node.
  std::string user;
  std::string password;
  double timeout_s = 60;
};

void print_store_line(std::string_view label, const std::string& text) {
  std::printf("  %-12s%s\n", std::string(label).c_str(), text.c_str());
}

uint64_t estimated_records(Engine& engine) {
  for (const auto& [name, value] : engine.stats().more) {
    if (name == "rocksdb_estimated_keys") return std::strtoull(value.c_str(), nullptr, 10);
  }
  return 0;
}

/// One run over a store. Counts the problems and prints each as it is found.
class Verification {
 public:
  Verification(RocksInspection& store, const VerifyOptions& options)
      : store_(store), options_(options) {}

  uint64_t run() {
    check_files();
    check_log();
    check_records();
    check_trees();
    return problems_;
  }

 private:
  void problem(const std::string& text) {
    progress_.clear();
    ++problems_;
    std::printf("PROBLEM  %s\n", text.c_str());
    std::fflush(stdout);
  }

  void check_files() {
    uint64_t total = 0, done = 0, sound = 0;
    for (const RocksInspection::File& file : store_.table_files()) total += file.bytes;
    for (const RocksInspection::File& file : store_.table_files()) {
      progress_.show("reading table files", done, total, bytes_text(done));
      const Status status = store_.verify(file);
      if (status.ok()) {
        ++sound;
      } else {
        problem("a table file is damaged: " + std::string(status.message()));
      }
      done += file.bytes;
    }
    progress_.clear();
    print_store_line("table files", fmt::format("{} of {} sound, {}", sound, store_.table_files().size(),
                                          bytes_text(total)));
  }

  void check_log() {
    const RocksInspection::Log& log = store_.log();
    if (!log.damage.ok()) problem(std::string(log.damage.message()));
    std::string text = fmt::format("{} {}, {} records", log.files,
                                   log.files == 1 ? "file" : "files", with_separators(log.records));
    if (log.lost_tail) text += "; a tail was lost that had never been synced, which is no damage";
    print_store_line("log", text);
  }

  void check_records() {
    const uint64_t estimate = estimated_records(store_.engine());
    StoreCheck::Options options;
    options.max_problems = options_.max_problems;
    options.progress = [&](uint64_t records) {
      progress_.show("reading records", records, estimate, with_separators(records));
    };
    const StoreReport report = StoreCheck(store_.engine(), options).run();
    progress_.clear();
    for (const std::string& text : report.problems) problem(text);
    if (report.problem_count > report.problems.size()) {
      std::printf("PROBLEM  and %s more of the records (--max-problems)\n",
                  with_separators(report.problem_count - report.problems.size()).c_str());
      problems_ += report.problem_count - report.problems.size();
    }
    print_summary(report);
  }

  /// Holds the trees that the node has saved against the rows.
  void check_trees() {
    std::error_code ignored;
    if (!std::filesystem::exists(options_.target + "/trees/sums", ignored)) return;
    const auto opened = DirectoryStore::over(store_.engine(), options_.target);
    if (!opened.ok()) {
      return print_store_line("trees", "not checked: " + std::string(opened.status().message()));
    }
    RowTrees& trees = (*opened)->trees();
    if (trees.stats().stale_slots != 0) {
      return print_store_line("trees",
                        "not up to date, which is no damage: the node will make them anew");
    }
    TreeProblems found(options_.max_problems);
    for (const SlotRange& range : verify_steps()) {
      progress_.show("holding rows against trees", range.first, kSlotCount,
                     with_separators(found.rows()));
      const Result<RowTrees::Verdict> verdict = trees.verify(range);
      if (!verdict.ok()) return problem(std::string(verdict.status().message()));
      found.add(verdict->rows, verdict->wrong_slots.size(), verdict->rotten, verdict->lost.size(),
                verdict->unnamed_leaves);
    }
    progress_.clear();
    for (const std::string& text : found.texts()) problem(text);
    print_store_line("trees", found.summary());
  }

  void print_summary(const StoreReport& report) {
    print_store_line("rows",
               fmt::format("{} in {}: {} deleted, {} expired, {} flushed, to be removed "
                           "by compaction",
                           with_separators(report.rows), bytes_text(report.bytes),
                           with_separators(report.tombstones), with_separators(report.drained),
                           with_separators(report.flushed)));
    for (const auto& [db, database] : report.databases) {
      if (database.found.keys == 0 && database.stored.keys == 0) continue;
      const auto moved = report.logical.find(db);
      const uint16_t number = moved == report.logical.end() ? db : moved->second;
      print_store_line(
          fmt::format("db{}", number),
          fmt::format("{} keys, {} of them with an expiry", with_separators(database.found.keys),
                      with_separators(database.found.expiring)));
    }
    if (!report.complete) {
      print_store_line("counts", "not compared, because not everything could be read");
    }
    if (report.writer) print_store_line("writer", fmt::format("{:016x}", *report.writer));
  }

  RocksInspection& store_;
  const VerifyOptions& options_;
  Progress progress_;
  uint64_t problems_ = 0;
};

std::string advice(const std::string& dir) {
  return "Restore the directory from a snapshot; or, if files are missing or cannot be read, let "
         "'syntropy salvage " +
         dir + "' make a store of what is left";
}

int verify_directory(const VerifyOptions& options) {
  const auto started = std::chrono::steady_clock::now();
  Result<std::unique_ptr<RocksInspection>> store = RocksInspection::open(options.target);
  if (!store.ok()) {
    const bool damaged = store.status().is(StatusCode::kCorruption);
    const int failed = report_failure(store.status());
    if (!damaged) return failed;
    std::fprintf(stderr, "%s\n", advice(options.target).c_str());
    return kExitUnhealthy;
  }
  std::printf("%s\n", options.target.c_str());
  const uint64_t problems = Verification(**store, options).run();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;
  if (problems == 0) {
    std::printf("sound: no problems found in %.1f s\n", elapsed.count());
    return kExitOk;
  }
  std::printf("DAMAGED: %s problems found in %.1f s. %s\n", with_separators(problems).c_str(),
              elapsed.count(), advice(options.target).c_str());
  return kExitUnhealthy;
}

int verify(const VerifyOptions& options) {
  std::error_code ignored;
  const Result<Endpoint> endpoint = parse_endpoint(options.target);
  if (std::filesystem::exists(options.target, ignored) || !endpoint.ok() ||
      endpoint->kind != Endpoint::Kind::kNode) {
    if (options.mend_from.empty()) return verify_directory(options);
    return report_failure(Status::invalid_argument(
        "--mend-from is for running nodes: start the one on " + options.target + " first"));
  }
  const auto address_of = [&](const Endpoint& of) {
    NodeAddress address = of.address;
    address.user = options.user;
    address.password = options.password;
    address.timeout_s = options.timeout_s;
    return address;
  };
  const NodeAddress address = address_of(*endpoint);
  if (options.mend_from.empty()) return verify_node(address, options.max_problems, nullptr);
  const Result<Endpoint> source = parse_endpoint(options.mend_from);
  if (!source.ok()) return report_failure(source.status());
  if (source->kind != Endpoint::Kind::kNode) {
    return report_failure(
        Status::invalid_argument("--mend-from takes HOST:PORT of a Syntropy node"));
  }
  const NodeAddress source_address = address_of(*source);
  return verify_node(address, options.max_problems, &source_address);
}

}  // namespace

void add_verify_command(CLI::App& app, int* exit_code) {
  const auto options = std::make_shared<VerifyOptions>();
  CLI::App* const command =
      app.add_subcommand("verify", "Check the data of a node, running or not, or a snapshot");
  command->set_help_flag("--help", "Explain and exit");
  command
      ->add_option("TARGET", options->target,
                   "A directory (a node's 'dir', or a snapshot), or a running node's HOST:PORT")
      ->required();
  command->add_option("--mend-from", options->mend_from,
                      "HOST:PORT of a node that has the same rows: takes from it those that are "
                      "rotten or lost");
  command->add_option("--max-problems", options->max_problems, "Name at most so many bad records")
      ->capture_default_str();
  command
      ->add_option("-a,--password", options->password,
                   "Password of the node; others on this machine can read it in the list of "
                   "processes, SYNTROPY_PASSWORD they cannot")
      ->envname("SYNTROPY_PASSWORD");
  command->add_option("--user", options->user, "User to authenticate as");
  command->add_option("--timeout", options->timeout_s, "Seconds to wait for the node's answers")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 86400.0));
  command->footer(
      "Of a directory it reads everything: compares each block of the table files with its\n"
      "checksum, decodes each record, recounts the keys of each database, compares the expiry\n"
      "index with the rows, and the rows with the node's trees, if it has saved them. Changes\n"
      "nothing; while it runs, no node can start on the directory.\n"
      "\n"
      "Of a running node it has all rows held against the trees, that is, against what was\n"
      "written; the node goes on serving. With --mend-from it takes back, from a replica say,\n"
      "just those rows that it has lost or that the disk has changed.\n"
      "\n"
      "Exit code: 0 sound, 1 damaged (each problem stands behind PROBLEM), 2 could not be checked\n"
      "(no store, a node is running on it, no node answers).\n"
      "\n"
      "Examples:\n"
      "  syntropy verify /var/lib/syntropy\n"
      "  syntropy verify \"$(syntropy snapshot)\"      of a running node\n"
      "  syntropy verify db1:7379\n"
      "  syntropy verify db1:7379 --mend-from db2:7379");
  command->callback([options, exit_code] { *exit_code = verify(*options); });
}

}  // namespace syntropy
