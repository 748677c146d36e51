#include "storage/row.h"

#include <gtest/gtest.h>

#include "storage/base/random.h"
#include "storage/base/slot.h"
#include "storage/local_keys.h"

namespace syntropy {
namespace {

using namespace std::string_literals;

std::string encoded(const RowView& row) {
  std::string out;
  encode_row(row, &out);
  return out;
}

std::string encoded_key(uint16_t db, std::string_view key, std::string_view subkey) {
  std::string out;
  encode_row_key(db, key, subkey, &out);
  return out;
}

// The check vectors of docs/row-format.md.
TEST(Row, HasTheBytesOfItsCheckVectors) {
  EXPECT_EQ(encoded({RowKind::kString, {0x0102030405060708, 0x1112131415161718}, 0, "hi"}),
            "\x01\x01\x08\x07\x06\x05\x04\x03\x02\x01\x18\x17\x16\x15\x14\x13\x12\x11hi");
  EXPECT_EQ(encoded({RowKind::kString, {1, 2}, 0x0A0B, "x"}),
            "\x01\x81"
            "\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x0B\x0A\0\0\0\0\0\0x"s);
  EXPECT_EQ(encoded({RowKind::kTombstone, {1, 2}, 0, ""}),
            "\x01\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0"s);
}

TEST(Row, KeyHasTheBytesOfItsCheckVector) {
  // slot 12182 = 0x2F96, database 3, hash 0x077E7D8A (low half of XXH3-64 of "foo"), 3 bytes of key
  EXPECT_EQ(encoded_key(3, "foo", "f1"), "\x2F\x96\0\x03\x07\x7E\x7D\x8A\x03"s + "foof1");
}

TEST(Row, ComesBackAsItWas) {
  SeededRandom random(21);
  for (int i = 0; i < 5000; ++i) {
    const std::string payload(random.below(40), static_cast<char>(random.next()));
    RowView row{static_cast<RowKind>(1 + random.below(7)),
                {random.next(), random.next()},
                random.one_in(2) ? 0 : random.next() | 1,
                payload};
    if (random.one_in(10)) row = {RowKind::kTombstone, row.version, 0, ""};
    if (random.one_in(10)) row.kind = RowKind::kElement;
    if (row.kind == RowKind::kTombstone) row.expires_at_ms = 0;
    const std::string bytes = encoded(row);
    const Result<RowView> back = decode_row(bytes);
    ASSERT_TRUE(back.ok()) << back.status().message();
    EXPECT_EQ(back->kind, row.kind);
    EXPECT_EQ(back->version, row.version);
    EXPECT_EQ(back->expires_at_ms, row.expires_at_ms);
    EXPECT_EQ(back->payload, row.payload);
    EXPECT_EQ(encoded(*back), bytes);
  }
}

TEST(Row, IllFormedBytesAreCorruption) {
  const std::string good = encoded({RowKind::kString, {1, 2}, 3, "payload"});
  for (size_t size = 0; size < 26; ++size) {
    EXPECT_TRUE(decode_row(good.substr(0, size)).status().is(StatusCode::kCorruption)) << size;
  }
  const auto with = [&](size_t at, char byte) {
    std::string bytes = good;
    bytes[at] = byte;
    return decode_row(bytes).status();
  };
  EXPECT_TRUE(with(0, 0).is(StatusCode::kCorruption));
  EXPECT_TRUE(with(0, 2).is(StatusCode::kCorruption));  // a later format
  EXPECT_TRUE(with(1, 8).is(StatusCode::kCorruption));  // no such kind
  EXPECT_TRUE(with(1, 0x40).is(StatusCode::kCorruption));
  EXPECT_TRUE(with(1, '\x80').is(StatusCode::kCorruption));  // tombstone with content
  EXPECT_TRUE(with(18, 0).is(StatusCode::kCorruption));      // expiry of zero
}

TEST(Row, RandomBytesNeverDecodeToSomethingThatEncodesOtherwise) {
  SeededRandom random(22);
  for (int i = 0; i < 100'000; ++i) {
    std::string bytes(random.below(48), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.next() >> random.below(8));
    if (!bytes.empty() && random.one_in(2)) bytes[0] = 1;
    const Result<RowView> row = decode_row(bytes);
    if (row.ok()) {
      EXPECT_EQ(encoded(*row), bytes);
    }
    const Result<RowKeyView> key = decode_row_key(bytes);
    if (key.ok()) {
      EXPECT_EQ(encoded_key(key->db, key->key, key->subkey), bytes);
    }
  }
}

TEST(Row, ExpiresFromItsVeryMillisecondOn) {
  const RowView row{RowKind::kString, {1, 1}, 1000, ""};
  EXPECT_FALSE(row.expired(999));
  EXPECT_TRUE(row.expired(1000));
  EXPECT_FALSE((RowView{RowKind::kString, {1, 1}, 0, ""}).expired(UINT64_MAX));
}

TEST(Row, KeyComesBackAsItWas) {
  SeededRandom random(23);
  for (int i = 0; i < 2000; ++i) {
    const auto db = static_cast<uint16_t>(random.next());
    const std::string key(random.below(300), static_cast<char>(random.next()));
    const std::string subkey(random.below(30), static_cast<char>(random.next()));
    const std::string bytes = encoded_key(db, key, subkey);
    const Result<RowKeyView> back = decode_row_key(bytes);
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(back->slot, slot_of(key));
    EXPECT_EQ(back->db, db);
    EXPECT_EQ(back->hash, row_hash(key));
    EXPECT_EQ(back->key, key);
    EXPECT_EQ(back->subkey, subkey);
    EXPECT_TRUE(is_row_key(bytes));
  }
}

TEST(Row, DamagedKeyIsNotAKey) {
  const std::string good = encoded_key(1, "some key", "sub");
  for (size_t at = 0; at < 9 + 8; ++at) {
    if (at == 2 || at == 3) continue;  // the database: any number is one
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    EXPECT_FALSE(decode_row_key(bytes).ok()) << "byte " << at;
  }
  EXPECT_FALSE(decode_row_key("").ok());
  EXPECT_FALSE(decode_row_key(good.substr(0, 12)).ok());
}

TEST(Row, RowsOfAKeyAreAdjacentAndTheFirstOneLeads) {
  const std::string first = encoded_key(0, "k", "");
  EXPECT_LT(first, encoded_key(0, "k", std::string(1, '\0')));
  EXPECT_LT(encoded_key(0, "k", "a"), encoded_key(0, "k", "b"));
  std::string position;
  encode_row_position(slot_of("k"), 0, row_hash("k"), &position);
  EXPECT_LT(position, first);
  EXPECT_TRUE(first.starts_with(position));
}

TEST(LocalKeys, LieBehindAllRows) {
  std::string last_position;
  encode_row_position(kSlotCount - 1, UINT16_MAX, UINT32_MAX, &last_position);
  EXPECT_LT(last_position, kRowKeysEnd);
  EXPECT_GE(meta_key(""), kLocalKeysBegin);
  EXPECT_GT(expiry_position(0), meta_key("zzz"));
  EXPECT_FALSE(is_row_key(meta_key("format")));
  EXPECT_FALSE(is_row_key(expiry_position(1)));
  EXPECT_FALSE(is_row_key(""));
}

TEST(LocalKeys, ExpiryRecordsAscendByTime) {
  std::string early, late;
  encode_expiry_key(255, "zzz", &early);
  encode_expiry_key(256, "aaa", &late);
  EXPECT_LT(early, late);
  EXPECT_LE(expiry_position(256), late);
  EXPECT_LT(early, expiry_position(256));
  EXPECT_LT(late, expiry_keys_end());
  const auto back = decode_expiry_key(late);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->expires_at_ms, 256u);
  EXPECT_EQ(back->row_key, "aaa");
  EXPECT_FALSE(decode_expiry_key(late.substr(0, 8)).has_value());
  EXPECT_FALSE(decode_expiry_key(meta_key("x")).has_value());
}

}  // namespace
}  // namespace syntropy
