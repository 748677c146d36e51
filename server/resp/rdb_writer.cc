#include "server/resp/rdb_writer.h"

#include <utility>

#include "server/resp/rdb_string.h"
#include "storage/base/coding.h"

namespace syntropy {
namespace {

// Opcodes and types of rdb_reader.h's grammar.
constexpr char kAux = '\xFA';
constexpr char kExpiryMs = '\xFC';
constexpr char kSelectDatabase = '\xFE';
constexpr char kEnd = '\xFF';
constexpr char kTypeString = '\x00';

}  // namespace

RdbWriter::RdbWriter(uint64_t written_s) {
  std::string version = std::to_string(kRdbVersion);
  version.insert(0, 4 - version.size(), '0');
  bytes_ = "REDIS" + version;
  aux("redis-ver", "7.0.15");
  aux("redis-bits", "64");
  aux("ctime", std::to_string(written_s));
}

void RdbWriter::aux(std::string_view name, std::string_view value) {
  bytes_.push_back(kAux);
  append_rdb_string(&bytes_, name);
  append_rdb_string(&bytes_, value);
}

void RdbWriter::put(uint32_t database, std::string_view key, std::string_view value,
                    std::optional<uint64_t> expires_at_ms) {
  if (database_ != database) {
    database_ = database;
    bytes_.push_back(kSelectDatabase);
    append_rdb_length(&bytes_, database);
  }
  if (expires_at_ms) {
    bytes_.push_back(kExpiryMs);
    put_fixed64_le(&bytes_, *expires_at_ms);
  }
  bytes_.push_back(kTypeString);
  append_rdb_string(&bytes_, key);
  append_rdb_string(&bytes_, value);
}

void RdbWriter::finish() {
  bytes_.push_back(kEnd);
  crc_.process_bytes(bytes_.data() + summed_, bytes_.size() - summed_);
  put_fixed64_le(&bytes_, crc_.checksum());
  summed_ = bytes_.size();
}

std::string RdbWriter::take() {
  crc_.process_bytes(bytes_.data() + summed_, bytes_.size() - summed_);
  summed_ = 0;
  return std::exchange(bytes_, {});
}

}  // namespace syntropy
