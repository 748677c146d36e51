// ReplyWriter: appends replies in RESP2 or RESP3 to a buffer that the caller owns.
//
// Every type that only RESP3 knows has its RESP2 form here (a map is an array of twice the length,
// null is `$-1`, a boolean is `:1` or `:0`, a double is a bulk, ...), so a command is written once
// and answers both protocols as Redis 7.0 does. Grammar and check vectors: docs/resp.md.
//
// An aggregate is a header followed by its elements; the writer does not count them. Whoever has
// announced n elements writes n.
//
// Thread safety: none; a writer belongs to one session.
// Invariants: 1. a call appends or truncates, it never alters bytes before the last mark taken;
// 2. no text that a client chose can end a line: error() and simple_string() see to that.
// Source: Redis' RESP2 and RESP3 specifications; behaviour compared with redis-server 7.0.15.
#pragma once

#include <cassert>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace syntropy {

class ReplyWriter {
 public:
  /// Appends to `*out`, which must outlive the writer. `protocol` is 2 or 3.
  ReplyWriter(std::string* out, int protocol) : out_(out) { set_protocol(protocol); }

  /// 2 or 3; takes effect with the next reply (HELLO answers in the protocol it switches to).
  void set_protocol(int protocol) {
    assert(protocol == 2 || protocol == 3);
    resp3_ = protocol == 3;
  }
  int protocol() const { return resp3_ ? 3 : 2; }
  bool is_resp3() const { return resp3_; }

  /// Bytes in the buffer; also a mark for truncate() and insert_array_header().
  size_t size() const { return out_->size(); }
  /// Drops all that was appended after the mark `size` (CLIENT REPLY OFF, a failed command).
  void truncate(size_t size) {
    assert(size <= out_->size());
    out_->resize(size);
  }

  void ok() { raw("+OK\r\n"); }
  /// `text` is the server's own and holds no CR or LF.
  void simple_string(std::string_view text) {
    assert(text.find_first_of("\r\n") == text.npos);
    line('+', text);
  }
  /// `text` is the whole error with its prefix, such as "ERR no such key". CR and LF around it are
  /// dropped, those within become spaces, as in Redis.
  void error(std::string_view text);

  void integer(int64_t value) { number_line(':', value); }

  void bulk(std::string_view data) {
    if (data.size() <= kSmallBulk) {
      small_bulk(data);
    } else {
      bulk_header(data.size());
      out_->append(data);
      end_bulk();
    }
  }
  /// A bulk in pieces: the header with the length of all, raw() for each piece, end_bulk().
  void bulk_header(size_t length) { number_line('$', static_cast<int64_t>(length)); }
  void end_bulk() { raw("\r\n"); }

  /// Absence of a value; of an array (EXEC after a touched WATCH, a blocking pop's timeout).
  void null() { raw(resp3_ ? std::string_view("_\r\n") : std::string_view("$-1\r\n")); }
  void null_array() { raw(resp3_ ? std::string_view("_\r\n") : std::string_view("*-1\r\n")); }

  void array(size_t n) { number_line('*', static_cast<int64_t>(n)); }
  /// Header of n pairs; the caller writes 2n elements, key before value.
  void map(size_t n) { number_line(resp3_ ? '%' : '*', static_cast<int64_t>(resp3_ ? n : 2 * n)); }
  void set(size_t n) { number_line(resp3_ ? '~' : '*', static_cast<int64_t>(n)); }
  /// A message out of band; in RESP2 an array (as for Pub/Sub).
  void push(size_t n) { number_line(resp3_ ? '>' : '*', static_cast<int64_t>(n)); }

  /// Puts an array's header in front of what was appended since `mark`, for elements whose number
  /// is known only afterwards. Moves those bytes once.
  void insert_array_header(size_t mark, size_t n) { insert_header(mark, '*', n); }
  void insert_map_header(size_t mark, size_t n) {
    insert_header(mark, resp3_ ? '%' : '*', resp3_ ? n : 2 * n);
  }

  void boolean(bool value) {
    if (resp3_) {
      raw(value ? "#t\r\n" : "#f\r\n");
    } else {
      raw(value ? ":1\r\n" : ":0\r\n");
    }
  }
  /// Redis 7.0's rendering: 17 significant digits, "%.17g" (0.1 is 0.10000000000000001), inf, -inf,
  /// nan.
  void double_value(double value);
  /// An integer beyond 64 bits, given as its decimal digits.
  void big_number(std::string_view digits) {
    if (resp3_) {
      line('(', digits);
    } else {
      bulk(digits);
    }
  }
  /// Text for people, with its format in three letters ("txt", "mkd"); in RESP2 a plain bulk.
  void verbatim(std::string_view ext, std::string_view text);

  /// Bytes that are RESP already.
  void raw(std::string_view bytes) { out_->append(bytes); }

 private:
  // Up to here copying twice and appending once beats appending three times.
  static constexpr size_t kSmallBulk = 256;
  static constexpr size_t kMaxHeader = 1 + 20 + 2;  // type, sign and 19 digits, CR LF

  static size_t format_header(char* to, char type, int64_t value) {
    char* const start = to;
    *to++ = type;
    if (value >= 0 && value < 1000) {  // nearly all lengths and counts
      const auto n = static_cast<unsigned>(value);
      if (n >= 100) *to++ = static_cast<char>('0' + n / 100);
      if (n >= 10) *to++ = static_cast<char>('0' + n / 10 % 10);
      *to++ = static_cast<char>('0' + n % 10);
    } else {
      to = std::to_chars(to, start + kMaxHeader - 2, value).ptr;
    }
    to[0] = '\r';
    to[1] = '\n';
    return static_cast<size_t>(to + 2 - start);
  }

  void number_line(char type, int64_t value) {
    char header[kMaxHeader];
    out_->append(header, format_header(header, type, value));
  }

  void line(char type, std::string_view text) {
    out_->push_back(type);
    out_->append(text);
    out_->append("\r\n", 2);
  }

  void small_bulk(std::string_view data) {
    char reply[kMaxHeader + kSmallBulk + 2];
    char* to = reply + format_header(reply, '$', static_cast<int64_t>(data.size()));
    // memcpy takes no null pointer, which an empty view may hold.
    if (!data.empty()) std::memcpy(to, data.data(), data.size());
    to += data.size();
    to[0] = '\r';
    to[1] = '\n';
    out_->append(reply, static_cast<size_t>(to + 2 - reply));
  }

  void insert_header(size_t mark, char type, size_t n) {
    assert(mark <= out_->size());
    char header[kMaxHeader];
    out_->insert(mark, header, format_header(header, type, static_cast<int64_t>(n)));
  }

  std::string* out_;
  bool resp3_ = false;
};

inline void ReplyWriter::error(std::string_view text) {
  const size_t first = text.find_first_not_of("\r\n");
  text = first == text.npos ? std::string_view()
                            : text.substr(first, text.find_last_not_of("\r\n") + 1 - first);
  const size_t start = out_->size() + 1;
  line('-', text);
  for (size_t i = start; i < start + text.size(); ++i) {
    char& c = (*out_)[i];
    if (c == '\r' || c == '\n') c = ' ';
  }
}

inline void ReplyWriter::double_value(double value) {
  char text[32];
  std::string_view shown;
  if (std::isnan(value)) {
    shown = "nan";
  } else if (std::isinf(value)) {
    shown = value > 0 ? "inf" : "-inf";
  } else {
    const auto end =
        std::to_chars(text, text + sizeof(text), value, std::chars_format::general, 17);
    shown = {text, static_cast<size_t>(end.ptr - text)};
  }
  if (resp3_) {
    line(',', shown);
  } else {
    bulk(shown);
  }
}

inline void ReplyWriter::verbatim(std::string_view ext, std::string_view text) {
  assert(ext.size() == 3);
  if (!resp3_) return bulk(text);
  number_line('=', static_cast<int64_t>(text.size() + 4));
  raw(ext);
  out_->push_back(':');
  raw(text);
  end_bulk();
}

}  // namespace syntropy
