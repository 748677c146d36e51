// `syntropy import`: writes the keys of a Redis dump to a running node, or to a cluster.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>

#include "tools/cli/commands.h"
#include "tools/cli/progress.h"
#include "tools/cli/rdb_import.h"
#include "tools/cli/resp_key_server.h"

namespace syntropy {
namespace {

struct ImportOptions {
  NodeAddress address;
  std::string dump;
  bool skip_types = false;
  bool replace = false;
  bool dry_run = false;
};

std::string names_of(const std::map<std::string, uint64_t>& others) {
  std::string text;
  for (const auto& [type, count] : others) {
    text += (text.empty() ? "" : ", ") + type + " (" + with_separators(count) + ")";
  }
  return text;
}

// The server's databases, each opened when it is first wanted.
class Databases {
 public:
  explicit Databases(const NodeAddress& address) : address_(address) {}

  Result<KeyServer*> open(uint32_t database) {
    auto& server = servers_[database];
    if (server == nullptr) {
      auto opened = RespKeyServer::open(address_, database, ScanOptions(), clock_);
      if (!opened.ok()) return opened.status();
      server = *std::move(opened);
    }
    return server.get();
  }

 private:
  const NodeAddress& address_;
  SystemClock clock_;
  std::map<uint32_t, std::unique_ptr<RespKeyServer>> servers_;
};

Status in_file(const std::string& path, const Status& why) {
  return {why.code(), path + ": " + std::string(why.message())};
}

void print_counts(const RdbImportCounts& counts, uint64_t seconds) {
  std::printf("%s keys written in %s\n", with_separators(counts.written).c_str(),
              duration_text(seconds).c_str());
  const auto line = [](uint64_t count, const char* what) {
    if (count != 0) std::printf("  %s %s\n", with_separators(count).c_str(), what);
  };
  line(counts.kept, "were there already and are as they were (--replace overwrites them)");
  line(counts.expired, "had expired");
  line(counts.left_out, "left out, as they are no strings");
  line(counts.failed, "refused:");
  for (const std::string& failure : counts.failures) {
    std::printf("    %s\n", failure.c_str());
  }
}

int import_dump(const ImportOptions& options) {
  using Clock = std::chrono::steady_clock;
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(options.dump, error);
  std::ifstream dump(options.dump, std::ios::binary);
  if (error || !dump) return report_failure(Status::io_error("can't read " + options.dump));
  const auto now_ms = static_cast<int64_t>(SystemClock().wall_us() / 1000);
  Progress line;
  const Result<RdbSurvey> survey = RdbImport::survey(
      dump, now_ms, [&](uint64_t bytes) { line.show("reading the dump", bytes, size); });
  line.clear();
  if (!survey.ok()) return report_failure(in_file(options.dump, survey.status()));
  const std::string others = names_of(survey->others);
  if (options.dry_run) {
    std::printf("%s strings, %s of them expired\n", with_separators(survey->strings).c_str(),
                with_separators(survey->expired).c_str());
    for (const auto& [database, strings] : survey->databases) {
      std::printf("  database %s: %s\n", std::to_string(database).c_str(),
                  with_separators(strings).c_str());
    }
    if (!others.empty()) std::printf("not to be imported: %s\n", others.c_str());
    return others.empty() ? kExitOk : kExitUnhealthy;
  }
  if (!others.empty() && !options.skip_types) {
    return report_failure(Status::invalid_argument(
        options.dump + " has types that Syntropy doesn't have: " + others +
        ". Nothing was written. --skip-types imports the strings and leaves these out"));
  }
  Databases databases(options.address);
  // All that can't be opened is found before the first write.
  for (const auto& [database, strings] : survey->databases) {
    const auto opened = databases.open(database);
    if (!opened.ok()) return report_failure(opened.status());
  }
  RdbImport import({options.replace, now_ms},
                   [&](uint32_t database) { return databases.open(database); });
  dump.clear();
  dump.seekg(0);
  const auto begun = Clock::now();
  const Status done = import.run(dump, [&](uint64_t bytes) { line.show("writing", bytes, size); });
  line.clear();
  const auto took = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begun);
  print_counts(import.counts(), static_cast<uint64_t>(took.count()));
  if (!done.ok()) return report_failure(done);
  return import.counts().failed == 0 ? kExitOk : kExitUnhealthy;
}

}  // namespace

void add_import_command(CLI::App& app, int* exit_code) {
  const auto options = std::make_shared<ImportOptions>();
  CLI::App* const command =
      app.add_subcommand("import", "Write the keys of a Redis dump (an RDB file) to a node");
  command->add_option("dump", options->dump, "The file, such as dump.rdb")
      ->required()
      ->check(CLI::ExistingFile);
  add_address_options(*command, &options->address);
  command->add_flag("--skip-types", options->skip_types,
                    "Leave out what isn't a string, instead of stopping");
  command->add_flag("--replace", options->replace, "Overwrite keys that are there already");
  command->add_flag("--dry-run", options->dry_run, "Only tell what is in the dump");
  command->footer(
      "The dump is read to its end first: if it is damaged, or has types that Syntropy doesn't\n"
      "have, nothing is written. Expiries are kept, expired keys are left out, databases go into\n"
      "those of the same number. To a member of a cluster each key goes to the node of its slot.\n"
      "To copy from a Redis that runs, use 'syntropy repair redis://... HOST:PORT'.\n"
      "\n"
      "Exit code: 0 imported; 1 some keys were refused (--dry-run: would be left out); 2 not\n"
      "imported.\n"
      "\n"
      "Examples:\n"
      "  syntropy import --dry-run dump.rdb               what is in it?\n"
      "  syntropy import dump.rdb -h db1 -p 7379");
  command->callback([options, exit_code] { *exit_code = import_dump(*options); });
}

}  // namespace syntropy
