// OBJECT: how a key's value is stored, as far as that means anything here.
//
// Thread safety: free functions.
#pragma once

#include <span>
#include <string_view>

#include "server/command.h"

namespace syntropy {

/// The subcommands of OBJECT.
std::span<const CommandSpec> object_subcommands();

/// What clients know as the type of a live row ("string", "zset", ...).
std::string_view type_name(RowKind kind);

}  // namespace syntropy
