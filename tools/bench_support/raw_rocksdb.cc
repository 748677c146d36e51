// What RocksDB alone does with the server's rows: the limit that tools/bench compares with.
//
//   syntropy_raw_rocksdb --dir D --value-bytes V --policy always|everysec|no
//                        --batches 1,16,64 --get-threads 1,2 --keys K --seconds S --repeats R
//
// Fills a store of K rows with the options of a server's default configuration and the row sizes of
// redis-benchmark's keys. Then measures, R times in turn: for each of --batches, one thread that
// writes batches of so many random rows, synced as the policy says; for each of --get-threads, so
// many threads that get random rows. Prints one line of JSON per measurement:
//   {"what":"put","batch":16,"threads":1,"operations_per_second":123456}
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <iostream>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "storage/rocks_options.h"
#include "storage/rocks_setup.h"
#include "storage/row.h"

namespace syntropy {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr size_t kFillBatch = 1000;
constexpr size_t kMaxValueBytes = size_t{1} << 20;
constexpr int kDeadlineCheckInterval = 64;  // gets between two looks at the clock

struct Arguments {
  RocksOptions rocks;
  uint64_t keys = 1'000'000;
  size_t value_bytes = 100;
  std::string policy = "everysec";
  std::vector<size_t> batches = {1, 16, 64};
  std::vector<int> get_threads = {1, 2};
  double seconds = 2;
  int repeats = 1;
};

[[noreturn]] void fail(const std::string& message) {
  std::cerr << "syntropy_raw_rocksdb: " << message << std::endl;
  std::exit(1);
}

void check(const rocksdb::Status& status) {
  if (!status.ok()) fail(status.ToString());
}

std::string row_key(uint64_t number) {
  char key[32];
  const int size =
      std::snprintf(key, sizeof key, "key:%012llu", static_cast<unsigned long long>(number));
  std::string row;
  encode_row_key(0, std::string_view(key, static_cast<size_t>(size)), {}, &row);
  return row;
}

/// Text that compresses as badly as redis-benchmark's payload: 64 different characters.
std::string random_text() {
  std::mt19937_64 random(1);
  std::string text(kMaxValueBytes, '0');
  for (char& c : text) c = static_cast<char>('0' + random() % 64);
  return text;
}

std::string row_value(size_t bytes, uint64_t stamp) {
  static const std::string pattern = random_text();
  const std::string_view payload = std::string_view(pattern).substr(0, bytes);
  RowView row;
  row.kind = RowKind::kString;
  row.version.stamp = stamp;
  row.version.writer = 1;
  row.payload = payload;
  std::string encoded;
  encode_row(row, &encoded);
  return encoded;
}

/// Syncs the log once a second until destroyed, as a server does with appendfsync everysec.
class EverySecond {
 public:
  explicit EverySecond(rocksdb::DB* db) : thread_([this, db] { run(db); }) {}
  ~EverySecond() {
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  EverySecond(const EverySecond&) = delete;
  EverySecond& operator=(const EverySecond&) = delete;

 private:
  void run(rocksdb::DB* db) {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, std::chrono::seconds(1), [this] { return stopped_; })) {
      lock.unlock();
      check(db->SyncWAL());
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
  std::thread thread_;
};

class Bench {
 public:
  explicit Bench(const Arguments& arguments) : arguments_(arguments) {
    auto options = rocks_setup(arguments.rocks);
    if (!options.ok()) fail("cannot set up RocksDB");
    options->create_if_missing = true;
    rocksdb::DB* db = nullptr;
    check(rocksdb::DB::Open(*options, arguments.rocks.dir, &db));
    db_.reset(db);
  }

  void run() {
    fill();
    for (int repeat = 0; repeat < arguments_.repeats; ++repeat) {
      for (const size_t batch : arguments_.batches) {
        report("put", batch, 1, puts_per_second(batch));
      }
      for (const int threads : arguments_.get_threads) {
        report("get", 1, threads, gets_per_second(threads));
      }
    }
  }

 private:
  void fill() {
    rocksdb::WriteBatch batch;
    for (uint64_t number = 0; number < arguments_.keys; ++number) {
      check(batch.Put(row_key(number), row_value(arguments_.value_bytes, ++stamp_)));
      if (batch.Count() == kFillBatch || number + 1 == arguments_.keys) {
        check(db_->Write({}, &batch));
        batch.Clear();
      }
    }
  }

  double puts_per_second(size_t batch_rows) {
    std::unique_ptr<EverySecond> every_second;
    if (arguments_.policy == "everysec") every_second = std::make_unique<EverySecond>(db_.get());
    rocksdb::WriteOptions write;
    write.sync = arguments_.policy == "always";
    std::mt19937_64 random(stamp_);
    rocksdb::WriteBatch batch;
    uint64_t operations = 0;
    const auto begin = SteadyClock::now();
    const auto end = begin + duration();
    while (SteadyClock::now() < end) {
      batch.Clear();
      for (size_t i = 0; i < batch_rows; ++i) {
        check(batch.Put(row_key(random() % arguments_.keys),
                        row_value(arguments_.value_bytes, ++stamp_)));
      }
      check(db_->Write(write, &batch));
      operations += batch_rows;
    }
    return per_second(operations, begin);
  }

  double gets_per_second(int threads) {
    std::atomic<uint64_t> operations{0};
    std::vector<std::thread> workers;
    const auto begin = SteadyClock::now();
    for (int number = 0; number < threads; ++number) {
      workers.emplace_back([this, number, begin, &operations] {
        operations += get_until(begin + duration(), static_cast<uint64_t>(number) + stamp_);
      });
    }
    for (auto& worker : workers) worker.join();
    return per_second(operations, begin);
  }

  uint64_t get_until(SteadyClock::time_point end, uint64_t seed) {
    std::mt19937_64 random(seed);
    rocksdb::PinnableSlice value;
    uint64_t operations = 0;
    while (SteadyClock::now() < end) {
      for (int i = 0; i < kDeadlineCheckInterval; ++i) {
        check(
            db_->Get({}, db_->DefaultColumnFamily(), row_key(random() % arguments_.keys), &value));
        value.Reset();
        ++operations;
      }
    }
    return operations;
  }

  SteadyClock::duration duration() const {
    return std::chrono::duration_cast<SteadyClock::duration>(
        std::chrono::duration<double>(arguments_.seconds));
  }

  static double per_second(uint64_t operations, SteadyClock::time_point begin) {
    return static_cast<double>(operations) /
           std::chrono::duration<double>(SteadyClock::now() - begin).count();
  }

  static void report(const char* what, size_t batch, int threads, double rate) {
    std::printf("{\"what\":\"%s\",\"batch\":%zu,\"threads\":%d,\"operations_per_second\":%.0f}\n",
                what, batch, threads, rate);
    std::fflush(stdout);
  }

  const Arguments& arguments_;
  std::unique_ptr<rocksdb::DB> db_;
  uint64_t stamp_ = 1;
};

int bench_main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("What RocksDB alone does with Syntropy's rows");
  app.add_option("--dir", arguments.rocks.dir, "where the store is made")->required();
  app.add_option("--keys", arguments.keys, "rows in the store");
  app.add_option("--value-bytes", arguments.value_bytes, "payload of a row")
      ->check(CLI::Range(size_t{0}, kMaxValueBytes));
  app.add_option("--policy", arguments.policy, "always, everysec or no")
      ->check(CLI::IsMember({"always", "everysec", "no"}));
  app.add_option("--batches", arguments.batches, "rows per write")->delimiter(',');
  app.add_option("--get-threads", arguments.get_threads, "threads that read")->delimiter(',');
  app.add_option("--seconds", arguments.seconds, "length of a measurement");
  app.add_option("--repeats", arguments.repeats, "rounds of measurements");
  CLI11_PARSE(app, argc, argv);
  Bench(arguments).run();
  return 0;
}

}  // namespace
}  // namespace syntropy

int main(int argc, char** argv) { return syntropy::bench_main(argc, argv); }
