// Slots: every key belongs to one of kSlotCount slots, the unit in which ownership of keys moves
// between nodes.
//
// slot_of(key) = CRC16/XMODEM(hash part of key) mod kSlotCount, as the Redis Cluster specification
// defines it ("Key distribution model", "Hash tags"), so that its clients find the right node.
// CRC16/XMODEM: width 16, polynomial 0x1021, initial value 0, not reflected, no final xor.
// Check value: crc16("123456789") == 0x31C3.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

namespace syntropy {

inline constexpr uint16_t kSlotCount = 16384;

/// CRC16/XMODEM of `bytes`; 0 for none.
uint16_t crc16(std::string_view bytes);

/// The part of `key` that decides its slot: what stands between the first '{' and the first '}'
/// after it, if both are there and something is between them; the whole key otherwise. The view
/// points into `key`.
std::string_view hash_part(std::string_view key);

/// The slot of `key`, below kSlotCount.
uint16_t slot_of(std::string_view key);

}  // namespace syntropy
