#include "server/stats.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "server/process_stats.h"

namespace syntropy {

namespace {

// Prefixes come from our own error texts, so they are few; the bounds hold if a text ever begins
// with what a client sent.
constexpr size_t kMaxErrorPrefixes = 128;
constexpr size_t kMaxErrorPrefixBytes = 32;
constexpr size_t kSamplesPerMemoryPeak = 10;

}  // namespace

uint64_t LatencyCounts::percentile_ns(double percent) const {
  if (total == 0) return 0;
  const double exact = std::ceil(percent / 100.0 * static_cast<double>(total));
  const uint64_t wanted = std::clamp<uint64_t>(static_cast<uint64_t>(exact), 1, total);
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets.size(); ++i) {
    seen += buckets[i];
    if (seen >= wanted) return LatencyHistogram::bucket_end_ns(i);
  }
  return LatencyHistogram::bucket_end_ns(LatencyHistogram::kBuckets - 1);
}

std::vector<LatencyCounts::Point> LatencyCounts::cumulative() const {
  std::vector<Point> points;
  uint64_t seen = 0;
  uint64_t reported = 0;
  // The bucket that ends at 1031 ns, reported as 1 us; a doubling ends every kSteps further.
  constexpr size_t kFirst = (10 - LatencyHistogram::kFirstDoubling) * LatencyHistogram::kSteps;
  for (size_t i = 0; i < buckets.size(); ++i) {
    seen += buckets[i];
    const bool at_bound = i >= kFirst && (i - kFirst) % LatencyHistogram::kSteps == 0;
    if (!at_bound || seen == reported) continue;
    points.push_back({LatencyHistogram::bucket_end_ns(i) / 1000, seen});
    reported = seen;
  }
  return points;
}

ServerStats::ThreadStats::ThreadStats(size_t commands) : commands_(commands) {}

ServerStats::ThreadStats::~ThreadStats() {
  for (std::atomic<CommandSlot*>& command : commands_) delete command.load();
  delete slots_.load();
}

ServerStats::ServerStats(size_t threads, size_t commands)
    : command_count_(commands), startup_bytes_(allocated_bytes()), command_baselines_(commands) {
  for (size_t i = 0; i < threads; ++i) {
    slots_.push_back(std::make_unique<ThreadStats>(command_count_));
  }
}

ServerStats::WorkerSlot ServerStats::borrow_worker_slot() {
  std::lock_guard lock(worker_mutex_);
  if (idle_worker_slots_.empty()) {
    worker_slots_.push_back(std::make_unique<ThreadStats>(command_count_));
    idle_worker_slots_.push_back(worker_slots_.back().get());
  }
  ThreadStats* const slot = idle_worker_slots_.back();
  idle_worker_slots_.pop_back();
  return {*this, slot};
}

void ServerStats::give_back(ThreadStats* slot) {
  std::lock_guard lock(worker_mutex_);
  idle_worker_slots_.push_back(slot);
}

template <class Visit>
void ServerStats::for_each_slot(Visit visit) const {
  for (const auto& slot : slots_) visit(*slot);
  std::lock_guard lock(worker_mutex_);
  for (const auto& slot : worker_slots_) visit(*slot);
}

ServerStats::CommandSlot& ServerStats::command_slot(ThreadStats& slot, size_t command) {
  assert(command < command_count_);
  CommandSlot* found = slot.commands_[command].load(std::memory_order_relaxed);
  if (found == nullptr) {
    found = new CommandSlot;
    // Released, so that a reader who finds the pointer finds its counters made.
    slot.commands_[command].store(found, std::memory_order_release);
  }
  return *found;
}

void ServerStats::record_command(ThreadStats& slot, size_t command,
                                 std::chrono::nanoseconds elapsed, Outcome outcome) {
  CommandSlot& stats = command_slot(slot, command);
  if (outcome == Outcome::kRejected) {
    stats.rejected.add();
    return;
  }
  const auto nanos = static_cast<uint64_t>(std::max<int64_t>(elapsed.count(), 0));
  slot.add(kCommandsProcessed);
  stats.calls.add();
  stats.nanos.add(nanos);
  if (outcome == Outcome::kFailed) stats.failed.add();
  if (latency_tracking_.load(std::memory_order_relaxed)) stats.histogram.add(nanos);
}

void ServerStats::record_slot(ThreadStats& thread, uint16_t slot, const SlotTotals& spent) {
  SlotTable* table = thread.slots_.load(std::memory_order_relaxed);
  if (table == nullptr) {
    table = new SlotTable;
    thread.slots_.store(table, std::memory_order_release);
  }
  SlotCounters& counters = (*table)[slot];
  counters.nanos.add(spent.nanos);
  counters.bytes_in.add(spent.bytes_in);
  counters.bytes_out.add(spent.bytes_out);
}

void ServerStats::record_error(ThreadStats& slot, std::string_view error) {
  slot.add(kErrorReplies);
  const std::string_view prefix =
      error.substr(0, std::min(error.find_first_of(" \r\n"), kMaxErrorPrefixBytes));
  if (prefix.empty()) return;
  std::lock_guard lock(slot.errors_mutex_);
  if (const auto at = slot.errors_.find(prefix); at != slot.errors_.end()) {
    ++at->second;
  } else if (slot.errors_.size() < kMaxErrorPrefixes) {
    slot.errors_.emplace(prefix, 1);
  }
}

void ServerStats::sample(uint64_t now_ms) {
  const Totals sums = sum_counters();
  std::lock_guard lock(mutex_);
  if (sample_count_ % kSamplesPerMemoryPeak == 0) memory_peak(allocated_bytes());
  samples_[sample_count_++ % samples_.size()] =
      Sample{now_ms, sums[kCommandsProcessed], sums[kInputBytes], sums[kOutputBytes]};
}

ServerStats::Rates ServerStats::rates() const {
  std::lock_guard lock(mutex_);
  if (sample_count_ < 2) return {};
  const size_t span = std::min(sample_count_, samples_.size()) - 1;
  const Sample& newest = samples_[(sample_count_ - 1) % samples_.size()];
  const Sample& oldest = samples_[(sample_count_ - 1 - span) % samples_.size()];
  if (newest.at_ms <= oldest.at_ms) return {};
  const double seconds = static_cast<double>(newest.at_ms - oldest.at_ms) / 1000.0;
  return {static_cast<uint64_t>(static_cast<double>(newest.commands - oldest.commands) / seconds),
          static_cast<double>(newest.input_bytes - oldest.input_bytes) / seconds,
          static_cast<double>(newest.output_bytes - oldest.output_bytes) / seconds};
}

uint64_t ServerStats::memory_peak(uint64_t allocated_now) const {
  uint64_t peak = memory_peak_.load(std::memory_order_relaxed);
  while (peak < allocated_now && !memory_peak_.compare_exchange_weak(peak, allocated_now)) {
  }
  return std::max(peak, allocated_now);
}

ServerStats::Totals ServerStats::sum_counters() const {
  Totals sums{};
  for_each_slot([&](const ThreadStats& slot) {
    for (size_t s = 0; s < kStatCount; ++s) sums[s] += slot.counters_[s].value();
  });
  return sums;
}

ServerStats::CommandTotals ServerStats::sum_command(size_t command) const {
  CommandTotals sum;
  for_each_slot([&](const ThreadStats& thread) {
    const CommandSlot* slot = thread.commands_[command].load(std::memory_order_acquire);
    if (slot == nullptr) return;
    sum.calls += slot->calls.value();
    sum.nanos += slot->nanos.value();
    sum.rejected += slot->rejected.value();
    sum.failed += slot->failed.value();
  });
  return sum;
}

std::vector<uint64_t> ServerStats::sum_buckets(size_t command) const {
  std::vector<uint64_t> sums;
  for_each_slot([&](const ThreadStats& thread) {
    const CommandSlot* slot = thread.commands_[command].load(std::memory_order_acquire);
    if (slot == nullptr) return;
    sums.resize(LatencyHistogram::kBuckets);
    slot->histogram.add_to(&sums);
  });
  return sums;
}

ServerStats::Totals ServerStats::totals() const {
  std::lock_guard lock(mutex_);
  Totals sums = sum_counters();
  for (size_t s = 0; s < kStatCount; ++s) sums[s] -= baseline_[s];
  return sums;
}

ServerStats::CommandTotals ServerStats::command(size_t command) const {
  std::lock_guard lock(mutex_);
  CommandTotals sum = sum_command(command);
  const CommandTotals& baseline = command_baselines_[command].totals;
  sum.calls -= baseline.calls;
  sum.nanos -= baseline.nanos;
  sum.rejected -= baseline.rejected;
  sum.failed -= baseline.failed;
  return sum;
}

LatencyCounts ServerStats::latency(size_t command) const {
  std::lock_guard lock(mutex_);
  LatencyCounts counts{sum_buckets(command), 0};
  const std::vector<uint64_t>& baseline = command_baselines_[command].buckets;
  for (size_t i = 0; i < counts.buckets.size(); ++i) {
    if (!baseline.empty()) counts.buckets[i] -= baseline[i];
    counts.total += counts.buckets[i];
  }
  return counts;
}

std::vector<SlotTotals> ServerStats::sum_slots() const {
  std::vector<SlotTotals> sums;
  for_each_slot([&](const ThreadStats& thread) {
    const SlotTable* table = thread.slots_.load(std::memory_order_acquire);
    if (table == nullptr) return;
    sums.resize(kSlotCount);
    for (size_t slot = 0; slot < kSlotCount; ++slot) {
      sums[slot].nanos += (*table)[slot].nanos.value();
      sums[slot].bytes_in += (*table)[slot].bytes_in.value();
      sums[slot].bytes_out += (*table)[slot].bytes_out.value();
    }
  });
  return sums;
}

std::vector<SlotTotals> ServerStats::slots() const {
  std::lock_guard lock(mutex_);
  std::vector<SlotTotals> sums = sum_slots();
  for (size_t slot = 0; slot < slot_baselines_.size(); ++slot) {
    sums[slot].nanos -= slot_baselines_[slot].nanos;
    sums[slot].bytes_in -= slot_baselines_[slot].bytes_in;
    sums[slot].bytes_out -= slot_baselines_[slot].bytes_out;
  }
  return sums;
}

std::map<std::string, uint64_t, std::less<>> ServerStats::errors() const {
  std::map<std::string, uint64_t, std::less<>> sums;
  for_each_slot([&](ThreadStats& slot) {
    std::lock_guard lock(slot.errors_mutex_);
    for (const auto& [prefix, count] : slot.errors_) sums[prefix] += count;
  });
  return sums;
}

uint64_t ServerStats::expired_keys_baseline() const {
  std::lock_guard lock(mutex_);
  return expired_keys_baseline_;
}

void ServerStats::reset(uint64_t expired_keys) {
  std::lock_guard lock(mutex_);
  expired_keys_baseline_ = expired_keys;
  baseline_ = sum_counters();
  slot_baselines_ = sum_slots();
  for (size_t c = 0; c < command_count_; ++c) {
    command_baselines_[c] = {sum_command(c), sum_buckets(c)};
  }
  for_each_slot([](ThreadStats& slot) {
    std::lock_guard errors_lock(slot.errors_mutex_);
    slot.errors_.clear();
  });
  // Rates count from the next sample on.
  sample_count_ = 0;
}

}  // namespace syntropy
