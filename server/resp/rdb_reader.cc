#include "server/resp/rdb_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "server/resp/rdb_string.h"
#include "storage/base/coding.h"

namespace syntropy {
namespace {

constexpr std::string_view kMagic = "REDIS";
constexpr size_t kVersionDigits = 4;
constexpr unsigned kFirstVersionWithChecksum = 5;
constexpr unsigned kMostVersion = 11;
constexpr uint64_t kMostDatabase = INT32_MAX;  // Redis counts them by a signed number
// The buffer is moved down when so much of it has been read.
constexpr size_t kSlackBytes = size_t{1} << 16;

enum Opcode : uint8_t {
  kFunctions = 0xF5,
  kModuleAux = 0xF7,
  kIdle = 0xF8,
  kFrequency = 0xF9,
  kAux = 0xFA,
  kTableSizes = 0xFB,
  kExpiryMs = 0xFC,
  kExpiryS = 0xFD,
  kDatabase = 0xFE,
  kEndOfFile = 0xFF,
};

// How values lie in the file, to be passed over:
//
//   S string   L length   4 8 G: so many bytes, G 16   D the text of a number behind its length
//   n{...} a length, then so many times what is in the braces
//   M parts of a module's value, each behind its kind, until a kind of 0
struct Shape {
  uint8_t type;
  std::string_view shape;
};

constexpr std::string_view kStream7 = "n{SS}LLLLLLLLn{SLLLn{G8L}n{S8n{G}}}";
constexpr Shape kShapes[] = {
    {1, "n{S}"},                            // list
    {2, "n{S}"},                            // set
    {3, "n{SD}"},                           // sorted set
    {4, "n{SS}"},                           // hash
    {5, "n{S8}"},                           // sorted set
    {7, "LM"},                              // module value
    {9, "S"},                               // hash: zipmap
    {10, "S"},                              // list: ziplist
    {11, "S"},                              // set: intset
    {12, "S"},                              // sorted set: ziplist
    {13, "S"},                              // hash: ziplist
    {14, "n{S}"},                           // list of ziplists
    {15, "n{SS}LLLn{SLLn{G8L}n{S8n{G}}}"},  // stream
    {16, "S"},                              // hash: listpack
    {17, "S"},                              // sorted set: listpack
    {18, "n{LS}"},                          // list of listpacks
    {19, kStream7},
    {20, "S"},  // set: listpack
    {21, "n{SS}LLLLLLLLn{SLLLn{G8L}n{S88n{G}}}"},
};

std::optional<std::string_view> shape_of(uint8_t type) {
  for (const Shape& shape : kShapes) {
    if (shape.type == type) return shape.shape;
  }
  return std::nullopt;
}

// The end of what is in the braces that open at `open`.
size_t closing_brace(std::string_view shape, size_t open) {
  size_t depth = 0;
  for (size_t at = open; at < shape.size(); ++at) {
    if (shape[at] == '{') ++depth;
    if (shape[at] == '}' && --depth == 0) return at;
  }
  return shape.size();
}

uint8_t byte_at(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

}  // namespace

Result<RdbReader::Event> RdbReader::next() {
  if (!failure_.ok()) return failure_;
  event_.reset();
  if (at_ > kSlackBytes) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
  while (!event_) {
    const auto step = [this] {
      switch (state_) {
        case State::kMagic:
          return take_magic();
        case State::kOpcode:
          return take_opcode();
        case State::kKey:
          return take_key();
        case State::kValue:
          return take_value();
        case State::kPass:
          return pass();
        case State::kChecksum:
          return take_checksum();
        case State::kEnd:
          break;
      }
      event_ = Event::kEnd;
      return true;
    };
    const bool done = step();
    if (!failure_.ok()) return failure_;
    if (!done) return Event::kMore;
  }
  return *event_;
}

void RdbReader::consume(size_t bytes) {
  crc_.process_bytes(buffer_.data() + at_, bytes);
  at_ += bytes;
  position_ += bytes;
}

Status RdbReader::damaged(const std::string& what) const {
  return Status::corruption("at byte " + std::to_string(position_) + ": " + what);
}

// --- what the file is made of --------------------------------------------------------------------

bool RdbReader::peek_length(std::string_view bytes, size_t* size, uint64_t* length) {
  if (bytes.empty()) return false;
  const uint8_t first = byte_at(bytes, 0);
  *size = first >> 6 == 0 ? 1 : first >> 6 == 1 ? 2 : first == 0x80 ? 5 : first == 0x81 ? 9 : 0;
  if (*size == 0) {
    failure_ = damaged("a length is ill-formed");
    return false;
  }
  if (bytes.size() < *size) return false;
  *length = *size <= 2 ? first & 0x3Fu : 0;
  for (size_t i = 1; i < *size; ++i) *length = *length << 8 | byte_at(bytes, i);
  return true;
}

bool RdbReader::peek_string(std::string_view bytes, Head* head) {
  if (bytes.empty()) return false;
  const uint8_t first = byte_at(bytes, 0);
  if (first >= 0xC0 && first <= 0xC2) {  // a number of 1, 2 or 4 bytes
    *head = {1, uint64_t{1} << (first - 0xC0)};
    return true;
  }
  if (first != 0xC3) return peek_length(bytes, &head->bytes, &head->body);
  size_t compressed = 0;
  size_t plain = 0;
  uint64_t plain_bytes = 0;
  if (!peek_length(bytes.substr(1), &compressed, &head->body)) return false;
  if (!peek_length(bytes.substr(1 + compressed), &plain, &plain_bytes)) return false;
  head->bytes = 1 + compressed + plain;
  return true;
}

bool RdbReader::take_length(uint64_t* length) {
  size_t size = 0;
  if (!peek_length(available(), &size, length)) return false;
  consume(size);
  return true;
}

bool RdbReader::take_string(std::string* out) {
  Head head;
  if (!peek_string(available(), &head)) return false;
  if (head.body > most_bytes_) {
    failure_ = damaged("a string of " + std::to_string(head.body) + " bytes, above the " +
                       std::to_string(most_bytes_) + " that are taken");
    return false;
  }
  if (available().size() < head.bytes + head.body) return false;
  const size_t size = head.bytes + static_cast<size_t>(head.body);
  Result<std::string> decoded = decode_rdb_string(available().substr(0, size), most_bytes_);
  if (!decoded.ok()) {
    failure_ = damaged(std::string(decoded.status().message()));
    return false;
  }
  *out = *std::move(decoded);
  consume(size);
  return true;
}

bool RdbReader::take_fixed(size_t width, uint64_t* value) {
  if (available().size() < width) return false;
  *value = 0;
  for (size_t i = width; i-- > 0;) *value = *value << 8 | byte_at(available(), i);
  consume(width);
  return true;
}

// --- what there is in it -------------------------------------------------------------------------

bool RdbReader::take_magic() {
  const std::string_view bytes = available();
  const std::string_view begin = bytes.substr(0, kMagic.size());
  if (begin != kMagic.substr(0, begin.size())) {
    failure_ = Status::corruption("not an RDB file: it doesn't begin with REDIS");
    return false;
  }
  if (bytes.size() < kMagic.size() + kVersionDigits) return false;
  const char* const digits = bytes.data() + kMagic.size();
  const auto parsed = std::from_chars(digits, digits + kVersionDigits, version_);
  if (parsed.ec != std::errc() || parsed.ptr != digits + kVersionDigits || version_ == 0) {
    failure_ = Status::corruption("not an RDB file: there is no version behind REDIS");
    return false;
  }
  if (version_ > kMostVersion) {
    failure_ = Status::invalid_argument("the file's RDB version is " + std::to_string(version_) +
                                        "; up to " + std::to_string(kMostVersion) + " are read");
    return false;
  }
  consume(kMagic.size() + kVersionDigits);
  state_ = State::kOpcode;
  return true;
}

void RdbReader::pass_over(std::string_view shape, std::string_view name) {
  entry_ = {};
  entry_.type = name;
  passes_ = {{shape, 0, 1}};
  state_ = State::kPass;
}

bool RdbReader::take_opcode() {
  if (available().empty()) return false;
  const uint8_t opcode = byte_at(available(), 0);
  // Of fixed size, or nearly: taken whole.
  const auto whole = [this](size_t bytes) { return available().size() >= 1 + bytes; };
  uint64_t number = 0;
  switch (opcode) {
    case kExpiryMs:
      if (!whole(8)) return false;
      consume(1);
      take_fixed(8, &number);
      expires_at_ms_ = static_cast<int64_t>(number);
      return true;
    case kExpiryS:
      if (!whole(4)) return false;
      consume(1);
      take_fixed(4, &number);
      expires_at_ms_ = static_cast<int64_t>(number) * 1000;
      return true;
    case kFrequency:
      if (!whole(1)) return false;
      consume(2);
      return true;
    case kDatabase: {
      size_t size = 0;
      if (!peek_length(available().substr(1), &size, &number)) return false;
      if (number > kMostDatabase) {
        failure_ = damaged("there can't be a database " + std::to_string(number));
        return false;
      }
      database_ = static_cast<uint32_t>(number);
      consume(1 + size);
      return true;
    }
    case kEndOfFile:
      consume(1);
      state_ = State::kChecksum;
      return true;
    case kAux:
      consume(1);
      pass_over("SS", {});
      return true;
    case kTableSizes:
      consume(1);
      pass_over("LL", {});
      return true;
    case kIdle:
      consume(1);
      pass_over("L", {});
      return true;
    case kFunctions:
      consume(1);
      pass_over("S", "functions");
      return true;
    case kModuleAux:
      consume(1);
      pass_over("LLLM", "what modules keep");
      return true;
    default:
      break;
  }
  if (opcode != 0 && !shape_of(opcode)) {
    failure_ = damaged(rdb_type_name(opcode) + ": a value whose size nobody can tell");
    return false;
  }
  type_ = opcode;
  consume(1);
  state_ = State::kKey;
  return true;
}

bool RdbReader::take_key() {
  std::string key;
  if (!take_string(&key)) return false;
  if (type_ == 0) {
    entry_ = {};
    state_ = State::kValue;
  } else {
    pass_over(*shape_of(type_), rdb_type_name(type_));
  }
  entry_.database = database_;
  entry_.key = std::move(key);
  entry_.expires_at_ms = std::exchange(expires_at_ms_, std::nullopt);
  return true;
}

bool RdbReader::take_value() {
  if (!take_string(&entry_.value)) return false;
  entry_.type = "string";
  state_ = State::kOpcode;
  event_ = Event::kString;
  return true;
}

bool RdbReader::take_checksum() {
  if (version_ >= kFirstVersionWithChecksum) {
    const uint64_t computed = crc_.checksum();
    uint64_t told = 0;
    if (!take_fixed(8, &told)) return false;
    if (told != 0 && told != computed) {
      failure_ = Status::corruption("the file's checksum is wrong: it is damaged");
      return false;
    }
  }
  state_ = State::kEnd;
  return true;
}

// --- passing over what isn't wanted --------------------------------------------------------------

// One thing of the innermost shape.
bool RdbReader::pass() {
  if (skip_ > 0) {
    const auto now = static_cast<size_t>(std::min<uint64_t>(skip_, available().size()));
    consume(now);
    skip_ -= now;
    if (skip_ > 0) return false;
  }
  if (passes_.empty()) {
    state_ = State::kOpcode;
    if (!entry_.type.empty()) event_ = Event::kOther;
    return true;
  }
  Pass& top = passes_.back();
  if (top.at == top.shape.size()) {
    if (--top.times == 0) {
      passes_.pop_back();
    } else {
      top.at = 0;
    }
    return true;
  }
  uint64_t length = 0;
  switch (top.shape[top.at]) {
    case 'S': {
      Head head;
      if (!peek_string(available(), &head)) return false;
      consume(head.bytes);
      skip_ = head.body;
      break;
    }
    case 'L':
      if (!take_length(&length)) return false;
      break;
    case '4':
      skip_ = 4;
      break;
    case '8':
      skip_ = 8;
      break;
    case 'G':
      skip_ = 16;
      break;
    case 'D':
      if (!take_fixed(1, &length)) return false;
      if (length < 253) skip_ = length;  // above: not a number, and both infinities
      break;
    case 'n': {
      if (!take_length(&length)) return false;
      const size_t open = top.at + 1;
      const size_t close = closing_brace(top.shape, open);
      const std::string_view inner = top.shape.substr(open + 1, close - open - 1);
      top.at = close + 1;
      if (length > 0) passes_.push_back({inner, 0, length});
      return true;
    }
    case 'M':
      return pass_module();
  }
  ++top.at;
  return true;
}

// Part of a module's value, or its end.
bool RdbReader::pass_module() {
  uint64_t kind = 0;
  if (!take_length(&kind)) return false;
  constexpr std::string_view kParts[] = {"L", "L", "4", "8", "S"};
  if (kind == 0) {
    ++passes_.back().at;
  } else if (kind <= std::size(kParts)) {
    passes_.push_back({kParts[kind - 1], 0, 1});
  } else {
    failure_ = damaged("a part of a module's value is of no known kind");
    return false;
  }
  return true;
}

}  // namespace syntropy
