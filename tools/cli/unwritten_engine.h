// UnwrittenEngine: an engine that takes writes and forgets them, over one that is only read. With
// it a keyspace opens a directory in which nothing may be changed: what a keyspace writes to the
// store by opening it is news to nobody but the node that will be started there.
//
// A reader sees what is in the store, never what was written; so nothing that builds on its own
// writes may run on it.
//
// Thread safety: as the engine's below.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "storage/engine.h"

namespace syntropy {

class UnwrittenEngine final : public Engine {
 public:
  /// `store` outlives this.
  explicit UnwrittenEngine(Engine& store) : store_(store) {}

  Status get(std::string_view key, ReadTier tier, std::string* value) override {
    return store_.get(key, tier, value);
  }
  std::unique_ptr<EngineBatch> new_batch() override { return std::make_unique<Batch>(); }
  Status write(EngineBatch&) override { return {}; }
  Status sync() override { return {}; }
  Status health() const override { return store_.health(); }
  Status recover() override { return {}; }
  std::unique_ptr<EngineSnapshot> snapshot() override { return store_.snapshot(); }
  std::unique_ptr<EngineIterator> iterate(std::string lower, std::string upper,
                                          const EngineSnapshot* snapshot) override {
    return store_.iterate(std::move(lower), std::move(upper), snapshot);
  }
  Status checkpoint(const std::string& dir) override { return store_.checkpoint(dir); }
  Status flush() override { return {}; }
  Status compact(std::string_view, std::string_view) override { return {}; }
  EngineStats stats() const override { return store_.stats(); }
  std::vector<uint64_t> sizes(const std::vector<std::string>& bounds) const override {
    return store_.sizes(bounds);
  }

 private:
  class Batch final : public EngineBatch {
   public:
    void put(std::string_view key, std::string_view value) override {
      bytes_ += key.size() + value.size();
    }
    void erase(std::string_view key) override { bytes_ += key.size(); }
    void clear() override { bytes_ = 0; }
    bool empty() const override { return bytes_ == 0; }
    size_t bytes() const override { return bytes_; }

   private:
    size_t bytes_ = 0;
  };

  Engine& store_;
};

}  // namespace syntropy
