// TreeJournal: the changes of rows since the trees were saved (tree_file.h), on disk, so that the
// trees of a node that crashed needn't be made anew from its rows.
//
// Appending is a copy into mapped memory: it costs no system call, and survives the end of the
// process. It is never synced: what the loss of power takes from it is noticed, because records
// carry the number of the commit (storage/row_changes.h) and the store knows the last one.
//
// Files `journal-<first commit, 16 hexadecimal digits>`, each the continuation of the one before:
//
//   journal := record* 0*
//   record  := commit:u64 databases:u64 count:u24 killed:u8 check:u32 change*count
//                                                                              (little-endian)
//   change  := element:u64 check:u64 element:u64 check:u64      before, after; element 0: no row.
//              Both 0: the checks are by how much the slot's keys change in number, and the slot
//   check   := the lower 32 bits of XXH3 over the rest of the record
//   databases: of the rows, bit db % 64
//   killed  := 0, 1 or 2: rows died with it that aren't named: none, some, all
//
// A failure (no room, mostly) ends the journal: it takes nothing more, and the trees are made anew
// after the next crash, unless they are saved before.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "merkle/row_mark.h"
#include "server/descriptor.h"
#include "storage/base/status.h"
#include "storage/row_changes.h"

namespace syntropy {

/// What becomes of a row, or of a slot's number of keys.
struct MarkChange {
  RowMark before;  // element 0: no row
  RowMark after;

  static MarkChange of_keys(const SlotKeys& keys) {
    return {{0, static_cast<uint64_t>(keys.delta)}, {0, keys.slot}};
  }
  bool is_of_keys() const { return before.element == 0 && after.element == 0; }
  int64_t keys_delta() const { return static_cast<int64_t>(before.check); }
  uint16_t slot() const {
    if (is_of_keys()) return static_cast<uint16_t>(after.check);
    return slot_of_position(position_of(after.element != 0 ? after.element : before.element));
  }
};

/// A record.
struct TreeCommit {
  uint64_t commit = 0;
  RowChangeListener::Killed killed = RowChangeListener::Killed::kNone;
  uint64_t databases = 0;  // of the rows: bit db % 64
  std::span<const MarkChange> changes;
};

class TreeJournal {
 public:
  /// `dir` exists.
  explicit TreeJournal(std::string dir) : dir_(std::move(dir)) {}
  ~TreeJournal() { close(); }
  TreeJournal(const TreeJournal&) = delete;
  TreeJournal& operator=(const TreeJournal&) = delete;

  /// Reads the records after `after`, whose numbers ascend by one, up to `last`, and removes those
  /// behind it, of commits that came to nothing. kIncomplete when they don't reach `last`.
  Status replay(uint64_t after, uint64_t last, const std::function<void(const TreeCommit&)>& visit);
  /// Removes all files. The next append() begins a new one.
  void clear();

  void append(const TreeCommit& commit);
  /// Takes back the last append().
  void undo();
  /// The next append() begins a new file.
  void begin_file();
  /// Removes files whose records are all up to `commit`.
  void forget(uint64_t commit);

  uint64_t bytes() const { return bytes_; }
  /// Why it takes nothing more.
  const Status& status() const { return status_; }

 private:
  bool reserve(size_t bytes);
  void unmap();
  void close();
  std::vector<std::pair<uint64_t, std::string>> files() const;
  void fail(const std::string& what);

  const std::string dir_;
  Descriptor file_;
  std::string path_;
  bool begin_file_ = true;
  char* window_ = nullptr;
  uint64_t window_begin_ = 0;  // in the file
  uint64_t window_size_ = 0;
  uint64_t end_ = 0;          // of the records in the file
  uint64_t last_ = 0;         // where the last one begins
  uint64_t last_commit_ = 0;  // appended by this object
  uint64_t bytes_ = 0;
  Status status_;
};

}  // namespace syntropy
