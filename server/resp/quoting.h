// Quoting of arguments in text: inline commands, configuration lines, MONITOR and SLOWLOG output.
//
// Grammar of a line, as Redis 7.0 reads it (blank = SP, HT, LF, VT, FF or CR):
//   line   = *blank [ arg *( 1*blank arg ) ] *blank
//   arg    = 1*( plain / double / single )           a blank or the end follows a closing quote
//   plain  = any byte but SP HT LF CR, '"' and "'"   VT and FF separate only where an arg may begin
//   double = '"' *( '\x' 2hex / '\' byte / byte ) '"'   \n \r \t \b \a are those control characters,
//                                                    any other escaped byte stands for itself
//   single = "'" *( "\'" / byte ) "'"                nothing but \' is an escape
//
// NUL is a byte like any other. Check vector: `a "b\x41\n" 'it\'s'` -> a | bA<LF> | it's
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace syntropy {

/// Splits `line` into `*args` (cleared first). False when a quote is not closed, or is followed by
/// something other than a blank; `*args` is then empty. An empty or blank line is no arguments.
bool split_inline(std::string_view line, std::vector<std::string>* args);

/// The same for a line without quotes, appending views into `line` to `*args`. False, with nothing
/// appended, when there is a quote.
bool split_unquoted(std::string_view line, std::vector<std::string_view>* args);

/// Appends `arg` in double quotes to `*out`, in a form that split_inline() reads back: \\ \" \n \r
/// \t \a \b, and \xHH (lower case) for every other byte outside printable ASCII.
void append_quoted(std::string* out, std::string_view arg);
std::string quote_arg(std::string_view arg);

}  // namespace syntropy
