// RDB files. The input is read whole and in pieces.
//
// Properties: both yield the same, or the same error; nothing is yielded above the limit; what was
// read isn't more than what was fed.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "server/resp/rdb_reader.h"
#include "tests/fuzz/check.h"

namespace syntropy {
namespace {

constexpr uint64_t kMaxBytes = 1 << 16;

struct Read {
  std::vector<std::pair<std::string, std::string>> keys;
  std::string error;
  bool ended = false;
  bool operator==(const Read&) const = default;
};

Read read_in_pieces(std::string_view bytes, size_t piece) {
  RdbReader reader(kMaxBytes);
  Read read;
  size_t fed = 0;
  while (true) {
    const Result<RdbReader::Event> event = reader.next();
    SYNTROPY_CHECK(reader.position() <= fed);
    if (!event.ok()) {
      read.error = event.status().message();
      SYNTROPY_CHECK(!read.error.empty());
      return read;
    }
    if (*event == RdbReader::Event::kEnd) {
      read.ended = true;
      return read;
    }
    if (*event == RdbReader::Event::kMore) {
      if (fed == bytes.size()) return read;
      const std::string_view more = bytes.substr(fed, piece);
      reader.feed(more);
      fed += more.size();
      continue;
    }
    const RdbReader::Entry& entry = reader.entry();
    SYNTROPY_CHECK(entry.key.size() <= kMaxBytes && entry.value.size() <= kMaxBytes);
    SYNTROPY_CHECK(!entry.type.empty());
    read.keys.emplace_back(entry.type + ":" + entry.key, entry.value);
  }
}

}  // namespace
}  // namespace syntropy

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = syntropy::read_in_pieces(bytes, size + 1);
  SYNTROPY_CHECK(whole == syntropy::read_in_pieces(bytes, 7));
  return 0;
}
