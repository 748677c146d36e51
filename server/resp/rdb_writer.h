// RdbWriter: writes a Redis dump (the grammar is in rdb_reader.h) of keys that are strings, as
// redis-server 7.0 would and reads it.
//
// Thread safety: none.
#pragma once

#include <boost/crc.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace syntropy {

class RdbWriter {
 public:
  /// Begins the file. `written_s`: Unix time, told in it.
  explicit RdbWriter(uint64_t written_s);

  void put(uint32_t database, std::string_view key, std::string_view value,
           std::optional<uint64_t> expires_at_ms);
  /// Ends the file.
  void finish();

  /// Bytes that nobody has taken.
  size_t size() const { return bytes_.size(); }
  std::string take();

 private:
  void aux(std::string_view name, std::string_view value);

  std::string bytes_;
  size_t summed_ = 0;  // of bytes_, into crc_
  std::optional<uint32_t> database_;
  boost::crc_optimal<64, 0xAD93D23594C935A9, 0, 0, true, true> crc_;
};

}  // namespace syntropy
