#include "server/snapshots.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <system_error>

namespace syntropy {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemporary = "tmp-";

bool is_temporary(std::string_view name) { return name.starts_with(kTemporary); }

// The number in a snapshot's name; 0 when it is not one, so that what else a user put into the
// folder is neither counted nor removed.
uint64_t number_of(std::string_view name) {
  constexpr std::string_view kShape = "ddddddddTddddddZ-";
  if (name.size() <= kShape.size()) return 0;
  for (size_t i = 0; i < kShape.size(); ++i) {
    const bool digit = name[i] >= '0' && name[i] <= '9';
    if (kShape[i] == 'd' ? !digit : name[i] != kShape[i]) return 0;
  }
  uint64_t number = 0;
  const char* const end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + kShape.size(), end, number);
  return parsed.ec == std::errc() && parsed.ptr == end ? number : 0;
}

Status io_error(std::string_view what, const fs::path& path, const std::error_code& error) {
  const std::string message = fmt::format("cannot {} {}: {}", what, path.string(), error.message());
  return error == std::errc::no_space_on_device ? Status::no_space(message)
                                                : Status::io_error(message);
}

// Names in a directory survive a loss of power once the directory itself is synced.
Status sync_directory(const fs::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && fsync(fd) == 0;
  const std::error_code error(errno, std::generic_category());
  if (fd >= 0) close(fd);
  return synced ? Status() : io_error("sync", path, error);
}

Status rename_durably(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) return io_error("rename", from, error);
  return sync_directory(to.parent_path());
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  return names;
}

}  // namespace

Snapshots::Snapshots(Engine& engine, const Clock& clock, SnapshotsOptions options)
    : engine_(engine),
      clock_(clock),
      folder_(fs::path(options.dir) / "snapshots"),
      changes_(std::move(options.changes)),
      keep_(options.keep) {
  // As Redis does: what is there at the start counts as saved.
  info_.last_save_s = clock_.wall_us() / 1'000'000;
}

Snapshots::~Snapshots() { wait(); }

Status Snapshots::start() {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) return io_error("create", folder_, error);
  uint64_t last = 0;
  for (const std::string& name : names_in(folder_)) {
    if (is_temporary(name)) {
      fs::remove_all(folder_ / name, error);
      if (error) return io_error("remove", folder_ / name, error);
    } else {
      last = std::max(last, number_of(name));
    }
  }
  std::lock_guard lock(mutex_);
  next_number_ = last + 1;
  return {};
}

Status Snapshots::begin() {
  if (running_) return Status::unavailable("Background save already in progress");
  // The thread of the save before has nothing left to do but to return.
  if (thread_.joinable()) thread_.join();
  running_ = true;
  begun_us_ = clock_.monotonic_us();
  changes_at_begin_ = changes_ ? changes_() : 0;
  return {};
}

Status Snapshots::save() {
  {
    std::lock_guard lock(mutex_);
    if (Status busy = begin(); !busy.ok()) return busy;
  }
  return run();
}

Status Snapshots::save_in_background() {
  std::lock_guard lock(mutex_);
  if (Status busy = begin(); !busy.ok()) return busy;
  try {
    thread_ = std::thread([this] { (void)run(); });  // info() tells how it ended
  } catch (const std::system_error& error) {
    running_ = false;
    return Status::io_error(fmt::format("cannot start a thread: {}", error.what()));
  }
  return {};
}

void Snapshots::wait() {
  std::thread thread;
  {
    std::lock_guard lock(mutex_);
    thread.swap(thread_);
  }
  if (thread.joinable()) thread.join();
}

Status Snapshots::run() {
  const Status made = make_one();
  if (made.ok()) {
    prune();
  } else {
    spdlog::warn("snapshot failed: {}", made.message());
  }
  std::lock_guard lock(mutex_);
  info_.last_ok = made.ok();
  info_.last_error = made.message();
  info_.last_duration_s = static_cast<int64_t>((clock_.monotonic_us() - begun_us_) / 1'000'000);
  if (made.ok()) {
    ++info_.saves;
    info_.last_save_s = clock_.wall_us() / 1'000'000;
    changes_at_save_ = changes_at_begin_;
  }
  running_ = false;
  return made;
}

std::string Snapshots::next_name() {
  const auto now = static_cast<time_t>(clock_.wall_us() / 1'000'000);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &utc);
  std::lock_guard lock(mutex_);
  return fmt::format("{}-{:06}", text, next_number_++);
}

Status Snapshots::make_one() {
  const std::string name = next_name();
  const fs::path temporary = folder_ / (std::string(kTemporary) + name);
  std::error_code ignored;  // of removals: the next start removes what is left
  if (Status made = engine_.checkpoint(temporary.string()); !made.ok()) {
    fs::remove_all(temporary, ignored);
    return made;
  }
  if (Status named = rename_durably(temporary, folder_ / name); !named.ok()) {
    fs::remove_all(temporary, ignored);
    return named;
  }
  spdlog::info("snapshot {} made", (folder_ / name).string());
  return {};
}

void Snapshots::prune() {
  size_t keep;
  {
    std::lock_guard lock(mutex_);
    keep = keep_;
  }
  std::vector<std::string> names = list();
  if (keep == 0 || names.size() <= keep) return;
  names.resize(names.size() - keep);
  for (const std::string& name : names) {
    // Renamed first, so that a removal that is interrupted doesn't leave half a snapshot.
    const fs::path doomed = folder_ / (std::string(kTemporary) + "removed-" + name);
    if (Status renamed = rename_durably(folder_ / name, doomed); !renamed.ok()) {
      spdlog::warn("old snapshot stays: {}", renamed.message());
      continue;
    }
    std::error_code error;
    fs::remove_all(doomed, error);
    if (error) spdlog::warn("{}", io_error("remove", doomed, error).message());
  }
}

void Snapshots::set_keep(size_t keep) {
  std::lock_guard lock(mutex_);
  keep_ = keep;
}

std::vector<std::string> Snapshots::list() const {
  std::vector<std::string> names = names_in(folder_);
  std::erase_if(names, [](const std::string& name) { return number_of(name) == 0; });
  std::sort(names.begin(), names.end(),
            [](const std::string& a, const std::string& b) { return number_of(a) < number_of(b); });
  return names;
}

Snapshots::Info Snapshots::info() const {
  std::lock_guard lock(mutex_);
  Info info = info_;
  info.in_progress = running_;
  if (running_) {
    info.current_duration_s = static_cast<int64_t>((clock_.monotonic_us() - begun_us_) / 1'000'000);
  }
  info.changes_since_save = (changes_ ? changes_() : 0) - changes_at_save_;
  return info;
}

}  // namespace syntropy
