// Feeds a RequestParser as a session does: bytes arrive in pieces, consumed ones are dropped, and
// those that stay move to other addresses.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "server/resp/parser.h"

namespace syntropy {

using Command = std::vector<std::string>;

/// What a parser made of a stream.
struct Parsed {
  std::vector<Command> commands;
  std::string error;  // empty: none
  size_t left = 0;    // bytes of an unfinished command at the end; 0 after an error
  bool operator==(const Parsed&) const = default;
};

class Feeder {
 public:
  explicit Feeder(RequestParser* parser) : parser_(parser) {}

  /// Appends `piece` and parses as far as it goes. Nothing is taken after an error.
  void feed(std::string_view piece) {
    if (!parsed_.error.empty()) return;
    // A new string each time: views kept into the old one would be seen by AddressSanitizer.
    unparsed_ = std::string(unparsed_).append(piece);
    std::string_view rest = unparsed_;
    for (;;) {
      size_t consumed = 0;
      const ParseResult result = parser_->parse(rest, &consumed, &args_);
      rest.remove_prefix(consumed);
      if (result == ParseResult::kError) {
        parsed_.error = parser_->message();
        rest = {};
      }
      if (result != ParseResult::kCommand) break;
      parsed_.commands.emplace_back(args_.begin(), args_.end());
    }
    unparsed_ = std::string(rest);
    parsed_.left = unparsed_.size();
  }

  const Parsed& parsed() const { return parsed_; }

 private:
  RequestParser* parser_;
  std::string unparsed_;
  std::vector<std::string_view> args_;
  Parsed parsed_;
};

/// Parses `input` cut at the given ascending offsets.
inline Parsed parse_cut(std::string_view input, const std::vector<size_t>& cuts,
                        RequestParser parser = RequestParser()) {
  Feeder feeder(&parser);
  size_t start = 0;
  for (const size_t cut : cuts) {
    feeder.feed(input.substr(start, cut - start));
    start = cut;
  }
  feeder.feed(input.substr(start));
  return feeder.parsed();
}

inline Parsed parse_whole(std::string_view input, RequestParser parser = RequestParser()) {
  return parse_cut(input, {}, std::move(parser));
}

/// A command as clients send it.
inline std::string multibulk(const Command& args) {
  std::string bytes = "*" + std::to_string(args.size()) + "\r\n";
  for (const std::string& arg : args) {
    bytes += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
  }
  return bytes;
}

}  // namespace syntropy
