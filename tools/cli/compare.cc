// `syntropy compare`: which keys differ between two sides? `syntropy repair`: make them equal.
#include "tools/cli/compare.h"

#include <map>
#include <memory>

#include "tools/cli/commands.h"

namespace syntropy {
namespace {

const std::map<std::string, Direction> kDirections = {
    {"push", Direction::kPush}, {"pull", Direction::kPull}, {"both", Direction::kBoth}};

constexpr char kCompareFooter[] =
    "Reads both sides and changes nothing; nodes may be in use. A and B are each\n"
    "  HOST:PORT                                      a Syntropy node\n"
    "  DIRECTORY (with a '/' in it)                   of a node that isn't running, or a snapshot\n"
    "  redis://[USER:PASSWORD@]HOST[:PORT][/DB]       any server that speaks the Redis protocol,\n"
    "                                                 alone or as a cluster; rediss:// over TLS\n"
    "\n"
    "Nodes and directories are compared row by row: by sums that they keep of their rows, in a "
    "few\n"
    "round trips, versions included. With a redis:// side, and with --match, --db, --ignore-ttl,\n"
    "--ttl-tolerance or --delete, all keys are walked and compared by type, value and expiry.\n"
    "\n"
    "A key that seems to differ is looked at again before it counts, so that what is on its way\n"
    "from one to the other is no false alarm. Differences come out as\n"
    "  missing here    at B only\n"
    "  missing there   at A only\n"
    "  different       on both sides, not equal\n"
    "  unsupported     a type that the other side does not have\n"
    "  changing        not the same on two looks\n"
    "\n"
    "Exit code: 0 equal, 1 different, 2 could not be compared.\n"
    "\n"
    "Examples:\n"
    "  syntropy compare one:7379 other:7379                is the replica what the primary is?\n"
    "  syntropy compare \"$(syntropy snapshot)\" other:7379  is the backup?\n"
    "  syntropy compare redis://old:6379 new:7379          has everything arrived?\n"
    "  syntropy compare redis://old/1 redis://new/1 --match 'user:*' --output json\n"
    "  SYNTROPY_PASSWORD_A=... syntropy compare rediss://old:6380 new:7379 --cacert ca.pem\n"
    "  syntropy compare redis://old new:7379 --limit-bytes-per-second 10MB";

constexpr char kRepairFooter[] =
    "Compares as 'syntropy compare' does, and mends what differs.\n"
    "\n"
    "Between nodes and directories, row by row: of two versions of a row the newer one wins, on\n"
    "whichever side it is, and a deletion is a version too. Nothing is lost by it, also while "
    "both\n"
    "are written to. Afterwards they are compared once more.\n"
    "  --direction both    both become equal (the default)\n"
    "  --direction push    B gets what is newer at A\n"
    "  --direction pull    A gets what is newer at B\n"
    "\n"
    "Key by key, with a redis:// side:\n"
    "  --direction push    B becomes like A (the default)\n"
    "  --direction pull    A becomes like B\n"
    "  --direction both    each side gets the keys that it lacks; keys that are on both sides and\n"
    "                      differ are left, for nothing tells which is the newer\n"
    "Nothing is deleted without --delete. A key that is written at the target while it is being\n"
    "copied loses that write: let only one side take writes, or none.\n"
    "\n"
    "Exit code: 0 nothing differs any more, 1 something still does (with --dry-run: something "
    "would\n"
    "be done), 2 failed.\n"
    "\n"
    "Examples:\n"
    "  syntropy repair one:7379 other:7379                    make two nodes equal\n"
    "  syntropy repair /backup/today/ db1:7379 --direction push   bring back what db1 lost\n"
    "  syntropy repair redis://old:6379 new:7379 --dry-run    what would be copied to new?\n"
    "  syntropy repair redis://old:6379 new:7379              copy it\n"
    "  syntropy repair redis://old:6379 new:7379 --delete     and delete what old does not have";

}  // namespace

void add_compare_command(CLI::App& app, int* exit_code) {
  const auto options = std::make_shared<CompareOptions>();
  CLI::App* const command =
      app.add_subcommand("compare", "Find what differs between two nodes, directories or servers");
  add_compare_options(*command, options.get());
  command->footer(kCompareFooter);
  command->callback([options, exit_code] { *exit_code = run_compare(*options); });
}

void add_repair_command(CLI::App& app, int* exit_code) {
  const auto options = std::make_shared<CompareOptions>();
  options->repair.emplace();
  CLI::App* const command =
      app.add_subcommand("repair", "Make two nodes, directories or servers equal");
  add_compare_options(*command, options.get());
  command->add_option("--direction", "Which way keys are copied, see below")
      ->check(CLI::IsMember({"push", "pull", "both"}))
      ->each([options](const std::string& name) {
        options->repair->direction = kDirections.at(name);
        options->direction_chosen = true;
      });
  command->add_flag("--delete", options->repair->erase,
                    "Delete keys that the other side does not have");
  command->add_flag("--dry-run", options->repair->dry_run, "Tell what would be done, do nothing");
  command->footer(kRepairFooter);
  command->callback([options, exit_code] {
    if (options->repair->erase && options->repair->direction == Direction::kBoth) {
      throw CLI::ValidationError("--delete", "a key that one side lacks is copied with both");
    }
    *exit_code = run_compare(*options);
  });
}

}  // namespace syntropy
