// RdbReader: reads a Redis dump (an RDB file, or the stream of a full synchronization) as it comes,
// and yields its keys.
//
//   file     = "REDIS" 4DIGIT *opcode %xFF crc       versions below 5 have no crc
//   opcode   = %xFA string string                    something about the file
//            / %xFB length length                    sizes of the database's tables
//            / %xFE length                           the database of what follows
//            / %xF5 string                           a library of functions
//            / %xF7 length length length module      what a module keeps beside keys
//            / *expiry type string value             a key; the string is its name
//   expiry   = %xFD seconds:32bit / %xFC milliseconds:64bit      Unix time, little endian
//            / %xF8 length                           seconds since it was used
//            / %xF9 byte                             how often it was used
//   string, length, crc: as in server/resp/rdb_string.h; the crc is of all before it, 0: not told
//
// Values of strings are yielded; those of other types are passed over, whatever their size, by the
// table of their shapes in rdb_reader.cc. Nothing is held but what of a string hasn't come whole.
//
// Thread safety: none.
// Source: redis-server 7.0.15's files (version 10). Version 11, of Redis 7.2, adds two types; no file
// of it has been tried.
#pragma once

#include <boost/crc.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace syntropy {

class RdbReader {
 public:
  enum class Event : uint8_t {
    kMore,    // feed() it more
    kString,  // a key that is a string: entry()
    kOther,   // a key of another type, or what isn't a key: entry().type names it
    kEnd,     // the file is complete, and its checksum is right
  };

  struct Entry {
    uint32_t database = 0;
    std::string key;                       // empty for functions and what modules keep
    std::string value;                     // of a string
    std::optional<int64_t> expires_at_ms;  // Unix time
    std::string type;                      // "string", "list", "functions"
  };

  /// Keys and values above `most_bytes` are refused.
  explicit RdbReader(uint64_t most_bytes) : most_bytes_(most_bytes) {}

  void feed(std::string_view bytes) { buffer_.append(bytes); }
  /// kCorruption, naming the byte of the file, when it isn't one, or damaged, or has a value whose
  /// size nobody can tell; kInvalidArgument when a newer server wrote it.
  Result<Event> next();
  /// Of the event that next() gave last.
  const Entry& entry() const { return entry_; }

  /// Bytes of the file that were read.
  uint64_t position() const { return position_; }
  /// Bytes that came behind the end of the file.
  std::string_view rest() const { return std::string_view(buffer_).substr(at_); }

 private:
  enum class State : uint8_t { kMagic, kOpcode, kKey, kValue, kPass, kChecksum, kEnd };
  // A shape, or a part of it, that is passed over so many times: see rdb_reader.cc.
  struct Pass {
    std::string_view shape;
    size_t at = 0;
    uint64_t times = 1;
  };
  // What is known of a string before its bytes.
  struct Head {
    size_t bytes = 0;   // of the head itself
    uint64_t body = 0;  // bytes that follow
  };

  std::string_view available() const { return std::string_view(buffer_).substr(at_); }
  void consume(size_t bytes);
  Status damaged(const std::string& what) const;

  // Each false when more bytes are needed; an error is in failure_.
  bool peek_length(std::string_view bytes, size_t* size, uint64_t* length);
  bool peek_string(std::string_view bytes, Head* head);
  bool take_length(uint64_t* length);
  bool take_string(std::string* out);
  bool take_fixed(size_t width, uint64_t* value);
  bool take_magic();
  bool take_opcode();
  bool take_key();
  bool take_value();
  bool take_checksum();
  bool pass();
  bool pass_module();
  void pass_over(std::string_view shape, std::string_view name);

  const uint64_t most_bytes_;
  std::string buffer_;
  size_t at_ = 0;  // in the buffer
  uint64_t position_ = 0;
  boost::crc_optimal<64, 0xAD93D23594C935A9, 0, 0, true, true> crc_;
  Status failure_;

  State state_ = State::kMagic;
  unsigned version_ = 0;
  uint8_t type_ = 0;
  uint64_t skip_ = 0;  // bytes to be passed over before anything else
  std::vector<Pass> passes_;
  std::optional<Event> event_;
  uint32_t database_ = 0;
  std::optional<int64_t> expires_at_ms_;  // of the next key
  Entry entry_;
};

}  // namespace syntropy
