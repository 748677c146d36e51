#include "server/config/glob.h"

#include <cstddef>
#include <utility>

namespace syntropy {
namespace {

unsigned char fold(char c, bool nocase) {
  const auto byte = static_cast<unsigned char>(c);
  return nocase && byte >= 'A' && byte <= 'Z' ? static_cast<unsigned char>(byte + ('a' - 'A'))
                                              : byte;
}

/// Matches `byte` against the class whose '[' is at `*at`, and moves `*at` behind the class.
bool match_class(std::string_view pattern, std::size_t* at, char text_byte, bool nocase) {
  const unsigned char byte = fold(text_byte, nocase);
  std::size_t i = *at + 1;
  const bool negated = i < pattern.size() && pattern[i] == '^';
  if (negated) ++i;
  bool found = false;
  while (i < pattern.size() && pattern[i] != ']') {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      found |= fold(pattern[i + 1], nocase) == byte;
      i += 2;
    } else if (i + 2 < pattern.size() && pattern[i + 1] == '-') {
      unsigned char low = fold(pattern[i], nocase);
      unsigned char high = fold(pattern[i + 2], nocase);
      if (low > high) std::swap(low, high);
      found |= low <= byte && byte <= high;
      i += 3;
    } else {
      found |= fold(pattern[i], nocase) == byte;
      ++i;
    }
  }
  *at = i < pattern.size() ? i + 1 : i;
  return found != negated;
}

/// Matches one byte of the text against the pattern's element at `*at` (not a star); on success
/// `*at` is behind the element.
bool match_one(std::string_view pattern, std::size_t* at, char text_byte, bool nocase) {
  switch (pattern[*at]) {
    case '?':
      ++*at;
      return true;
    case '[':
      return match_class(pattern, at, text_byte, nocase);
    case '\\':
      if (*at + 1 < pattern.size()) ++*at;
      [[fallthrough]];
    default:
      return fold(pattern[(*at)++], nocase) == fold(text_byte, nocase);
  }
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text, bool nocase) {
  // Only the last star met is ever retried: whatever an earlier star could swallow more, this one
  // can swallow as well. That bounds the work without recursion.
  constexpr std::size_t kNoStar = std::string_view::npos;
  std::size_t star = kNoStar;  // pattern position behind the last star
  std::size_t star_text = 0;   // text position up to which that star swallows
  std::size_t p = 0;
  std::size_t t = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      star_text = t;
      if (star == pattern.size()) return true;
      continue;
    }
    std::size_t behind = p;
    if (p < pattern.size() && match_one(pattern, &behind, text[t], nocase)) {
      p = behind;
      ++t;
    } else if (star != kNoStar) {
      p = star;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace syntropy
