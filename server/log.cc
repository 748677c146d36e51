#include "server/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

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

}  // namespace

Status open_log(const LogConfig& config) {
  try {
    if (!config.file.empty()) {
      spdlog::set_default_logger(spdlog::basic_logger_mt("syntropy", config.file));
    }
  } catch (const spdlog::spdlog_ex& error) {
    return Status::io_error("cannot open 'logfile' " + config.file + ": " + error.what());
  }
  spdlog::set_pattern("%P %d %b %Y %H:%M:%S.%e %^%l%$ %v");
  spdlog::flush_on(spdlog::level::info);
  set_log_level(config.level);
  return Status();
}

void set_log_level(LogLevel level) { spdlog::set_level(spdlog_level(level)); }

}  // namespace syntropy
