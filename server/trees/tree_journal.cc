#include "server/trees/tree_journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "storage/base/coding.h"

namespace syntropy {
namespace {

constexpr size_t kHeaderBytes = 24;
constexpr size_t kChangeBytes = 32;
// What is mapped at a time counts as memory of the process.
constexpr uint64_t kWindowBytes = uint64_t{256} << 10;
constexpr uint64_t kPageBytes = 4096;
constexpr uint32_t kMostChanges = (1u << 24) - 1;
constexpr std::string_view kPrefix = "journal-";
static_assert(sizeof(MarkChange) == kChangeBytes);

uint32_t check_of(const char* record, size_t changes) {
  const uint64_t head = XXH3_64bits(record, kHeaderBytes - sizeof(uint32_t));
  return static_cast<uint32_t>(
      XXH3_64bits_withSeed(record + kHeaderBytes, changes * kChangeBytes, head));
}

void encode(const TreeCommit& commit, char* out) {
  store_le<uint64_t>(out, commit.commit);
  store_le<uint64_t>(out + 8, commit.databases);
  store_le<uint32_t>(out + 16, static_cast<uint32_t>(commit.changes.size()) |
                                   static_cast<uint32_t>(commit.killed) << 24);
  char* at = out + kHeaderBytes;
  for (const MarkChange& change : commit.changes) {
    store_le<uint64_t>(at, change.before.element);
    store_le<uint64_t>(at + 8, change.before.check);
    store_le<uint64_t>(at + 16, change.after.element);
    store_le<uint64_t>(at + 24, change.after.check);
    at += kChangeBytes;
  }
  store_le<uint32_t>(out + 20, check_of(out, commit.changes.size()));
}

// Visits the records at the beginning of `bytes`, until `visit` returns false; returns where those
// that were visited end.
template <class Visit>
size_t read_records(std::string_view bytes, Visit&& visit) {
  const size_t all = bytes.size();
  std::vector<MarkChange> changes;
  while (bytes.size() >= kHeaderBytes) {
    TreeCommit commit;
    commit.commit = load_le<uint64_t>(bytes.data());
    commit.databases = load_le<uint64_t>(bytes.data() + 8);
    const auto count = load_le<uint32_t>(bytes.data() + 16);
    const size_t size = count & kMostChanges;
    if (commit.commit == 0 || (count >> 24) > 2) break;
    if (bytes.size() - kHeaderBytes < size * kChangeBytes) break;
    if (load_le<uint32_t>(bytes.data() + 20) != check_of(bytes.data(), size)) break;
    commit.killed = static_cast<RowChangeListener::Killed>(count >> 24);
    changes.resize(size);
    const char* at = bytes.data() + kHeaderBytes;
    for (MarkChange& change : changes) {
      change = {{load_le<uint64_t>(at), load_le<uint64_t>(at + 8)},
                {load_le<uint64_t>(at + 16), load_le<uint64_t>(at + 24)}};
      at += kChangeBytes;
    }
    commit.changes = changes;
    if (!visit(commit)) break;
    bytes.remove_prefix(kHeaderBytes + size * kChangeBytes);
  }
  return all - bytes.size();
}

}  // namespace

std::vector<std::pair<uint64_t, std::string>> TreeJournal::files() const {
  std::vector<std::pair<uint64_t, std::string>> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dir_, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    uint64_t first = 0;
    const char* end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + kPrefix.size(), end, first, 16);
    if (parsed.ec == std::errc() && parsed.ptr == end) {
      found.emplace_back(first, entry.path().string());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

Status TreeJournal::replay(uint64_t after, uint64_t last,
                           const std::function<void(const TreeCommit&)>& visit) {
  uint64_t seen = after;
  for (const auto& [first, path] : files()) {
    if (first > last) {
      std::error_code ignored;
      std::filesystem::remove(path, ignored);
      continue;
    }
    const Descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    struct stat about {};
    if (file.get() < 0 || ::fstat(file.get(), &about) != 0) {
      return Status::io_error("cannot read " + path + ": " + std::strerror(errno));
    }
    if (about.st_size == 0) continue;
    const auto size = static_cast<size_t>(about.st_size);
    void* bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (bytes == MAP_FAILED) {
      return Status::io_error("cannot read " + path + ": " + std::strerror(errno));
    }
    const size_t end =
        read_records({static_cast<const char*>(bytes), size}, [&](const TreeCommit& commit) {
          if (commit.commit > last) return false;
          if (commit.commit != seen + 1) return commit.commit <= seen;
          visit(commit);
          seen = commit.commit;
          return true;
        });
    ::munmap(bytes, size);
    if (::ftruncate(file.get(), static_cast<off_t>(end)) != 0) {
      return Status::io_error("cannot cut " + path + ": " + std::strerror(errno));
    }
    bytes_ += end;
  }
  if (seen >= last) return {};
  return Status::incomplete(
      fmt::format("the journal of the trees ends at commit {}, the store at {}", seen, last));
}

void TreeJournal::clear() {
  close();
  std::error_code ignored;
  for (const auto& [first, path] : files()) std::filesystem::remove(path, ignored);
  begin_file_ = true;
  bytes_ = 0;
  status_ = {};
}

void TreeJournal::append(const TreeCommit& commit) {
  if (!status_.ok()) return;
  if (commit.changes.size() > kMostChanges) return fail("a commit is too large");
  if (std::exchange(begin_file_, false)) {
    close();
    path_ = fmt::format("{}/{}{:016x}", dir_, kPrefix, commit.commit);
    file_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file_.get() < 0) return fail("cannot make " + path_);
    end_ = 0;
  }
  const size_t size = kHeaderBytes + commit.changes.size() * kChangeBytes;
  if (!reserve(size)) return fail("cannot extend " + path_);
  encode(commit, window_ + (end_ - window_begin_));
  last_ = end_;
  last_commit_ = commit.commit;
  end_ += size;
  bytes_ += size;
}

void TreeJournal::undo() {
  if (!status_.ok() || end_ == last_) return;
  std::memset(window_ + (last_ - window_begin_), 0, end_ - last_);
  bytes_ -= end_ - last_;
  end_ = last_;
}

void TreeJournal::begin_file() { begin_file_ = true; }

void TreeJournal::forget(uint64_t commit) {
  if (begin_file_ && last_commit_ <= commit) return clear();
  const auto found = files();
  std::error_code ignored;
  for (size_t i = 0; i + 1 < found.size() && found[i + 1].first <= commit + 1; ++i) {
    const auto size = std::filesystem::file_size(found[i].second, ignored);
    std::filesystem::remove(found[i].second, ignored);
    bytes_ -= std::min<uint64_t>(bytes_, size);
  }
}

// Makes room for `bytes` at the end of the records, in memory and on the disk: a page that the disk
// can't take would end the process.
bool TreeJournal::reserve(size_t bytes) {
  if (window_ != nullptr && end_ + bytes <= window_begin_ + window_size_) return true;
  unmap();
  window_begin_ = end_ / kPageBytes * kPageBytes;
  const uint64_t need = end_ - window_begin_ + bytes;
  window_size_ = (need + kWindowBytes - 1) / kWindowBytes * kWindowBytes;
  const int failure = ::posix_fallocate(file_.get(), static_cast<off_t>(window_begin_),
                                        static_cast<off_t>(window_size_));
  if (failure != 0) {
    errno = failure;
    return false;
  }
  void* mapped = ::mmap(nullptr, window_size_, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(),
                        static_cast<off_t>(window_begin_));
  if (mapped == MAP_FAILED) return false;
  window_ = static_cast<char*>(mapped);
  return true;
}

void TreeJournal::unmap() {
  if (window_ != nullptr) ::munmap(window_, window_size_);
  window_ = nullptr;
}

void TreeJournal::close() {
  unmap();
  file_.close();
}

void TreeJournal::fail(const std::string& what) {
  status_ = Status::io_error(what + ": " + std::strerror(errno));
  close();
}

}  // namespace syntropy
