// The argument tree of a command, read from its `syntax` text, as COMMAND DOCS reports it.
//
//   syntax    = alternatives
//   choice    = sequence *( "|" sequence )
//   sequence  = *item
//   item      = word                    upper case: a literal token; else the name of a value
//             / "[" choice "]"          optional
//             / "<" choice ">"          grouped
//             / "[" sequence "..." "]"  any number of times; what stands in front of it is the
//                                       first time when it reads the same, as in "key [key ...]"
//
// Within brackets "|" separates whole sequences. Outside of them it does so when blanks are around
// it, and otherwise it separates single items: "AND|OR destkey" is <AND|OR> destkey.
//
// A token takes the value after it: "DB index" is one argument "index" with the token DB. When it
// begins a bracket it takes all that follows there: "[LIMIT offset count]" is one block.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace syntropy {

enum class ArgumentType : unsigned char {
  kString,
  kInteger,
  kDouble,
  kKey,
  kPattern,
  kUnixTime,
  kPureToken,
  kOneOf,
  kBlock,
};

/// "string", "pure-token", ...: as COMMAND DOCS names it.
std::string_view argument_type_name(ArgumentType type);

struct SyntaxArgument {
  std::string name;
  ArgumentType type = ArgumentType::kString;
  std::string token;  // in front of the value, or the whole of a pure token; else empty
  bool optional = false;
  bool multiple = false;                  // may be given several times
  bool multiple_token = false;            // and the token with it
  int key_spec = -1;                      // of a key: its place among the key arguments, from 0
  std::vector<SyntaxArgument> arguments;  // of kOneOf and kBlock

  bool operator==(const SyntaxArgument&) const = default;
};

/// The arguments in order; kInvalidArgument, with a message that says where, for a text that
/// doesn't follow the grammar above.
Result<std::vector<SyntaxArgument>> parse_syntax(std::string_view syntax);

}  // namespace syntropy
