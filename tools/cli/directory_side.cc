#include "tools/cli/directory_side.h"

#include <algorithm>
#include <chrono>

namespace syntropy {

DirectorySide::DirectorySide(std::unique_ptr<DirectoryStore> store)
    : store_(std::move(store)),
      // All is made durable in the end, by close().
      conversation_(store_->keyspace(), store_->trees(), [] { return Status(); }) {}

DirectorySide::~DirectorySide() {
  if (making_ready_.valid()) making_ready_.wait();
}

Result<std::unique_ptr<DirectorySide>> DirectorySide::open(const std::string& dir, bool writable) {
  Result<std::unique_ptr<DirectoryStore>> store =
      writable ? DirectoryStore::open_for_writing(dir) : DirectoryStore::open(dir);
  if (!store.ok()) return store.status();
  return std::unique_ptr<DirectorySide>(new DirectorySide(std::move(*store)));
}

Result<ReconcileSide::Step> DirectorySide::begin(const ReconcilePlan& plan) {
  ReconcileOptions options;
  options.slots = plan.slots;
  options.pull = plan.pull;
  options.push = plan.push;
  return conversation_.begin(options);
}

Result<ReconcileSide::Step> DirectorySide::go_on(const std::vector<std::string>& replies) {
  return conversation_.go_on({replies.begin(), replies.end()});
}

Result<std::vector<std::string>> DirectorySide::answer(const std::vector<std::string>& requests) {
  std::vector<std::string> answers;
  answers.reserve(requests.size());
  for (const std::string& request : requests) answers.push_back(conversation_.answer(request));
  return answers;
}

Result<uint64_t> DirectorySide::stale_slots() {
  const uint64_t stale = store_->trees().stats().stale_slots;
  if (!making_ready_.valid()) {
    if (stale == 0) return 0;
    making_ready_ =
        std::async(std::launch::async, [&trees = store_->trees()] { return trees.make_ready(); });
  }
  if (making_ready_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    // The last one may be done before the reading is.
    return std::max<uint64_t>(stale, 1);
  }
  const Status made = making_ready_.get();
  if (!made.ok()) return made;
  return store_->trees().stats().stale_slots;
}

}  // namespace syntropy
