// RowSource: rows for the other side of a session, as a stream of log records.
//
// It is what stands between the sessions and the way in which two stores are made equal.
// RowCopySource reads all rows of a snapshot. One that has compared the stores before will give
// only those that differ, and nothing else changes: the receiver merges whatever comes.
//
// Thread safety: one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "storage/base/status.h"
#include "storage/engine.h"
#include "storage/lineage.h"
#include "storage/row_copy.h"

namespace syntropy {

class RowSource {
 public:
  virtual ~RowSource() = default;
  /// What the rows are as of: together with the log from its offset on they are all there is.
  virtual const LogPosition& position() const = 0;
  /// Appends one record of about `max_bytes`, more only when a single row has more. False at the
  /// end, when nothing is left to append. kIncomplete: not ready, ask again later.
  virtual Result<bool> next(size_t max_bytes, std::string* records) = 0;
};

class RowSources {
 public:
  virtual ~RowSources() = default;
  /// The rows of these slots as of now.
  virtual Result<std::unique_ptr<RowSource>> open(const RowCopy::Slots& slots) = 0;
};

/// All rows of a store, whatever the other side has.
class RowCopySources final : public RowSources {
 public:
  /// `engine` must outlive this and what it opens.
  explicit RowCopySources(Engine& engine) : engine_(engine) {}
  Result<std::unique_ptr<RowSource>> open(const RowCopy::Slots& slots) override {
    Result<std::unique_ptr<RowCopy>> copy = RowCopy::open(engine_, slots);
    if (!copy.ok()) return copy.status();
    return std::unique_ptr<RowSource>(std::make_unique<RowCopySource>(std::move(*copy)));
  }

 private:
  class RowCopySource final : public RowSource {
   public:
    explicit RowCopySource(std::unique_ptr<RowCopy> copy) : copy_(std::move(copy)) {}
    const LogPosition& position() const override { return copy_->position(); }
    Result<bool> next(size_t max_bytes, std::string* records) override {
      return copy_->next(max_bytes, records);
    }

   private:
    const std::unique_ptr<RowCopy> copy_;
  };

  Engine& engine_;
};

}  // namespace syntropy
