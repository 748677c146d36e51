#include "server/proxy/reply_scanner.h"

#include <charconv>
#include <utility>

namespace syntropy {
namespace {

constexpr size_t kMostLine = 64 * 1024;
constexpr uint64_t kMostElements = uint64_t{1} << 32;

Status not_a_reply(std::string_view bytes) {
  return Status::corruption("a node answered what is no reply: '" +
                            std::string(bytes.substr(0, 40)) + "'");
}

/// The number behind the type; -1 for null, nullopt when it isn't one.
std::optional<int64_t> length_of(std::string_view line) {
  int64_t length = 0;
  const char* const end = line.data() + line.size();
  const auto [read, error] = std::from_chars(line.data() + 1, end, length);
  if (error != std::errc() || read != end || length < -1) return std::nullopt;
  return length;
}

}  // namespace

Result<size_t> ReplyScanner::scan(std::string_view bytes) {
  while (true) {
    const size_t end = bytes.find("\r\n", at_);
    if (end == std::string_view::npos) {
      if (bytes.size() - at_ > kMostLine) return not_a_reply(bytes.substr(at_));
      return size_t{0};
    }
    const std::string_view line = bytes.substr(at_, end - at_);
    size_t next = end + 2;
    uint64_t elements = 0;
    bool more = false;  // an attribute: what it describes comes behind it
    switch (line.empty() ? '\0' : line.front()) {
      case '+':
      case '-':
      case ':':
      case ',':
      case '(':
      case '#':
      case '_':
        break;
      case '$':
      case '=':
      case '!': {
        const std::optional<int64_t> length = length_of(line);
        if (!length) return not_a_reply(line);
        if (*length < 0) break;
        next += static_cast<size_t>(*length) + 2;
        if (next > bytes.size()) return size_t{0};
        break;
      }
      case '*':
      case '~':
      case '>':
      case '%':
      case '|': {
        const std::optional<int64_t> length = length_of(line);
        if (!length || static_cast<uint64_t>(*length + 1) > kMostElements) return not_a_reply(line);
        const bool pairs = line.front() == '%' || line.front() == '|';
        if (*length > 0) elements = static_cast<uint64_t>(*length) * (pairs ? 2 : 1);
        more = line.front() == '|';
        break;
      }
      default:
        return not_a_reply(line);
    }
    at_ = next;
    if (more) ++elements;
    if (elements > 0) {
      left_.push_back(elements);
      continue;
    }
    // One is complete, and perhaps those around it.
    while (!left_.empty() && --left_.back() == 0) left_.pop_back();
    if (left_.empty()) return std::exchange(at_, 0);
  }
}

std::optional<std::vector<std::string_view>> elements_of(std::string_view reply) {
  if (reply.empty() || (reply.front() != '*' && reply.front() != '~')) return std::nullopt;
  const size_t end = reply.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const std::optional<int64_t> length = length_of(reply.substr(0, end));
  if (!length || *length < 0) return std::nullopt;
  reply.remove_prefix(end + 2);
  std::vector<std::string_view> elements;
  for (int64_t i = 0; i < *length; ++i) {
    const Result<size_t> size = ReplyScanner().scan(reply);
    if (!size.ok() || *size == 0) return std::nullopt;
    elements.push_back(reply.substr(0, *size));
    reply.remove_prefix(*size);
  }
  return elements;
}

std::optional<std::string_view> bulk_of(std::string_view reply) {
  if (reply.empty() || reply.front() != '$') return std::nullopt;
  const size_t end = reply.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const std::optional<int64_t> length = length_of(reply.substr(0, end));
  if (!length || *length < 0 || reply.size() < end + 4 + static_cast<size_t>(*length)) {
    return std::nullopt;
  }
  return reply.substr(end + 2, static_cast<size_t>(*length));
}

}  // namespace syntropy
