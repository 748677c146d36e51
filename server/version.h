// The version of this build, and the Redis version whose behaviour it has.
//
// Thread safety: constants.
#pragma once

#include <string_view>

namespace syntropy {

/// Of the project, such as "0.1.0".
std::string_view server_version();

/// What HELLO and INFO tell clients that decide by it which commands they may use.
inline constexpr std::string_view kRedisVersion = "7.0.15";

}  // namespace syntropy
