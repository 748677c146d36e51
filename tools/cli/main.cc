// syntropy: the command line tool. Looks after running nodes and their data.
#include <cstdio>
#include <string>

#include "server/version.h"
#include "tools/cli/commands.h"

namespace syntropy {
namespace {

constexpr char kExamples[] =
    "Examples:\n"
    "  syntropy status                          is the node on 127.0.0.1:7379 well?\n"
    "  syntropy status -h db1 -p 7400 --json    the same of another one, for a program\n"
    "  syntropy snapshot                        make a snapshot of it, print where it is\n"
    "  syntropy verify ./data                   check the data of a node that is not running\n"
    "  syntropy verify 127.0.0.1:7379           of one that is: its rows, against its trees\n"
    "  syntropy salvage ./data                  it doesn't start any more: keep what is left\n"
    "  syntropy cluster status                  which nodes are there, and who owns which slots?\n"
    "  syntropy cluster rebalance               give every primary its share of the slots\n"
    "  syntropy import dump.rdb                 write the keys of a Redis dump to it\n"
    "  syntropy compare one:7379 other:7379           which rows differ? 'repair' mends them\n"
    "  syntropy compare redis://old:6379 new:7379     which keys differ? 'repair' copies them\n"
    "\n"
    "'syntropy COMMAND --help' explains a command. To read and write keys, use redis-cli.";

int run(int argc, char** argv) {
  CLI::App app("Looks after Syntropy nodes and their data.", "syntropy");
  app.set_help_flag("--help", "Explain and exit");
  app.set_version_flag("--version", "syntropy " + std::string(server_version()),
                       "Print the version and exit");
  app.require_subcommand(1);
  app.footer(kExamples);
  int exit_code = kExitOk;
  add_status_command(app, &exit_code);
  add_cluster_command(app, &exit_code);
  add_compare_command(app, &exit_code);
  add_import_command(app, &exit_code);
  add_repair_command(app, &exit_code);
  add_salvage_command(app, &exit_code);
  add_simulate_command(app, &exit_code);
  add_snapshot_command(app, &exit_code);
  add_verify_command(app, &exit_code);
  add_version_command(app, &exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return exit_code;
}

}  // namespace

int report_failure(const Status& why) {
  std::fprintf(stderr, "syntropy: %s\n", std::string(why.message()).c_str());
  return kExitFailed;
}

}  // namespace syntropy

int main(int argc, char** argv) { return syntropy::run(argc, argv); }
