#include "tests/simulation/virtual_work.h"

#include <utility>

namespace syntropy::testing {
namespace {

constexpr TimeMs kEverySecondMs = 1000;

}  // namespace

VirtualWork::VirtualWork(Process& process, Engine& engine, SyncPolicy policy, bool lie,
                         Random& random)
    : process_(process), engine_(engine), policy_(policy), lie_(lie), random_(random) {
  // Not all nodes sync at the same moment.
  if (policy == SyncPolicy::kEverySecond) {
    process_.in(random_.below(kEverySecondMs), [this] { sync_every_second(); });
  }
}

void VirtualWork::add(Lane& lane, std::function<void()> job) {
  lane.jobs.push_back(std::move(job));
  if (!lane.busy) next(lane);
}

void VirtualWork::next(Lane& lane) {
  lane.busy = !lane.jobs.empty();
  if (!lane.busy) return;
  const TimeMs takes = random_.one_in(50) ? random_.below(100) : random_.below(4);
  process_.in(takes, [this, &lane] {
    const std::function<void()> job = std::move(lane.jobs.front());
    lane.jobs.pop_front();
    job();
    next(lane);
  });
}

void VirtualWork::when_durable(std::function<void(const Status&)> done) {
  if (policy_ != SyncPolicy::kAlways) return done(Status());
  waiting_.push_back(std::move(done));
  if (!std::exchange(syncing_, true)) {
    process_.in(1 + random_.below(6), [this] { sync(); });
  }
}

void VirtualWork::sync() {
  syncing_ = false;
  const Status synced = lie_ ? Status() : engine_.sync();
  for (const auto& done : std::exchange(waiting_, {})) done(synced);
}

void VirtualWork::sync_every_second() {
  process_.in(kEverySecondMs, [this] { sync_every_second(); });
  if (!lie_) (void)engine_.sync();
}

}  // namespace syntropy::testing
