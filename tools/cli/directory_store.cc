#include "tools/cli/directory_store.h"

#include <spdlog/spdlog.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "storage/base/random.h"
#include "storage/local_records.h"
#include "storage/log_applier.h"
#include "storage/rocks_engine.h"
#include "tools/cli/unwritten_engine.h"

namespace syntropy {
namespace {

constexpr uint32_t kDatabases = 16;  // a node's, unless it is told otherwise
constexpr uint64_t kCacheBytes = uint64_t{32} << 20;
constexpr uint64_t kExpireStep = 1000;

/// So many that none that holds keys, or was exchanged with another one, is beyond.
Result<uint32_t> databases_of(Engine& engine) {
  uint32_t databases = kDatabases;
  const auto counts = engine.iterate(count_records_begin(), flush_records_begin(), nullptr);
  for (counts->seek(count_records_begin()); counts->valid(); counts->next()) {
    const Result<uint16_t> db = database_of_record(counts->key());
    if (!db.ok()) break;  // the end of these records
    databases = std::max(databases, *db + uint32_t{1});
  }
  if (!counts->status().ok()) return counts->status();
  std::string record;
  if (!engine.get(databases_record_key(), ReadTier::kDisk, &record).ok()) return databases;
  const Result<std::vector<uint16_t>> mapped = decode_database_map(record);
  if (mapped.ok()) databases = std::max(databases, static_cast<uint32_t>(mapped->size()));
  return databases;
}

WriterId new_writer_id() {
  SeededRandom random(system_seed());
  WriterId id = 0;
  while (id == 0) id = random.next();
  return id;
}

}  // namespace

/// A directory's trees where they may be written to; removed in the end.
class DirectoryStore::TreesCopy {
 public:
  static Result<std::unique_ptr<TreesCopy>> make(const std::string& trees) {
    std::error_code error;
    const std::filesystem::path temporary = std::filesystem::temp_directory_path(error);
    std::string path = (temporary / "syntropy-trees-XXXXXX").string();
    if (error || ::mkdtemp(path.data()) == nullptr) {
      return Status::io_error("cannot make a temporary directory " + path + ": " +
                              std::strerror(errno));
    }
    std::unique_ptr<TreesCopy> copy(new TreesCopy(path));
    std::filesystem::copy(trees, path, error);
    if (error) return Status::io_error("cannot copy " + trees + ": " + error.message());
    return copy;
  }
  ~TreesCopy() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  explicit TreesCopy(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

DirectoryStore::DirectoryStore() {
  // What the libraries tell a node's log is nothing to whoever reads the report.
  spdlog::set_level(spdlog::level::off);
}

// The trees hear of the keyspace's commits, and the keyspace may be asked by the trees.
DirectoryStore::~DirectoryStore() {
  trees_.reset();
  keyspace_.reset();
}

Result<std::unique_ptr<DirectoryStore>> DirectoryStore::open(const std::string& dir) {
  Result<std::unique_ptr<RocksInspection>> inspection = RocksInspection::open(dir);
  if (!inspection.ok()) return inspection.status();
  Result<std::unique_ptr<DirectoryStore>> store = over((*inspection)->engine(), dir);
  if (store.ok()) (*store)->inspection_ = std::move(*inspection);
  return store;
}

Result<std::unique_ptr<DirectoryStore>> DirectoryStore::over(Engine& engine,
                                                             const std::string& dir) {
  std::unique_ptr<DirectoryStore> store(new DirectoryStore());
  store->engine_ = std::make_unique<UnwrittenEngine>(engine);
  std::string trees;  // empty: they are made, and kept in memory
  std::error_code ignored;
  if (std::filesystem::is_directory(dir + "/trees", ignored)) {
    Result<std::unique_ptr<TreesCopy>> copy = TreesCopy::make(dir + "/trees");
    if (!copy.ok()) return copy.status();
    store->copy_ = std::move(*copy);
    trees = store->copy_->path();
  }
  const Status begun = store->begin(*store->engine_, trees);
  if (!begun.ok()) return begun;
  return store;
}

Result<std::unique_ptr<DirectoryStore>> DirectoryStore::open_for_writing(const std::string& dir) {
  std::error_code ignored;
  if (!std::filesystem::exists(dir + "/CURRENT", ignored)) {
    return Status::not_found("there is no store in " + dir);
  }
  std::unique_ptr<DirectoryStore> store(new DirectoryStore());
  RocksOptions options;
  options.dir = dir;
  options.block_cache_bytes = kCacheBytes;
  Result<std::unique_ptr<Engine>> engine = open_rocks_engine(options, &store->purge_);
  if (!engine.ok()) return engine.status();
  store->engine_ = std::move(*engine);
  Status begun = store->begin(*store->engine_, dir + "/trees");
  if (begun.ok()) begun = store->lead();
  if (!begun.ok()) return begun;
  return store;
}

Status DirectoryStore::begin(Engine& engine, const std::string& trees_dir) {
  const Result<uint32_t> databases = databases_of(engine);
  if (!databases.ok()) return databases.status();
  KeyspaceOptions options;
  options.databases = *databases;
  options.row_cache_bytes = 0;
  options.new_writer_id = new_writer_id();
  Result<std::unique_ptr<Keyspace>> keyspace = Keyspace::open(engine, clock_, purge_, options);
  if (!keyspace.ok()) return keyspace.status();
  keyspace_ = std::move(*keyspace);
  RowTreesOptions trees;
  trees.dir = trees_dir;
  trees.background = false;
  Result<std::unique_ptr<RowTrees>> opened = RowTrees::open(*keyspace_, trees);
  if (!opened.ok()) return opened.status();
  trees_ = std::move(*opened);
  return drain_expired();
}

// A store that is, or once was, replicated takes writes from its writer alone.
Status DirectoryStore::lead() {
  if (keyspace_->replication_log() == nullptr) return {};
  SeededRandom random(system_seed());
  return LogApplier(*keyspace_).begin_lineage(LineageId::random(random));
}

// What a running node has dropped must not seem to be there: dead rows count in replicated stores
// alone, where they are the same whether they were drained or not.
Status DirectoryStore::drain_expired() {
  if (keyspace_->covers_dead_rows()) return {};
  while (true) {
    const Result<uint64_t> drained = keyspace_->expire_due(clock_.wall_ms(), kExpireStep);
    if (!drained.ok()) return drained.status();
    if (*drained < kExpireStep) return {};
  }
}

Status DirectoryStore::close() {
  const Status clean = keyspace_->mark_clean();
  return clean.ok() ? trees_->save() : clean;
}

}  // namespace syntropy
