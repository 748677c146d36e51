// RespReply: a server's reply with its type kept, so that null, an empty text, a number and an
// error are told apart.
//
// Thread safety: values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace syntropy {

/// A command and its arguments.
using RespCommand = std::vector<std::string>;

struct RespReply {
  enum class Type : uint8_t { kNil, kText, kInteger, kError, kArray };

  Type type = Type::kNil;
  int64_t integer = 0;              // kInteger
  std::string text;                 // kText: a bulk or a status; kError: with its prefix
  std::vector<RespReply> elements;  // kArray; maps and sets are arrays too

  bool is_nil() const { return type == Type::kNil; }
  bool is_text() const { return type == Type::kText; }
  bool is_integer() const { return type == Type::kInteger; }
  bool is_array() const { return type == Type::kArray; }
  bool is_error() const { return type == Type::kError; }
  /// Whether it is an error that begins with `prefix`: "MOVED ", "WRONGTYPE".
  bool is_error(std::string_view prefix) const {
    return is_error() && std::string_view(text).starts_with(prefix);
  }
};

}  // namespace syntropy
