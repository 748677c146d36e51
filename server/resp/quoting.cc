#include "server/resp/quoting.h"

#include <cstddef>

namespace syntropy {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

// isspace() of the C locale, whatever locale an embedding program has set.
bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool ends_plain_arg(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char control_of(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

// Reads one line from the left; false anywhere means that the quoting is not balanced.
class LineReader {
 public:
  explicit LineReader(std::string_view line) : line_(line) {}

  /// False at the end of the line.
  bool skip_blanks() {
    while (at_ < line_.size() && is_blank(line_[at_])) ++at_;
    return at_ < line_.size();
  }

  /// Appends the argument at the current byte, which is not blank.
  bool read_arg(std::string* arg) {
    while (at_ < line_.size() && !ends_plain_arg(line_[at_])) {
      const char c = line_[at_++];
      if (c == '"') return read_double(arg) && at_boundary();
      if (c == '\'') return read_single(arg) && at_boundary();
      arg->push_back(c);
    }
    return true;
  }

 private:
  bool at_boundary() const { return at_ == line_.size() || is_blank(line_[at_]); }

  bool read_double(std::string* arg) {
    while (at_ < line_.size()) {
      const char c = line_[at_++];
      if (c == '"') return true;
      if (c != '\\' || at_ == line_.size()) {
        arg->push_back(c);
      } else if (!read_hex(arg)) {
        arg->push_back(control_of(line_[at_++]));
      }
    }
    return false;
  }

  // xHH behind a backslash.
  bool read_hex(std::string* arg) {
    if (line_.size() - at_ < 3 || line_[at_] != 'x') return false;
    const int high = hex_value(line_[at_ + 1]);
    const int low = hex_value(line_[at_ + 2]);
    if (high < 0 || low < 0) return false;
    arg->push_back(static_cast<char>(high * 16 + low));
    at_ += 3;
    return true;
  }

  bool read_single(std::string* arg) {
    while (at_ < line_.size()) {
      const char c = line_[at_++];
      if (c == '\'') return true;
      if (c == '\\' && at_ < line_.size() && line_[at_] == '\'') {
        arg->push_back(line_[at_++]);
      } else {
        arg->push_back(c);
      }
    }
    return false;
  }

  std::string_view line_;
  size_t at_ = 0;
};

}  // namespace

bool split_inline(std::string_view line, std::vector<std::string>* args) {
  args->clear();
  LineReader reader(line);
  while (reader.skip_blanks()) {
    if (!reader.read_arg(&args->emplace_back())) {
      args->clear();
      return false;
    }
  }
  return true;
}

bool split_unquoted(std::string_view line, std::vector<std::string_view>* args) {
  if (line.find('"') != line.npos || line.find('\'') != line.npos) return false;
  size_t i = 0;
  for (;;) {
    while (i < line.size() && is_blank(line[i])) ++i;
    if (i == line.size()) return true;
    const size_t start = i;
    while (i < line.size() && !ends_plain_arg(line[i])) ++i;
    args->push_back(line.substr(start, i - start));
  }
}

void append_quoted(std::string* out, std::string_view arg) {
  out->push_back('"');
  for (const char c : arg) {
    switch (c) {
      case '\\':
      case '"':
        out->append({'\\', c});
        break;
      case '\n':
        out->append("\\n");
        break;
      case '\r':
        out->append("\\r");
        break;
      case '\t':
        out->append("\\t");
        break;
      case '\a':
        out->append("\\a");
        break;
      case '\b':
        out->append("\\b");
        break;
      default:
        if (c >= ' ' && c <= '~') {
          out->push_back(c);
        } else {
          const auto byte = static_cast<unsigned char>(c);
          out->append({'\\', 'x', kHexDigits[byte >> 4], kHexDigits[byte & 15]});
        }
    }
  }
  out->push_back('"');
}

std::string quote_arg(std::string_view arg) {
  std::string quoted;
  quoted.reserve(arg.size() + 2);
  append_quoted(&quoted, arg);
  return quoted;
}

}  // namespace syntropy
