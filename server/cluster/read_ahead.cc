#include "server/cluster/read_ahead.h"

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

namespace syntropy {
namespace {

constexpr size_t kChunkBytes = 256 * 1024;

}  // namespace

class ReadAheadSources::Source final : public RowSource {
 public:
  Source(std::unique_ptr<RowSource> rows, StoreWork& work, std::function<void()> wake)
      : position_(rows->position()), work_(work), shared_(std::make_shared<Shared>()) {
    shared_->rows = std::move(rows);
    shared_->wake = std::move(wake);
  }

  ~Source() override {
    const std::lock_guard lock(shared_->mutex);
    shared_->wake = nullptr;
    // A job that is under way lets go of the rows itself.
    if (!shared_->reading) shared_->rows.reset();
    shared_->abandoned = true;
  }

  const LogPosition& position() const override { return position_; }

  Result<bool> next(size_t max_bytes, std::string* records) override {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->reading) return Status::incomplete("rows are being read");
    if (!shared_->failed.ok()) return shared_->failed;
    if (!shared_->chunk.empty()) {
      records->append(std::exchange(shared_->chunk, {}));
      if (!shared_->ended) read(max_bytes);
      return true;
    }
    if (shared_->ended) return false;
    read(max_bytes);
    return Status::incomplete("rows are being read");
  }

 private:
  struct Shared {
    std::mutex mutex;  // guards all; the rows are used without it while `reading`
    std::unique_ptr<RowSource> rows;
    std::function<void()> wake;
    std::string chunk;
    Status failed;
    bool reading = false;
    bool ended = false;
    bool abandoned = false;
  };

  // With the mutex held.
  void read(size_t max_bytes) {
    shared_->reading = true;
    work_.read([shared = shared_, bytes = std::min(max_bytes, kChunkBytes)] {
      std::string chunk;
      Result<bool> more = true;
      {
        const std::lock_guard lock(shared->mutex);
        if (shared->abandoned) return shared->rows.reset();
      }
      more = shared->rows->next(bytes, &chunk);
      const std::lock_guard lock(shared->mutex);
      shared->reading = false;
      if (!more.ok()) shared->failed = more.status();
      shared->ended = more.ok() && !*more;
      shared->chunk = std::move(chunk);
      if (shared->abandoned || shared->ended || !more.ok()) shared->rows.reset();
      if (shared->wake) shared->wake();
    });
  }

  const LogPosition position_;
  StoreWork& work_;
  const std::shared_ptr<Shared> shared_;
};

Result<std::unique_ptr<RowSource>> ReadAheadSources::open(const RowCopy::Slots& slots) {
  Result<std::unique_ptr<RowSource>> rows = rows_.open(slots);
  if (!rows.ok()) return rows;
  return std::unique_ptr<RowSource>(std::make_unique<Source>(std::move(*rows), work_, wake_));
}

}  // namespace syntropy
