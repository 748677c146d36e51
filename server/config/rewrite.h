// CONFIG REWRITE: brings a configuration file up to date with the values in force.
//
// What stays: comments, empty lines, includes, the order, and all lines of the options for which
// the file, with what it includes, already gives the value in force. The line of any other option
// is replaced where it stands; when it stands on several lines, the superseded ones go. What the
// file then still does not give, because it has no line for it or an include further down overrides
// it, is appended under a comment that says so.
//
// The new content is loaded before it is written: unless a start from it gives exactly the values
// in force, the file stays as it is.
//
// Thread safety: callers take turns per file.
#pragma once

#include <string>
#include <string_view>

#include "server/config/config.h"
#include "storage/base/status.h"

namespace syntropy {

/// The new content of the file at `path` that now holds `text`. Reads the files that it includes.
Result<std::string> rewritten_config_text(std::string_view text, const std::string& path,
                                          const Config& config);

/// Rewrites the file, creating it when missing. Atomic and durable: after a crash there is the old
/// content or the new one. Keeps the file's mode, and follows a symbolic link. The message of a
/// failure is the reason alone.
Status rewrite_config_file(const std::string& path, const Config& config);

}  // namespace syntropy
