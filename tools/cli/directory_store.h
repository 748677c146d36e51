// DirectoryStore: the rows of a directory and their trees, in this process: of a node that isn't
// running, or of a snapshot.
//
// To look at: nothing in the directory is changed, in whatever state it is. The trees are a copy in
// the temporary directory; where the node has saved none, or they don't reach the last write, as
// after the loss of power, they are made from the rows.
//
// To mend: the store is opened as a node opens it, and left as a node leaves it. Dead rows are kept
// whatever the node does with them: nothing here knows whether others have to hear of them.
//
// Either way expired rows are dropped first, as a node does at its start, and while it lives no
// node can start on the directory.
//
// Thread safety: as RowTrees and Keyspace.
#pragma once

#include <memory>
#include <string>

#include "server/trees/row_trees.h"
#include "storage/base/clock.h"
#include "storage/keyspace.h"
#include "storage/purge.h"
#include "storage/rocks_inspection.h"

namespace syntropy {

class DirectoryStore {
 public:
  /// To look at. Errors as RocksInspection::open().
  static Result<std::unique_ptr<DirectoryStore>> open(const std::string& dir);
  /// The same, over a store that is open already and outlives it.
  static Result<std::unique_ptr<DirectoryStore>> over(Engine& store, const std::string& dir);
  /// To mend; kNotFound when there is no store.
  static Result<std::unique_ptr<DirectoryStore>> open_for_writing(const std::string& dir);
  ~DirectoryStore();
  DirectoryStore(const DirectoryStore&) = delete;
  DirectoryStore& operator=(const DirectoryStore&) = delete;

  Keyspace& keyspace() { return *keyspace_; }
  RowTrees& trees() { return *trees_; }

  /// Of a store that was mended: makes all durable, and leaves it as after a shutdown. The last
  /// call.
  Status close();

 private:
  class TreesCopy;
  DirectoryStore();

  Status begin(Engine& engine, const std::string& trees_dir);
  Status lead();
  Status drain_expired();

  SystemClock clock_;
  PurgePolicy purge_{PurgePolicy::Mode::kNever};
  std::unique_ptr<RocksInspection> inspection_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<TreesCopy> copy_;
  std::unique_ptr<Keyspace> keyspace_;
  std::unique_ptr<RowTrees> trees_;
};

}  // namespace syntropy
