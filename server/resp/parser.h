// RequestParser: cuts a client's byte stream into commands. Sans-I/O: bytes in, arguments out.
//
// The caller owns the buffer of bytes not consumed yet and passes all of it on every call; the
// parser holds offsets into it, never bytes. Arguments are views into that buffer, so a pipelined
// command is parsed without a copy. The loop of a session:
//
//   for (;;) {
//     size_t consumed;
//     const auto result = parser.parse(unparsed, &consumed, &args);
//     // ... kCommand: execute args before the bytes move
//     unparsed.remove_prefix(consumed);      // always, whatever the result
//     if (result != ParseResult::kCommand) break;
//   }
//
// A command that arrives in pieces is not scanned again: after kNeedMore the next call must pass
// the same bytes from the first one not consumed, with more behind them; parsing goes on where it
// stopped. The bytes may have moved meanwhile (the offsets are relative to the command).
//
// What is accepted and the texts of the errors are those of Redis 7.0 (docs/resp.md has the
// grammar). Memory: grows with the arguments that have arrived, never by an announced length.
//
// Thread safety: none; a parser belongs to one session.
#pragma once

#include <climits>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace syntropy {

enum class ParseResult : unsigned char {
  kCommand,   // one command, at least one argument
  kNeedMore,  // the input ends within a command or is used up
  kError,     // not RESP: answer message() and close the connection
};

/// What a client may announce. A longer one is a protocol error.
struct RequestLimits {
  int64_t max_bulk_bytes = 512LL << 20;  // bytes of one argument; `proto-max-bulk-len`
  int64_t max_args = INT_MAX;            // arguments of one command
};

class RequestParser {
 public:
  /// A line (an inline command, a length) longer than this is a protocol error, so that a client
  /// which never sends a newline is found out.
  static constexpr size_t kMaxLineBytes = 64 * 1024;
  /// Limits while the client has yet to authenticate.
  static constexpr int64_t kMaxArgsUnauthenticated = 10;
  static constexpr int64_t kMaxBulkUnauthenticated = 16384;

  RequestParser() = default;
  explicit RequestParser(const RequestLimits& limits) : limits_(limits) {}

  /// Applies to lengths read from now on.
  void set_limits(const RequestLimits& limits) { limits_ = limits; }
  /// False: the small limits above hold. Set it as soon as AUTH or HELLO has been executed, before
  /// the next parse(). True by default.
  void set_authenticated(bool authenticated) { authenticated_ = authenticated; }

  /// Reads at most one command from the front of `input`.
  ///
  /// kCommand: `*args` holds its arguments, valid until `input`'s bytes move or the next parse();
  ///   `*consumed` is the length of the command and of empty ones before it.
  /// kNeedMore: `*args` is empty; `*consumed` counts empty commands that can be dropped.
  /// kError: `*args` is empty, message() says why; `*consumed` is 0 and every later call fails
  ///   alike.
  ParseResult parse(std::string_view input, size_t* consumed, std::vector<std::string_view>* args);

  /// After kNeedMore: the least number of bytes that must arrive before a parse() can get anywhere;
  /// at least 1. A hint for how much to read, announced by the client: never allocate by it.
  uint64_t bytes_needed() const { return bytes_needed_; }

  /// After kError, without the "ERR " prefix: "Protocol error: invalid bulk length". May hold a
  /// byte that the client chose (ReplyWriter::error() defuses it).
  const std::string& message() const { return message_; }

  /// Bytes held on the heap; for a client's memory figures and limits.
  size_t memory_usage() const;

  /// Forgets a command in progress and an error; limits stay.
  void reset();

 private:
  struct Span {
    size_t offset;  // from the start of the command
    size_t size;
  };

  enum class Step : unsigned char {
    kDone,
    kEmpty,  // a command without arguments, which is skipped
    kNeedMore,
    kError,
  };

  // Each works on `rest`, the input from the command's first byte.
  Step parse_command(std::string_view rest, std::vector<std::string_view>* args);
  Step parse_inline(std::string_view rest, std::vector<std::string_view>* args);
  Step parse_multibulk_header(std::string_view rest);
  Step parse_bulks(std::string_view rest, std::vector<std::string_view>* args);
  Step parse_bulk_header(std::string_view rest);
  Step find_line(std::string_view rest, char delimiter, const char* too_big, size_t* line_size);
  Step need_more(uint64_t bytes);
  Step fail(std::string message);
  // Moves arguments between `*args` and spans_ around a pause within a command.
  void save_args(std::string_view rest, std::vector<std::string_view>* args);
  void restore_args(std::string_view rest, std::vector<std::string_view>* args);
  void start_command();

  RequestLimits limits_;
  bool authenticated_ = true;
  bool failed_ = false;

  // The command in progress; offsets are relative to its first byte.
  size_t position_ = 0;       // next byte to parse
  size_t scanned_ = 0;        // bytes after position_ known to hold no delimiter
  int64_t args_left_ = 0;     // arguments still to come; 0: the header has not been read
  int64_t bulk_length_ = -1;  // of the argument at position_; -1: not read yet
  std::vector<Span> spans_;   // arguments parsed by earlier calls
  uint64_t bytes_needed_ = 1;

  std::vector<std::string> inline_args_;  // unescaped arguments of a quoted inline command
  std::string message_;
};

}  // namespace syntropy
