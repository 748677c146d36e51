// ServerStats: what INFO, CONFIG RESETSTAT and LATENCY HISTOGRAM count.
//
// Counting is on the path of every command, so each thread counts in a slot of its own, in cache
// lines that no other thread writes, without locked instructions; reading sums the slots. Counters
// only ever grow: a reset remembers the sums of that moment and subtracts them from then on, so
// that it never races with a writer.
//
// Thread safety: a slot has one writer at a time (its thread); everything else is for any thread.
// Invariant: a counter never decreases between two resets.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "server/latency_histogram.h"
#include "storage/base/slot.h"

namespace syntropy {

/// Grows; one writer at a time, any number of readers.
class StatCounter {
 public:
  void add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

/// How a command ended.
enum class Outcome : uint8_t {
  kOk,
  kFailed,    // it ran and answered an error
  kRejected,  // it was refused before it ran: arity, authentication, a failed disk, ...
};

/// What was spent on a slot of the cluster.
struct SlotTotals {
  uint64_t nanos = 0;  // on its commands
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
};

/// The plain counters, as indexes; kStatCount is their number.
enum Stat : size_t {
  kCommandsProcessed,    // counted by record_command, rejected ones excluded
  kConnectionsReceived,  // accepted by the system, refused ones included
  kConnectionsRejected,  // refused: maxclients, protected mode
  kInputBytes,           // received from clients
  kOutputBytes,          // taken by the kernel for clients
  kReads,                // successful reads from sockets
  kWrites,               // successful writes to sockets
  kKeyspaceHits,         // look-ups by reading commands that found a live key
  kKeyspaceMisses,
  kChanges,            // commands that changed the data
  kFetches,            // commands that waited for a row to be read from disk
  kOutputLimitClosed,  // clients closed at their client-output-buffer-limit
  kQueryLimitClosed,   // clients closed at client-query-buffer-limit
  kClientsEvicted,     // clients closed by maxmemory-clients
  kErrorReplies,       // counted by record_error
  kStatCount,
};

class ServerStats {
  struct CommandSlot {
    StatCounter calls, nanos, rejected, failed;
    LatencyHistogram histogram;
  };
  struct SlotCounters {
    StatCounter nanos, bytes_in, bytes_out;
  };
  using SlotTable = std::array<SlotCounters, kSlotCount>;

 public:
  using Totals = std::array<uint64_t, kStatCount>;

  struct CommandTotals {
    uint64_t calls = 0;
    uint64_t nanos = 0;
    uint64_t rejected = 0;
    uint64_t failed = 0;
    bool empty() const { return calls == 0 && rejected == 0 && failed == 0; }
  };

  /// What one thread counts. One writer at a time.
  class alignas(64) ThreadStats {
   public:
    explicit ThreadStats(size_t commands);
    ~ThreadStats();
    ThreadStats(const ThreadStats&) = delete;
    ThreadStats& operator=(const ThreadStats&) = delete;
    void add(Stat stat, uint64_t n = 1) { counters_[stat].add(n); }

   private:
    friend class ServerStats;
    std::array<StatCounter, kStatCount> counters_;
    // By command_index(); made by the first call of a command on this thread.
    std::vector<std::atomic<CommandSlot*>> commands_;
    std::atomic<SlotTable*> slots_{nullptr};  // made by the first command that counts for one
    std::mutex errors_mutex_;
    std::map<std::string, uint64_t, std::less<>> errors_;
  };

  /// Lends a slot to a worker thread for as long as the handle lives.
  class WorkerSlot {
   public:
    WorkerSlot(ServerStats& stats, ThreadStats* slot) : stats_(stats), slot_(slot) {}
    ~WorkerSlot() { stats_.give_back(slot_); }
    WorkerSlot(const WorkerSlot&) = delete;
    WorkerSlot& operator=(const WorkerSlot&) = delete;
    ThreadStats& operator*() const { return *slot_; }

   private:
    ServerStats& stats_;
    ThreadStats* const slot_;
  };

  /// `threads`: the number of slots; `commands`: command_count().
  ServerStats(size_t threads, size_t commands);
  ServerStats(const ServerStats&) = delete;
  ServerStats& operator=(const ServerStats&) = delete;

  // --- counting, by the slot's thread ------------------------------------------------------------

  ThreadStats& slot(size_t thread) { return *slots_[thread]; }
  /// For threads without a slot of their own; as many at a time as there are such threads.
  WorkerSlot borrow_worker_slot();
  /// `command` is the command_index() of the command (of the subcommand, where there is one).
  /// `elapsed` is ignored for a rejected one.
  void record_command(ThreadStats& slot, size_t command, std::chrono::nanoseconds elapsed,
                      Outcome outcome);
  /// A command about keys of the slot (cluster-slot-stats-enabled).
  void record_slot(ThreadStats& thread, uint16_t slot, const SlotTotals& spent);
  /// `error` is an error reply's text without the leading '-'; its first word is what counts.
  void record_error(ThreadStats& slot, std::string_view error);

  /// The option latency-tracking.
  void set_latency_tracking(bool on) { latency_tracking_.store(on, std::memory_order_relaxed); }

  // --- rates, by a timer
  // ---------------------------------------------------------------------------

  /// Takes a sample for the rates below; every 100 ms. `now_ms` monotonic. Each tenth looks for the
  /// memory peak as well, for the allocator takes longer to tell than all else that an idle node does.
  void sample(uint64_t now_ms);
  /// Means over the last 16 samples, per second.
  struct Rates {
    uint64_t ops = 0;
    double input_bytes = 0;
    double output_bytes = 0;
  };
  Rates rates() const;
  /// Most bytes allocated at a sample or a call of this, ever; never reset by itself.
  uint64_t memory_peak(uint64_t allocated_now) const;
  /// Bytes allocated when this was made.
  uint64_t startup_bytes() const { return startup_bytes_; }

  // --- reading
  // -------------------------------------------------------------------------------------

  Totals totals() const;
  CommandTotals command(size_t command) const;
  LatencyCounts latency(size_t command) const;
  /// By slot; empty: none was counted.
  std::vector<SlotTotals> slots() const;
  std::map<std::string, uint64_t, std::less<>> errors() const;
  size_t command_count() const { return command_count_; }

  /// CONFIG RESETSTAT. `expired_keys` is the keyspace's figure, which itself is never reset.
  void reset(uint64_t expired_keys);
  /// The keyspace's figure at the last reset.
  uint64_t expired_keys_baseline() const;
  /// kChanges since the start, whatever was reset.
  uint64_t changes_since_start() const { return sum_counters()[kChanges]; }

 private:
  // What reset() subtracts of one command.
  struct CommandBaseline {
    CommandTotals totals;
    std::vector<uint64_t> buckets;  // empty: nothing to subtract
  };
  struct Sample {
    uint64_t at_ms = 0;
    uint64_t commands = 0, input_bytes = 0, output_bytes = 0;
  };
  static constexpr size_t kSamples = 16;

  CommandSlot& command_slot(ThreadStats& slot, size_t command);
  void give_back(ThreadStats* slot);
  // Calls `visit` with every slot, those of workers included.
  template <class Visit>
  void for_each_slot(Visit visit) const;
  Totals sum_counters() const;
  CommandTotals sum_command(size_t command) const;
  /// Empty when no thread has called the command.
  std::vector<uint64_t> sum_buckets(size_t command) const;
  std::vector<SlotTotals> sum_slots() const;

  const size_t command_count_;
  const uint64_t startup_bytes_;
  std::vector<std::unique_ptr<ThreadStats>> slots_;  // never changed after construction
  mutable std::mutex worker_mutex_;                  // guards the two lists
  std::vector<std::unique_ptr<ThreadStats>> worker_slots_;
  std::vector<ThreadStats*> idle_worker_slots_;
  std::atomic<bool> latency_tracking_{true};
  mutable std::atomic<uint64_t> memory_peak_{0};

  mutable std::mutex mutex_;  // guards what follows
  Totals baseline_{};
  uint64_t expired_keys_baseline_ = 0;
  std::vector<CommandBaseline> command_baselines_;
  std::vector<SlotTotals> slot_baselines_;      // empty: nothing to subtract
  std::array<Sample, kSamples + 1> samples_{};  // a ring; rates span its oldest to its newest
  size_t sample_count_ = 0;                     // taken so far
};

using ThreadStats = ServerStats::ThreadStats;

}  // namespace syntropy
