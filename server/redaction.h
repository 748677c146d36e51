// Redaction: keeps passwords out of what the server shows of commands (MONITOR, SLOWLOG).
//
// Thread safety: pure function.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace syntropy {

/// The arguments as they may be shown: passwords (and the user names with them) of AUTH and HELLO,
/// and values that CONFIG SET gives to sensitive options, are replaced by "(redacted)".
///
/// `command` is the full_name() of the command ("config|set"), whatever rename-command made of
/// args[0].
/// Returns `args` itself when there is nothing to hide, otherwise a view of `*storage`.
std::span<const std::string_view> redact_arguments(std::string_view command,
                                                   std::span<const std::string_view> args,
                                                   std::vector<std::string_view>* storage);

}  // namespace syntropy
