// DirectorySide: the rows of a directory as a side of a comparison row by row.
//
// Thread safety: as a ReconcileSide's.
#pragma once

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/cli/directory_store.h"
#include "tools/cli/reconcile_side.h"

namespace syntropy {

class DirectorySide final : public ReconcileSide {
 public:
  /// `writable`: it is going to be mended. Errors as DirectoryStore.
  static Result<std::unique_ptr<DirectorySide>> open(const std::string& dir, bool writable);
  ~DirectorySide() override;

  /// Of one that was mended, when it is over: as DirectoryStore::close().
  Status close() { return store_->close(); }

  Result<Step> begin(const ReconcilePlan& plan) override;
  Result<Step> go_on(const std::vector<std::string>& replies) override;
  Result<std::vector<std::string>> answer(const std::vector<std::string>& requests) override;
  Result<uint64_t> stale_slots() override;
  bool in_use() const override { return false; }
  Traffic traffic() const override { return {}; }

 private:
  explicit DirectorySide(std::unique_ptr<DirectoryStore> store);

  std::unique_ptr<DirectoryStore> store_;
  ReconcileConversation conversation_;
  std::future<Status> making_ready_;
};

}  // namespace syntropy
