// The handlers of the bitmap commands, by which bitmap_table.cc lists them, and what their two
// files (bitmaps.cc, bitfield.cc) share.
//
// Thread safety: as server/command.h says of handlers.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "server/command.h"

namespace syntropy {

/// A bit's position, or nothing after replying with an error. With `width` not 0, "#n" means n
/// times `width`.
std::optional<uint64_t> parse_bit_offset(Call& call, std::string_view text, unsigned width = 0);

// bitmaps.cc
void bitcount_command(Call& call);
void bitop_command(Call& call);
void bitpos_command(Call& call);
void getbit_command(Call& call);
void setbit_command(Call& call);

// bitfield.cc
void bitfield_command(Call& call);
void bitfield_ro_command(Call& call);

}  // namespace syntropy
