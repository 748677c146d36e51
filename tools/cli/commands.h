// The subcommands of `syntropy`, one file each, and what they share: exit codes, and how a failure
// is told.
//
// A subcommand is a function that declares its options on the application and says what is done
// when it was chosen. To add one: write its file, declare it here, call it in main.cc.
//
// Thread safety: one thread.
#pragma once

#include <CLI/CLI.hpp>

#include "storage/base/status.h"
#include "tools/cli/node_connection.h"

namespace syntropy {

/// What the process ends with. Wrong options end with another code, above 100.
enum ExitCode : int {
  kExitOk = 0,
  kExitUnhealthy = 1,  // the answer was found, and it is bad news: unhealthy, damaged, different
  kExitFailed = 2,     // the answer could not be found: unreachable, refused, not a store
};

/// Each declares one subcommand; when the user chose it, it sets *exit_code.
void add_cluster_command(CLI::App& app, int* exit_code);
void add_compare_command(CLI::App& app, int* exit_code);
void add_import_command(CLI::App& app, int* exit_code);
void add_repair_command(CLI::App& app, int* exit_code);
void add_salvage_command(CLI::App& app, int* exit_code);
void add_simulate_command(CLI::App& app, int* exit_code);
void add_snapshot_command(CLI::App& app, int* exit_code);
void add_status_command(CLI::App& app, int* exit_code);
void add_verify_command(CLI::App& app, int* exit_code);
void add_version_command(CLI::App& app, int* exit_code);

/// `syntropy verify HOST:PORT`; the exit code. `max_problems`: name at most so many.
int verify_node(const NodeAddress& address, size_t max_problems, const NodeAddress* mend_from);

/// Prints `syntropy: why` to the standard error and returns kExitFailed.
int report_failure(const Status& why);

}  // namespace syntropy
