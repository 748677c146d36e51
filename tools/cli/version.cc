// `syntropy version`.
#include "server/version.h"

#include <cstdio>
#include <string>

#include "storage/rocks_engine.h"
#include "tools/cli/commands.h"

namespace syntropy {

void add_version_command(CLI::App& app, int* exit_code) {
  CLI::App* const command =
      app.add_subcommand("version", "Print the version of this tool and of what it reads");
  command->set_help_flag("--help", "Explain and exit");
  command->callback([exit_code] {
    std::printf("syntropy %s (reads stores up to format %u, speaks the protocol of Redis %s)\n",
                std::string(server_version()).c_str(), kStoreFormat,
                std::string(kRedisVersion).c_str());
    *exit_code = kExitOk;
  });
}

}  // namespace syntropy
