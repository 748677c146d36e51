// Ledger: what clients of the simulation wrote, what of it was acknowledged, and what must be there
// in the end.
//
// A store *has* a write when its row has the write's version or a greater one; an increment, when
// its writer's running total in the counter is not below that after the increment. An acknowledged
// write is *required* until the last store that has it loses it with a disk, or with the power what
// was never synced: then nobody can bring it back; or until it is *gone*: a deletion of its row,
// or of a later version, was purged by the owner of its slot, and nothing up to that version may
// come back. And what a client wrote after another write was acknowledged isn't undone by that one,
// on whichever nodes and by whatever clocks the two were. (Not judged where the later node can't
// know by how much the clock of the earlier one is ahead: it has begun its life, or that clock was
// set, in between, or what it had of that one's log was long on its way, or nothing.)
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "rpc/memory_network.h"
#include "storage/lineage.h"
#include "storage/memory_engine.h"
#include "storage/row.h"
#include "storage/version.h"

namespace syntropy::testing {

struct Write {
  enum class Kind { kPut, kErase, kIncrement };

  Kind kind = Kind::kPut;
  std::string key;
  std::string row_key;
  Version version;      // of the row after it
  WriterId writer = 0;  // of an increment, with the total after it
  int64_t total = 0;
  size_t node = 0;               // that executed it
  TimeMs began = 0;              // when that node's life began
  TimeMs clock_set = 0;          // when its clock was set last; 0: not in this run
  bool slow = false;             // what that node said was long on its way
  std::vector<Lineage> history;  // of its log
  TimeMs at = 0;
  bool acknowledged = false;
  TimeMs acknowledged_at = 0;
  bool lost = false;  // with the last store that had it
  bool gone = false;  // purged
};

class Ledger {
 public:
  using Number = size_t;

  /// Fills in what the row of `write` in `engine` says. Empty when all is well.
  std::string add(Write write, WriterId writer, Engine& engine, Number* number);
  void acknowledge(Number number, TimeMs now);
  const Write& write(Number number) const { return writes_[number]; }
  size_t size() const { return writes_.size(); }

  /// Whether the store has it; `durable`: and would after the loss of power.
  bool has(MemoryEngine& engine, Number number, bool durable) const;

  /// What `engine` has of the required writes; for lose_since().
  std::vector<Number> held(Engine& engine) const;
  /// Something has happened to the store. Those required writes that were on it, aren't any more,
  /// and aren't on any of `others`, are required no longer. Returns how many.
  size_t lose_since(const std::vector<Number>& held, Engine& engine,
                    const std::vector<Engine*>& others);

  /// After everything: `store_of` gives the store of a key's owner. The first violation in words.
  std::string check(const std::function<Engine*(const std::string& key)>& store_of) const;
  /// Looks for deletions that were taken for lost, and were on their way to this store.
  void find_again(Engine& engine);
  /// Looks for deletions that were purged in the store of the node that owns their slots, or of one
  /// of its replicas.
  void note_purges(size_t node, Engine& engine,
                   const std::function<bool(const std::string& key)>& owns);
  /// The node has another store now, or an older one. What the last of those knew was purged that
  /// noticed it, is lost.
  void disk_changed(size_t node, Engine& engine);
  /// The rows of the store may come back though they were purged.
  void brought_back(Engine& engine);
  /// Acknowledged deletions that are gone.
  size_t purged() const;

 private:
  std::string state_of(const std::string& row_key, Engine& engine) const;
  bool superseded(const Write& write, Engine& engine) const;
  std::string check_row(const std::string& row_key, Engine& engine,
                        const std::vector<Number>& numbers) const;
  std::string check_order(const RowView& row, const std::vector<Number>& numbers) const;

  std::vector<Write> writes_;
  std::map<std::string, std::vector<Number>> erased_;  // by row key
  std::map<std::string, std::set<size_t>> keepers_;    // of what was purged, the same
};

}  // namespace syntropy::testing
