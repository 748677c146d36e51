#include "server/commands/syntax.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

namespace syntropy {
namespace {

using Arguments = std::vector<SyntaxArgument>;

constexpr std::array<std::string_view, 31> kIntegers = {"bit",
                                                        "bits",
                                                        "bytes",
                                                        "client-id",
                                                        "count",
                                                        "cursor",
                                                        "db",
                                                        "decrement",
                                                        "destination-db",
                                                        "end",
                                                        "frequency",
                                                        "increment",
                                                        "index",
                                                        "index1",
                                                        "index2",
                                                        "len",
                                                        "milliseconds",
                                                        "numreplicas",
                                                        "offset",
                                                        "port",
                                                        "protover",
                                                        "seconds",
                                                        "start",
                                                        "timeout",
                                                        "ttl",
                                                        "samples",
                                                        "slot",
                                                        "start-slot",
                                                        "end-slot",
                                                        "config-epoch",
                                                        "cluster-bus-port"};
constexpr std::array<std::string_view, 8> kKeys = {"key",    "key1",    "key2",        "newkey",
                                                   "source", "destkey", "destination", "numkey"};

template <class Names>
bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

ArgumentType type_of_value(std::string_view name) {
  if (contains(kKeys, name)) return ArgumentType::kKey;
  if (contains(kIntegers, name)) return ArgumentType::kInteger;
  if (name == "pattern") return ArgumentType::kPattern;
  if (name.starts_with("unix-time")) return ArgumentType::kUnixTime;
  if (name.starts_with("float-")) return ArgumentType::kDouble;
  return ArgumentType::kString;
}

bool is_token(std::string_view word) {
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  return std::any_of(word.begin(), word.end(), is_upper) &&
         std::none_of(word.begin(), word.end(), is_lower);
}

std::string lower(std::string_view word) {
  std::string result(word);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return result;
}

SyntaxArgument word_argument(std::string_view word) {
  SyntaxArgument argument;
  argument.name = lower(word);
  if (is_token(word)) {
    argument.type = ArgumentType::kPureToken;
    argument.token = word;
  } else {
    argument.type = type_of_value(word);
  }
  return argument;
}

SyntaxArgument group_of(ArgumentType type, Arguments arguments) {
  SyntaxArgument group;
  group.type = type;
  for (const SyntaxArgument& argument : arguments) {
    if (!group.name.empty()) group.name += '_';
    group.name += argument.name;
  }
  group.arguments = std::move(arguments);
  return group;
}

/// One argument for a sequence: itself, or a block when there are several.
SyntaxArgument as_one(Arguments sequence) {
  if (sequence.size() == 1) return std::move(sequence.front());
  return group_of(ArgumentType::kBlock, std::move(sequence));
}

/// A value or group that may follow a token and be named by it.
bool takes_token(const SyntaxArgument& argument) {
  return argument.token.empty() && !argument.optional;
}

bool is_pure_token(const SyntaxArgument& argument) {
  return argument.type == ArgumentType::kPureToken && !argument.optional;
}

void give_token(SyntaxArgument* argument, std::string token) {
  assert(argument->token.empty());
  argument->token = std::move(token);
}

/// Joins tokens with the values that they announce.
Arguments bind_tokens(Arguments items, bool in_brackets) {
  const bool only_values_follow = items.size() > 2 && is_pure_token(items[0]) &&
                                  std::none_of(items.begin() + 1, items.end(), is_pure_token);
  if (in_brackets && only_values_follow) {
    std::string token = std::move(items.front().token);
    items.erase(items.begin());
    SyntaxArgument block = group_of(ArgumentType::kBlock, std::move(items));
    give_token(&block, std::move(token));
    return {std::move(block)};
  }
  Arguments bound;
  for (size_t i = 0; i < items.size(); ++i) {
    if (is_pure_token(items[i]) && i + 1 < items.size() && takes_token(items[i + 1])) {
      give_token(&items[i + 1], std::move(items[i].token));
      ++i;
    }
    bound.push_back(std::move(items[i]));
  }
  return bound;
}

class SyntaxParser {
 public:
  explicit SyntaxParser(std::string_view text) : text_(text) {}

  Result<Arguments> parse() {
    Arguments arguments = choice(0);
    if (error_.empty() && at_ != text_.size()) fail("unexpected character");
    if (!error_.empty()) return Status::invalid_argument(error_);
    number_keys(arguments);
    return arguments;
  }

 private:
  void fail(std::string_view what) {
    if (!error_.empty()) return;
    error_ = std::string(what) + " at '" + std::string(text_.substr(at_)) + "' of '" +
             std::string(text_) + "'";
  }

  void skip_blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }

  bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }

  bool take(std::string_view literal) {
    if (!text_.substr(at_).starts_with(literal)) return false;
    at_ += literal.size();
    return true;
  }

  Arguments choice(int depth) {
    Arguments alternatives;
    Arguments first = sequence(depth);
    skip_blanks();
    if (!next_is('|')) return first;
    alternatives.push_back(checked_alternative(std::move(first)));
    while (error_.empty() && take("|")) {
      alternatives.push_back(checked_alternative(sequence(depth)));
      skip_blanks();
    }
    return {group_of(ArgumentType::kOneOf, std::move(alternatives))};
  }

  SyntaxArgument checked_alternative(Arguments alternative) {
    if (alternative.empty()) {
      fail("empty alternative");
      return {};
    }
    return as_one(std::move(alternative));
  }

  Arguments sequence(int depth) {
    Arguments items;
    while (error_.empty()) {
      skip_blanks();
      if (at_ == text_.size() || next_is('|') || next_is(']') || next_is('>')) break;
      if (text_.substr(at_).starts_with("...")) break;
      if (next_is('[')) {
        bracket(depth, &items);
      } else {
        items.push_back(item(depth));
      }
    }
    return bind_tokens(std::move(items), depth > 0);
  }

  /// A word or group; at the top level with the alternatives that hang on it.
  SyntaxArgument item(int depth) {
    Arguments alternatives = {single(depth)};
    while (error_.empty() && depth == 0 && next_is('|')) {
      ++at_;
      alternatives.push_back(single(depth));
    }
    if (alternatives.size() == 1) return std::move(alternatives.front());
    return group_of(ArgumentType::kOneOf, std::move(alternatives));
  }

  SyntaxArgument single(int depth) {
    if (take("<")) {
      Arguments inner = choice(depth + 1);
      if (inner.empty()) fail("empty group");
      if (!take(">")) fail("no '>'");
      if (!error_.empty()) return {};
      return as_one(std::move(inner));
    }
    const size_t start = at_;
    at_ = std::min(text_.find_first_of(" []<>|", at_), text_.size());
    if (at_ == start) {
      fail("no word");
      return {};
    }
    return word_argument(text_.substr(start, at_ - start));
  }

  /// "[...]": an optional argument, or the repetition of what stands before it.
  void bracket(int depth, Arguments* items) {
    take("[");
    Arguments inner = choice(depth + 1);
    if (inner.empty()) fail("empty brackets");
    const bool repeats = take("...");
    skip_blanks();
    if (!take("]")) fail("no ']'");
    if (!error_.empty()) return;
    if (repeats && fold_repetition(items, inner, depth > 0)) return;
    SyntaxArgument argument = as_one(std::move(inner));
    argument.optional = true;
    argument.multiple = argument.multiple || repeats;
    items->push_back(std::move(argument));
  }

  /// Makes the end of `items` repeatable if it reads like `inner`: with its tokens not yet bound,
  /// as in "ID value [value ...]", or bound, as in "GET pattern [GET pattern ...]".
  static bool fold_repetition(Arguments* items, const Arguments& inner, bool in_brackets) {
    if (!ends_with(*items, inner)) {
      Arguments bound = bind_tokens(*items, in_brackets);
      if (!ends_with(bound, inner)) return false;
      *items = std::move(bound);
    }
    const auto first = items->end() - static_cast<std::ptrdiff_t>(inner.size());
    items->erase(first, items->end());
    SyntaxArgument repeated = as_one(inner);
    repeated.multiple = true;
    repeated.multiple_token = !repeated.token.empty();
    items->push_back(std::move(repeated));
    return true;
  }

  static bool ends_with(const Arguments& items, const Arguments& end) {
    return items.size() >= end.size() &&
           std::equal(end.begin(), end.end(),
                      items.end() - static_cast<std::ptrdiff_t>(end.size()));
  }

  void number_keys(Arguments& arguments) {
    for (SyntaxArgument& argument : arguments) {
      if (argument.type == ArgumentType::kKey) argument.key_spec = next_key_++;
      number_keys(argument.arguments);
    }
  }

  const std::string_view text_;
  size_t at_ = 0;
  int next_key_ = 0;
  std::string error_;
};

}  // namespace

std::string_view argument_type_name(ArgumentType type) {
  switch (type) {
    case ArgumentType::kString:
      return "string";
    case ArgumentType::kInteger:
      return "integer";
    case ArgumentType::kDouble:
      return "double";
    case ArgumentType::kKey:
      return "key";
    case ArgumentType::kPattern:
      return "pattern";
    case ArgumentType::kUnixTime:
      return "unix-time";
    case ArgumentType::kPureToken:
      return "pure-token";
    case ArgumentType::kOneOf:
      return "oneof";
    case ArgumentType::kBlock:
      return "block";
  }
  return "";
}

Result<std::vector<SyntaxArgument>> parse_syntax(std::string_view syntax) {
  return SyntaxParser(syntax).parse();
}

}  // namespace syntropy
