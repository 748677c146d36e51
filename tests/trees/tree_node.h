// TreeNode: a keyspace on an engine in memory, with its trees on disk; restarts and crashes.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/trees/row_trees.h"
#include "storage/keyspace.h"
#include "storage/memory_engine.h"
#include "storage/tick.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"

namespace syntropy::testing {

class TreeNode {
 public:
  explicit TreeNode(bool replicated, bool background = false);
  ~TreeNode() { close(); }

  Keyspace& keyspace() { return *keyspace_; }
  RowTrees& trees() { return *trees_; }
  MemoryEngine& engine() { return engine_; }
  ManualClock& clock() { return clock_; }
  std::string dir() const { return dir_ / "trees"; }

  /// One commit; whether it succeeded.
  bool run(const std::function<void(Tick&)>& body);
  void put(const std::string& key, const std::string& value);

  void close();
  void open();
  /// As after kill -9, the loss of power, a shutdown.
  void crash();
  void lose_power();
  void restart();
  /// The node runs, and makes one commit, with its trees switched off.
  void run_without_trees(const std::function<void(Tick&)>& body);

  /// Every slot's rows are what the tree says; how many there are.
  uint64_t expect_right();
  Summary root();

 private:
  void open_keyspace();

  const bool replicated_;
  const bool background_;
  TempDir dir_;
  MemoryEngine engine_;
  ManualClock clock_;
  std::unique_ptr<PurgePolicy> purge_;
  std::unique_ptr<Keyspace> keyspace_;
  std::unique_ptr<RowTrees> trees_;
  WriterId next_writer_ = 1;
};

}  // namespace syntropy::testing
