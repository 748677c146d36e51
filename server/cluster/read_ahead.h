// ReadAheadSources: rows for a session (server/replication/row_source.h), read elsewhere than on
// the loop. A source is a chunk ahead of who takes from it, and says kIncomplete while that chunk
// is being read.
//
// Thread safety: open() and what it returns on the loop; `wake` is called from the reading thread.
#pragma once

#include <functional>
#include <memory>

#include "server/cluster/store_work.h"
#include "server/replication/row_source.h"

namespace syntropy {

class ReadAheadSources final : public RowSources {
 public:
  /// `wake`: a source that had nothing may have something now. All references must outlive `work`.
  ReadAheadSources(RowSources& rows, StoreWork& work, std::function<void()> wake)
      : rows_(rows), work_(work), wake_(std::move(wake)) {}

  Result<std::unique_ptr<RowSource>> open(const RowCopy::Slots& slots) override;

 private:
  class Source;

  RowSources& rows_;
  StoreWork& work_;
  const std::function<void()> wake_;
};

}  // namespace syntropy
