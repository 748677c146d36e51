// TreeFile: a tree of sums (merkle/tree.h) on disk, as of a commit (storage/row_changes.h).
//
//   file := "SYNTREE2" commit:u64 databases:u64 slot*16384 check:u64       (little-endian)
//   slot := FF                               stale: its rows have to be read
//         | levels:u8 keys:u64 leaf * 2^levels        levels below the slot, how many keys it has
//   leaf := rows:u64 check:u64 sum:u64*4
//   databases: which have, or had, rows: bit db % 64. check is XXH3, 64 bits, of all before it.
//
// Written beside the old one and moved over it when it is durable, so there is always one or none.
//
// Thread safety: pure functions; one writer of a path at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "merkle/tree.h"
#include "storage/base/status.h"

namespace syntropy {

struct StoredTree {
  uint64_t commit = 0;
  uint64_t databases = 0;
  std::unique_ptr<Tree> tree;
  std::vector<int64_t> keys;  // by slot
  std::vector<bool> stale;    // by slot
};

std::string encode_tree(uint64_t commit, uint64_t databases, const Tree& tree,
                        const std::vector<int64_t>& keys, const std::vector<bool>& stale);
/// kCorruption when the bytes are not exactly one file.
Result<StoredTree> decode_tree(std::string_view bytes);

Status write_tree_file(const std::string& path, std::string_view bytes);
/// kNotFound when there is none.
Result<std::string> read_tree_file(const std::string& path);

}  // namespace syntropy
