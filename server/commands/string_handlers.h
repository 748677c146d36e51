// The handlers of the string commands, by which string_table.cc lists them. Each file that defines
// some of them is about one part: whole values (strings.cc), parts of values (strings_partial.cc),
// numbers (strings_numeric.cc), LCS (lcs.cc).
//
// Thread safety: as server/command.h says of handlers.
#pragma once

#include "server/command.h"

namespace syntropy {

// strings.cc
void get_command(Call& call);
void getdel_command(Call& call);
void getex_command(Call& call);
void getset_command(Call& call);
void mget_command(Call& call);
void mset_command(Call& call);
void msetnx_command(Call& call);
void psetex_command(Call& call);
void set_command(Call& call);
void setex_command(Call& call);
void setnx_command(Call& call);

// strings_partial.cc
void append_command(Call& call);
void getrange_command(Call& call);  // SUBSTR as well
void setrange_command(Call& call);
void strlen_command(Call& call);

// strings_numeric.cc
void decr_command(Call& call);
void decrby_command(Call& call);
void incr_command(Call& call);
void incrby_command(Call& call);
void incrbyfloat_command(Call& call);

// lcs.cc
void lcs_command(Call& call);

}  // namespace syntropy
