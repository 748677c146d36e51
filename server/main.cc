// syntropyd: one Syntropy node as a process.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "server/config/help.h"
#include "server/config/load.h"
#include "server/config/options.h"
#include "server/config/sd_notify.h"
#include "server/log.h"
#include "server/server.h"
#include "server/version.h"

namespace syntropy {
namespace {

Status write_pid_file(const std::string& path) {
  if (path.empty()) return Status();
  std::ofstream file(path, std::ios::trunc);
  file << ::getpid() << '\n';
  file.close();
  if (!file) return Status::io_error("cannot write 'pidfile' " + path);
  return Status();
}

int fail(const Status& status) {
  std::cerr << "syntropyd: " << status.message() << std::endl;
  return 1;
}

int serve(const Invocation& invocation) {
  const Config& config = invocation.config;
  Status ready = open_log(config.log);
  if (!ready.ok()) return fail(ready);
  spdlog::info("syntropyd {} starts, process {}", server_version(), ::getpid());
  for (const std::string& setting : loggable_settings(config)) spdlog::info("{}", setting);
  Result<std::unique_ptr<Server>> server = Server::open(config, invocation.file);
  if (!server.ok()) {
    spdlog::error("{}", server.status().message());
    return fail(server.status());
  }
  (*server)->handle_signals();
  ready = (*server)->listen();
  if (ready.ok()) ready = write_pid_file(config.general.pid_file);
  if (!ready.ok()) {
    spdlog::error("{}", ready.message());
    return fail(ready);
  }
  spdlog::info("ready to accept connections on port {}", (*server)->port());
  if (config.general.supervised != Supervision::kNone && service_manager_waits()) {
    const Status told = notify_service_manager("READY=1");
    if (!told.ok()) spdlog::warn("{}", told.message());
  }
  const Status ended = (*server)->run();
  if (!config.general.pid_file.empty()) ::unlink(config.general.pid_file.c_str());
  spdlog::info("bye");
  return ended.ok() ? 0 : 1;
}

int run(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  Result<Invocation> invocation = load_config(arguments, std::cin);
  if (!invocation.ok()) return fail(invocation.status());
  switch (invocation->action) {
    case Invocation::Action::kHelp:
      std::cout << help_text();
      return 0;
    case Invocation::Action::kVersion:
      std::cout << "syntropyd " << server_version() << '\n';
      return 0;
    case Invocation::Action::kServe:
      break;
  }
  return serve(*invocation);
}

}  // namespace
}  // namespace syntropy

// jemalloc's options: memory that is free goes back to the system within a second, by a thread of
// its own, so that the resident memory is what the caches and buffers hold.
extern "C" const char* malloc_conf;
const char* malloc_conf = "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0";

int main(int argc, char** argv) { return syntropy::run(argc, argv); }
