// syntropyd: one Syntropy node as a process.
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "server/config/help.h"
#include "server/config/load.h"
#include "server/config/sd_notify.h"
#include "server/server.h"
#include "server/version.h"

namespace syntropy {
namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
    case LogLevel::kVerbose:
      return spdlog::level::debug;
    case LogLevel::kNotice:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kNothing:
      break;
  }
  return spdlog::level::off;
}

Status open_log(const LogConfig& config) {
  try {
    if (!config.file.empty()) {
      spdlog::set_default_logger(spdlog::basic_logger_mt("syntropy", config.file));
    }
  } catch (const spdlog::spdlog_ex& error) {
    return Status::io_error("cannot open 'logfile' " + config.file + ": " + error.what());
  }
  spdlog::set_pattern("%P %d %b %Y %H:%M:%S.%e %^%l%$ %v");
  spdlog::set_level(spdlog_level(config.level));
  spdlog::flush_on(spdlog::level::info);
  return Status();
}

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

int main(int argc, char** argv) { return syntropy::run(argc, argv); }
