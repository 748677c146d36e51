// Readiness messages to systemd, as Type=notify services send them (sd_notify(3)): one datagram to
// the unix socket that the environment variable NOTIFY_SOCKET names.
//
// Thread safety: callable from any thread, as long as none changes the environment.
#pragma once

#include <string_view>

#include "storage/base/status.h"

namespace syntropy {

/// True when a service manager waits for messages, that is, NOTIFY_SOCKET is set.
bool service_manager_waits();

/// Sends `state`, for example "READY=1\nSTATUS=..." or "STOPPING=1". kUnavailable when no service
/// manager waits; kIoError when the socket refuses.
Status notify_service_manager(std::string_view state);

}  // namespace syntropy
