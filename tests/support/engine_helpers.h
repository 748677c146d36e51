// Shorthand for tests of engines: one write, one read, everything in a range.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/engine.h"

namespace syntropy::testing {

using Pairs = std::vector<std::pair<std::string, std::string>>;

/// Ok when the write may be acknowledged: applied, and the engine is healthy.
inline Status write_stored(Engine& engine, EngineBatch& batch) {
  Status status = engine.write(batch);
  return status.ok() ? engine.health() : status;
}

/// Ok as write_stored().
inline Status put(Engine& engine, std::string_view key, std::string_view value) {
  const std::unique_ptr<EngineBatch> batch = engine.new_batch();
  batch->put(key, value);
  return write_stored(engine, *batch);
}

/// Ok as write_stored().
inline Status erase(Engine& engine, std::string_view key) {
  const std::unique_ptr<EngineBatch> batch = engine.new_batch();
  batch->erase(key);
  return write_stored(engine, *batch);
}

/// The value, or nullopt when absent. Any other outcome fails the test.
inline std::optional<std::string> get(Engine& engine, std::string_view key,
                                      ReadTier tier = ReadTier::kDisk) {
  std::string value;
  const Status status = engine.get(key, tier, &value);
  if (status.is(StatusCode::kNotFound)) return std::nullopt;
  EXPECT_TRUE(status.ok()) << status.message();
  return value;
}

inline Pairs scan(Engine& engine, std::string lower = {}, std::string upper = {},
                  const EngineSnapshot* snapshot = nullptr) {
  const std::string from = lower;
  const std::unique_ptr<EngineIterator> at =
      engine.iterate(std::move(lower), std::move(upper), snapshot);
  Pairs found;
  for (at->seek(from); at->valid(); at->next()) found.emplace_back(at->key(), at->value());
  EXPECT_TRUE(at->status().ok()) << at->status().message();
  return found;
}

}  // namespace syntropy::testing
