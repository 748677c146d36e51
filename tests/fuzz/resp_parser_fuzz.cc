// A client's byte stream. Input: one byte of options (bit 0: not authenticated, bit 1: tight
// limits, bit 2: the stream's second byte comes as often as brings a line near its limit), then the
// stream.
//
// Properties: how the stream is cut into reads changes nothing; what was parsed, sent again as a
// client would, is parsed alike; memory follows the bytes that arrived.

#include <cstdint>
#include <random>

#include "server/resp/parser.h"
#include "tests/fuzz/check.h"
#include "tests/resp/feed.h"

namespace syntropy {
namespace {

// An argument of no bytes takes six on the wire and 16 here, twice that in a vector that has grown.
constexpr size_t kBytesPerInputByte = 8;
constexpr size_t kFixedBytes = 256 * 1024;  // the arguments of one quoted inline command

RequestParser make_parser(uint8_t options) {
  RequestLimits limits;
  if ((options & 2) != 0) limits = {.max_bulk_bytes = 16, .max_args = 3};
  RequestParser parser(limits);
  parser.set_authenticated((options & 1) == 0);
  return parser;
}

Parsed parse_in_pieces(std::string_view stream, uint8_t options, size_t mean_piece,
                       std::mt19937_64& random) {
  RequestParser parser = make_parser(options);
  Feeder feeder(&parser);
  for (size_t start = 0; start < stream.size();) {
    const std::string_view piece = stream.substr(start, 1 + random() % (2 * mean_piece));
    feeder.feed(piece);
    start += piece.size();
    SYNTROPY_CHECK(parser.memory_usage() <= kBytesPerInputByte * start + kFixedBytes);
    SYNTROPY_CHECK(parser.bytes_needed() >= 1);
  }
  return feeder.parsed();
}

void check_stream(uint8_t options, std::string_view stream) {
  const Parsed whole = parse_whole(stream, make_parser(options));
  for (const Command& command : whole.commands) SYNTROPY_CHECK(!command.empty());
  SYNTROPY_CHECK(whole.error.empty() || whole.error.starts_with("Protocol error: "));

  std::mt19937_64 random(std::hash<std::string_view>()(stream));
  for (const size_t mean_piece : {1, 7, 150, 20000}) {
    // Each piece copies what is unparsed: long streams come in longer pieces.
    if (stream.size() > mean_piece * 200) continue;
    SYNTROPY_CHECK(parse_in_pieces(stream, options, mean_piece, random) == whole);
  }

  Parsed again = whole;
  again.error.clear();
  again.left = 0;
  std::string sent;
  for (const Command& command : whole.commands) sent += multibulk(command);
  SYNTROPY_CHECK(parse_whole(sent) == again);
}

}  // namespace
}  // namespace syntropy

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 4) != 0 && stream.size() > 1) {
    stream.insert(1, syntropy::RequestParser::kMaxLineBytes - 8, stream[1]);
  }
  syntropy::check_stream(data[0], stream);
  return 0;
}
