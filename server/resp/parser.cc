#include "server/resp/parser.h"

#include <cassert>
#include <charconv>
#include <cstring>
#include <utility>

#include "server/resp/quoting.h"

namespace syntropy {
namespace {

// Containers that one unusual command made larger than this are given back after it.
constexpr size_t kKeptArgs = 64;

// Lengths of up to nine digits, which is all that real clients send, without the checks that the
// general form needs. Reads at `*at`, which must be below `end`; on success `*at` is behind the
// CR LF. False says nothing but "take the general way".
bool read_short_length(const char** at, const char* end, int64_t* length) {
  const char* p = *at;
  const auto first = static_cast<unsigned char>(*p - '0');
  if (first > 9) return false;
  int64_t value = first;
  ++p;
  const char* const stop = end - p > 8 ? p + 8 : end;
  while (p < stop) {
    const auto digit = static_cast<unsigned char>(*p - '0');
    if (digit > 9) break;
    value = value * 10 + digit;
    ++p;
  }
  if (end - p < 2 || *p != '\r') return false;
  if (first == 0 && p - *at > 1) return false;  // a leading zero is not a length
  *at = p + 2;
  *length = value;
  return true;
}

// The whole of `text` as a number in the one form that Redis takes: no sign but '-', no leading
// zero, no blank, no "-0".
bool read_length(std::string_view text, int64_t* length) {
  const std::string_view digits = text.substr(!text.empty() && text[0] == '-' ? 1 : 0);
  if (digits.empty()) return false;
  if (digits[0] == '0' && text.size() > 1) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *length);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

ParseResult RequestParser::parse(std::string_view input, size_t* consumed,
                                 std::vector<std::string_view>* args) {
  args->clear();
  *consumed = 0;
  if (failed_) return ParseResult::kError;
  if (inline_args_.capacity() > kKeptArgs) std::vector<std::string>().swap(inline_args_);
  size_t start = 0;
  for (;;) {
    const std::string_view rest = input.substr(start);
    switch (parse_command(rest, args)) {
      case Step::kDone:
        *consumed = start + position_;
        start_command();
        return ParseResult::kCommand;
      case Step::kEmpty:
        start += position_;
        start_command();
        break;
      case Step::kNeedMore:
        *consumed = start;
        return ParseResult::kNeedMore;
      case Step::kError:
        args->clear();
        return ParseResult::kError;
    }
  }
}

RequestParser::Step RequestParser::parse_command(std::string_view rest,
                                                 std::vector<std::string_view>* args) {
  assert(rest.size() >= position_);
  if (args_left_ == 0) {
    if (rest.empty()) return need_more(1);
    if (rest[0] != '*') return parse_inline(rest, args);
    const Step step = parse_multibulk_header(rest);
    if (step != Step::kDone) return step;
  }
  const Step step = parse_bulks(rest, args);
  if (step == Step::kNeedMore) {
    save_args(rest, args);
  } else if (step == Step::kDone && !spans_.empty()) {
    restore_args(rest, args);
  }
  return step;
}

RequestParser::Step RequestParser::parse_inline(std::string_view rest,
                                                std::vector<std::string_view>* args) {
  size_t line_size;
  const Step step = find_line(rest, '\n', "too big inline request", &line_size);
  if (step != Step::kDone) return step;
  position_ = line_size + 1;
  if (line_size > 0 && rest[line_size - 1] == '\r') --line_size;
  const std::string_view line = rest.substr(0, line_size);
  if (!split_unquoted(line, args)) {
    if (!split_inline(line, &inline_args_)) return fail("unbalanced quotes in request");
    args->assign(inline_args_.begin(), inline_args_.end());
  }
  return args->empty() ? Step::kEmpty : Step::kDone;
}

RequestParser::Step RequestParser::parse_multibulk_header(std::string_view rest) {
  const char* at = rest.data() + 1;
  const char* const end = rest.data() + rest.size();
  int64_t count;
  if (at < end && read_short_length(&at, end, &count)) {
    position_ = static_cast<size_t>(at - rest.data());
  } else {
    size_t line_size;
    const Step step = find_line(rest, '\r', "too big mbulk count string", &line_size);
    if (step != Step::kDone) return step;
    if (!read_length(rest.substr(1, line_size - 1), &count)) {
      return fail("invalid multibulk length");
    }
    position_ = line_size + 2;
  }
  scanned_ = 0;
  if (count > limits_.max_args) return fail("invalid multibulk length");
  if (count > kMaxArgsUnauthenticated && !authenticated_) {
    return fail("unauthenticated multibulk length");
  }
  if (count <= 0) return Step::kEmpty;
  args_left_ = count;
  return Step::kDone;
}

RequestParser::Step RequestParser::parse_bulks(std::string_view rest,
                                               std::vector<std::string_view>* args) {
  while (args_left_ > 0) {
    if (bulk_length_ < 0) {
      const Step step = parse_bulk_header(rest);
      if (step != Step::kDone) return step;
    }
    const auto length = static_cast<uint64_t>(bulk_length_);
    const uint64_t available = rest.size() - position_;
    if (available < length + 2) return need_more(length + 2 - available);
    args->push_back(rest.substr(position_, length));
    // The two bytes behind an argument are skipped unseen, as Redis does.
    position_ += length + 2;
    bulk_length_ = -1;
    --args_left_;
  }
  return Step::kDone;
}

RequestParser::Step RequestParser::parse_bulk_header(std::string_view rest) {
  const char* at = rest.data() + position_;
  const char* const end = rest.data() + rest.size();
  int64_t length;
  if (end - at > 1 && *at++ == '$' && read_short_length(&at, end, &length)) {
    position_ = static_cast<size_t>(at - rest.data());
  } else {
    size_t line_size;
    const Step step = find_line(rest, '\r', "too big bulk count string", &line_size);
    if (step != Step::kDone) return step;
    const char type = rest[position_];
    if (type != '$') return fail(std::string("expected '$', got '") + type + "'");
    if (!read_length(rest.substr(position_ + 1, line_size - 1), &length) || length < 0) {
      return fail("invalid bulk length");
    }
    position_ += line_size + 2;
  }
  scanned_ = 0;
  if (length > limits_.max_bulk_bytes) return fail("invalid bulk length");
  if (length > kMaxBulkUnauthenticated && !authenticated_) {
    return fail("unauthenticated bulk length");
  }
  bulk_length_ = length;
  return Step::kDone;
}

// Finds the end of the line at position_. CR must be followed by one more byte, whatever it is.
RequestParser::Step RequestParser::find_line(std::string_view rest, char delimiter,
                                             const char* too_big, size_t* line_size) {
  // Looking no further than the limit makes the verdict independent of how the bytes arrived.
  const std::string_view window = rest.substr(position_, kMaxLineBytes + 1);
  const void* found = nullptr;
  if (scanned_ < window.size()) {
    found = std::memchr(window.data() + scanned_, delimiter, window.size() - scanned_);
  }
  if (found == nullptr) {
    if (window.size() > kMaxLineBytes) return fail(too_big);
    scanned_ = window.size();
    return need_more(1);
  }
  *line_size = static_cast<size_t>(static_cast<const char*>(found) - window.data());
  if (delimiter == '\r' && position_ + *line_size + 2 > rest.size()) {
    scanned_ = *line_size;
    return need_more(1);
  }
  return Step::kDone;
}

RequestParser::Step RequestParser::need_more(uint64_t bytes) {
  bytes_needed_ = bytes;
  return Step::kNeedMore;
}

RequestParser::Step RequestParser::fail(std::string message) {
  failed_ = true;
  message_ = "Protocol error: " + std::move(message);
  return Step::kError;
}

void RequestParser::save_args(std::string_view rest, std::vector<std::string_view>* args) {
  for (const std::string_view arg : *args) {
    spans_.push_back({static_cast<size_t>(arg.data() - rest.data()), arg.size()});
  }
  args->clear();
}

void RequestParser::restore_args(std::string_view rest, std::vector<std::string_view>* args) {
  args->insert(args->begin(), spans_.size(), std::string_view());
  for (size_t i = 0; i < spans_.size(); ++i) {
    (*args)[i] = rest.substr(spans_[i].offset, spans_[i].size);
  }
  if (spans_.capacity() > kKeptArgs) std::vector<Span>().swap(spans_);
  spans_.clear();
}

void RequestParser::start_command() {
  position_ = 0;
  scanned_ = 0;
  args_left_ = 0;
  bulk_length_ = -1;
}

size_t RequestParser::memory_usage() const {
  size_t bytes = spans_.capacity() * sizeof(Span) + message_.capacity();
  bytes += inline_args_.capacity() * sizeof(std::string);
  for (const std::string& arg : inline_args_) bytes += arg.capacity();
  return bytes;
}

void RequestParser::reset() {
  start_command();
  std::vector<Span>().swap(spans_);
  std::vector<std::string>().swap(inline_args_);
  failed_ = false;
  bytes_needed_ = 1;
  message_.clear();
}

}  // namespace syntropy
