// The start of the trees: from their file and journal, or from nothing.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>

#include "server/trees/row_trees.h"
#include "server/trees/tree_file.h"
#include "storage/local_keys.h"

namespace syntropy {
namespace {

using Killed = RowChangeListener::Killed;

bool holds_rows(Engine& engine) {
  const auto row = engine.iterate({}, kRowKeysEnd, nullptr);
  row->seek({});
  return row->valid() || !row->status().ok();
}

}  // namespace

Result<std::unique_ptr<RowTrees>> RowTrees::open(Keyspace& keyspace,
                                                 const RowTreesOptions& options) {
  if (!options.dir.empty()) {
    std::error_code error;
    std::filesystem::create_directories(options.dir, error);
    if (error) {
      return Status::io_error("cannot make the directory " + options.dir + ": " + error.message());
    }
  }
  std::unique_ptr<RowTrees> trees(new RowTrees(keyspace, options));
  const Status loaded = trees->load();
  if (!loaded.ok()) return loaded;
  if (options.background) {
    trees->thread_ = std::thread([&made = *trees] { made.run(); });
  }
  return trees;
}

Status RowTrees::load() {
  uint64_t stored = 0;
  const Status listening = keyspace_.set_row_listener(this, &stored);
  if (!listening.ok()) return listening;
  applied_ = stored;
  const bool rows = holds_rows(keyspace_.engine());
  // Nobody was told of the rows of a store without commits: the trees were off meanwhile.
  if (!options_.dir.empty() && !(rows && stored == 0) && load_file(stored)) return {};
  begin_anew(Killed::kNone);
  clear(/*stale=*/rows);
  if (rows) {
    if (options_.background) {
      spdlog::info("the trees are made anew from the rows, in the background");
    }
    return {};
  }
  // Without a file that says so, nobody would know that the journal is all there is.
  return options_.dir.empty() ? Status() : save();
}

bool RowTrees::load_file(uint64_t stored) {
  const std::string path = file();
  Result<std::string> bytes = read_tree_file(path);
  if (!bytes.ok()) {
    if (!bytes.status().is(StatusCode::kNotFound)) spdlog::warn("{}", bytes.status().message());
    return false;
  }
  Result<StoredTree> file = decode_tree(*bytes);
  if (!file.ok()) {
    spdlog::warn("{}: {}", path, file.status().message());
    return false;
  }
  if (file->commit > stored) {
    spdlog::warn("{} is ahead of the store", path);
    return false;
  }
  has_file_ = true;
  tree_ = std::move(file->tree);
  keys_ = std::move(file->keys);
  databases_ = file->databases;
  stale_ = std::move(file->stale);
  stale_slots_ = static_cast<uint64_t>(std::count(stale_.begin(), stale_.end(), true));
  const Status replayed = journal_.replay(file->commit, stored, [&](const TreeCommit& commit) {
    if (commit.killed != Killed::kNone) clear(commit.killed == Killed::kSome);
    databases_ |= commit.databases;
    for (const MarkChange& change : commit.changes) apply(change);
    changes_since_save_ += commit.changes.size();
  });
  if (!replayed.ok()) spdlog::warn("{}", replayed.message());
  return replayed.ok();
}

}  // namespace syntropy
