// Rows, as read from disk or received from another node. Input: one byte that says how the rest is
// used; for merge, three rows, the first two with their length in front (16 bits, little endian).
//
// Properties: what is decoded is encoded to the same bytes; merge is commutative, associative and
// idempotent, and gives a row that can be decoded.

#include <cstdint>
#include <string>

#include "storage/counter.h"
#include "storage/merge.h"
#include "storage/row.h"
#include "tests/fuzz/check.h"

namespace syntropy {
namespace {

void check_row(std::string_view bytes) {
  const Result<RowView> row = decode_row(bytes);
  if (!row.ok()) return;
  std::string again;
  encode_row(*row, &again);
  SYNTROPY_CHECK(again == bytes);

  const Result<Counter> counter = parse_counter(*row);
  if (counter.ok() && row->kind == RowKind::kCounter) {
    std::string payload;
    encode_counter(*counter, &payload);
    SYNTROPY_CHECK(payload == row->payload);
  }
}

void check_row_key(std::string_view bytes) {
  const Result<RowKeyView> key = decode_row_key(bytes);
  if (!key.ok()) return;
  std::string again;
  encode_row_key(key->db, key->key, key->subkey, &again);
  SYNTROPY_CHECK(again == bytes);
}

// Random bytes are hardly ever a row key, whose slot and hash must be right: these are those of
// `bytes`, cut into key and subkey, and then with one of its bytes changed.
void check_made_row_key(uint8_t cut, std::string_view bytes) {
  const std::string_view key = bytes.substr(0, cut);
  const std::string_view subkey = bytes.substr(key.size());
  std::string encoded;
  encode_row_key(cut, key, subkey, &encoded);
  const Result<RowKeyView> decoded = decode_row_key(encoded);
  SYNTROPY_CHECK(decoded.ok());
  SYNTROPY_CHECK(decoded->db == cut && decoded->key == key && decoded->subkey == subkey);
  SYNTROPY_CHECK(decoded->hash == row_hash(key));
  std::string position;
  encode_row_position(decoded->slot, decoded->db, decoded->hash, &position);
  SYNTROPY_CHECK(encoded.starts_with(position));

  for (size_t i = 0; i < encoded.size() && i < 16; ++i) {
    std::string changed = encoded;
    changed[i] = static_cast<char>(changed[i] ^ (1 << cut % 8));
    check_row_key(changed);
  }
}

std::string merged(std::string_view a, std::string_view b) {
  const Result<RowView> left = decode_row(a);
  const Result<RowView> right = decode_row(b);
  SYNTROPY_CHECK(left.ok() && right.ok());
  std::string out;
  merge(*left, *right, &out);
  return out;
}

void check_merge(std::string_view a, std::string_view b, std::string_view c) {
  for (const std::string_view row : {a, b, c}) {
    if (!decode_row(row).ok()) return;
  }
  const std::string ab = merged(a, b);
  SYNTROPY_CHECK(ab == merged(b, a));
  SYNTROPY_CHECK(merged(a, a) == a);
  SYNTROPY_CHECK(merged(ab, a) == ab && merged(ab, b) == ab);
  SYNTROPY_CHECK(merged(ab, c) == merged(a, merged(b, c)));
  check_row(ab);
}

// Takes a row with its length in front; all that is left when the length says more.
std::string_view take_row(std::string_view* input) {
  if (input->size() < 2) return {};
  const size_t size = static_cast<uint8_t>((*input)[0]) | static_cast<uint8_t>((*input)[1]) << 8;
  const std::string_view row = input->substr(2, size);
  input->remove_prefix(2 + row.size());
  return row;
}

// Rows of the same version are where merge has to decide; two random ones never have it.
std::string at_version_of(std::string_view row, std::string_view model) {
  std::string moved(row);
  constexpr size_t kVersionAt = 2;
  constexpr size_t kVersionBytes = 16;
  if (moved.size() >= kVersionAt + kVersionBytes && model.size() >= kVersionAt + kVersionBytes) {
    moved.replace(kVersionAt, kVersionBytes, model.substr(kVersionAt, kVersionBytes));
  }
  return moved;
}

}  // namespace
}  // namespace syntropy

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  syntropy::check_row(input);
  syntropy::check_row_key(input);
  syntropy::check_made_row_key(data[0], input);
  const std::string_view a = syntropy::take_row(&input);
  const std::string_view b = syntropy::take_row(&input);
  syntropy::check_merge(a, b, input);
  syntropy::check_merge(a, syntropy::at_version_of(b, a), syntropy::at_version_of(input, a));
  return 0;
}
