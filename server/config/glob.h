// Glob matching as Redis' KEYS, SCAN MATCH and CONFIG GET understand it.
//
//   *       any run of bytes, also none          ?      any one byte
//   [abc]   one of these bytes                   [^a]   any byte but these
//   [a-z]   a range; [z-a] means the same        \x     the byte x itself
//
// A pattern is always well-formed: a class that is not closed ends with the pattern, a lone
// backslash at the end stands for itself.
//
// Cost: at most |pattern| * |text| steps whatever the pattern; no recursion, no allocation.
// Thread safety: pure functions.
#pragma once

#include <string_view>

namespace syntropy {

/// True when `pattern` matches the whole of `text`, byte by byte. `nocase` folds ASCII letters.
bool glob_match(std::string_view pattern, std::string_view text, bool nocase = false);

}  // namespace syntropy
