// Log: where the node's log goes and how much of it, over spdlog's default logger.
//
// Thread safety: open_log() once, before other threads start; the rest from any thread.
#pragma once

#include "server/config/config.h"
#include "storage/base/status.h"

namespace syntropy {

/// Opens `logfile` (standard output when empty) and sets format and level. kIoError when the file
/// cannot be opened.
Status open_log(const LogConfig& config);

/// The option loglevel.
void set_log_level(LogLevel level);

}  // namespace syntropy
