// What COMMAND reports of commands beyond their specs: tips for clients that spread requests over
// a cluster, notes, deprecations; and where exactly the keys of a command are.
//
// Thread safety: pure functions.
#pragma once

#include <string_view>
#include <vector>

#include "server/command.h"

namespace syntropy {

struct CommandFacts {
  std::string_view name = {};              // full name, such as "client|list"
  std::string_view tips = {};              // blank-separated
  std::string_view deprecated_since = {};  // a Redis version
  std::string_view replaced_by = {};
  std::string_view key_notes = {};
};

/// Never null; an entry with nothing but empty texts when there is nothing to say.
const CommandFacts& command_facts(std::string_view full_name);

/// A key specification in the sense of COMMAND INFO: search begins at an index, and from there on
/// every `step`th argument up to `last` is a key.
struct KeySpecPart {
  int index;
  int last;  // from `index` on; negative: from the end of the arguments
  int step;
  std::string_view flags;  // blank-separated, as in KeySpec
};

/// A spec whose flags are joined with '|' describes keys that are used differently: all flags but
/// the last stand for one key each, in order, and the last ones for the remaining keys.
std::vector<KeySpecPart> key_spec_parts(const KeySpec& keys);

/// Calls `visit` with each of the blank-separated words.
template <class Visitor>
void for_each_word(std::string_view words, const Visitor& visit) {
  while (!words.empty()) {
    const size_t end = words.find(' ');
    if (end != 0) visit(words.substr(0, end));
    words.remove_prefix(end == words.npos ? words.size() : end + 1);
  }
}

size_t count_words(std::string_view words);

}  // namespace syntropy
