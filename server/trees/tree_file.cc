#include "server/trees/tree_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "server/descriptor.h"
#include "storage/base/coding.h"

namespace syntropy {
namespace {

constexpr std::string_view kMagic = "SYNTREE2";
constexpr uint8_t kStale = 0xFF;
constexpr size_t kLeafBytes = 48;

Status failed(const std::string& what, const std::string& path) {
  return Status::io_error("cannot " + what + " " + path + ": " + std::strerror(errno));
}

Status write_all(int descriptor, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(descriptor, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return failed("write", path);
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return ::fsync(descriptor) == 0 ? Status() : failed("sync", path);
}

bool read_leaf(ByteReader* reader, Summary* leaf) {
  bool ok = reader->read_fixed64_le(&leaf->rows) && reader->read_fixed64_le(&leaf->check);
  for (uint64_t& sum : leaf->sketch.sums) ok = ok && reader->read_fixed64_le(&sum);
  return ok;
}

}  // namespace

std::string encode_tree(uint64_t commit, uint64_t databases, const Tree& tree,
                        const std::vector<int64_t>& keys, const std::vector<bool>& stale) {
  std::string bytes(kMagic);
  put_fixed64_le(&bytes, commit);
  put_fixed64_le(&bytes, databases);
  for (unsigned slot = 0; slot < kSlotCount; ++slot) {
    if (stale[slot]) {
      bytes.push_back(static_cast<char>(kStale));
      continue;
    }
    bytes.push_back(static_cast<char>(tree.depth(static_cast<uint16_t>(slot))));
    put_fixed64_le(&bytes, static_cast<uint64_t>(keys[slot]));
    for (const Summary& leaf : tree.leaves(static_cast<uint16_t>(slot))) {
      put_fixed64_le(&bytes, leaf.rows);
      put_fixed64_le(&bytes, leaf.check);
      for (const uint64_t sum : leaf.sketch.sums) put_fixed64_le(&bytes, sum);
    }
  }
  put_fixed64_le(&bytes, XXH3_64bits(bytes.data(), bytes.size()));
  return bytes;
}

Result<StoredTree> decode_tree(std::string_view bytes) {
  const Status malformed = Status::corruption("the file of the trees is damaged");
  if (bytes.size() < kMagic.size() + 16 || !bytes.starts_with(kMagic)) return malformed;
  const std::string_view covered = bytes.substr(0, bytes.size() - 8);
  if (load_le<uint64_t>(bytes.data() + covered.size()) !=
      XXH3_64bits(covered.data(), covered.size())) {
    return malformed;
  }
  ByteReader reader(covered.substr(kMagic.size()));
  StoredTree stored{0, 0, std::make_unique<Tree>(), std::vector<int64_t>(kSlotCount),
                    std::vector<bool>(kSlotCount)};
  if (!reader.read_fixed64_le(&stored.commit) || !reader.read_fixed64_le(&stored.databases)) {
    return malformed;
  }
  std::vector<Summary> leaves;
  for (unsigned slot = 0; slot < kSlotCount; ++slot) {
    uint8_t levels = 0;
    if (!reader.read_u8(&levels)) return malformed;
    stored.stale[slot] = levels == kStale;
    if (levels == kStale) continue;
    uint64_t keys = 0;
    if (!reader.read_fixed64_le(&keys)) return malformed;
    stored.keys[slot] = static_cast<int64_t>(keys);
    if (levels >= 32 || (uint64_t{1} << levels) > reader.rest().size() / kLeafBytes) {
      return malformed;
    }
    leaves.resize(size_t{1} << levels);
    for (Summary& leaf : leaves) {
      if (!read_leaf(&reader, &leaf)) return malformed;
    }
    if (!stored.tree->restore(static_cast<uint16_t>(slot), leaves)) return malformed;
  }
  if (!reader.at_end()) return malformed;
  return stored;
}

Status write_tree_file(const std::string& path, std::string_view bytes) {
  const std::string fresh = path + ".new";
  {
    const Descriptor file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file.get() < 0) return failed("make", fresh);
    const Status written = write_all(file.get(), bytes, fresh);
    if (!written.ok()) return written;
  }
  if (std::rename(fresh.c_str(), path.c_str()) != 0) return failed("rename", fresh);
  const std::string dir = std::filesystem::path(path).parent_path().string();
  const Descriptor folder(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || ::fsync(folder.get()) != 0) return failed("sync", dir);
  return {};
}

Result<std::string> read_tree_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    return errno == ENOENT ? Status::not_found("there is no " + path) : failed("open", path);
  }
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) return failed("look at", path);
  std::string bytes(static_cast<size_t>(about.st_size), '\0');
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t got = ::read(file.get(), bytes.data() + at, bytes.size() - at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return failed("read", path);
    at += static_cast<size_t>(got);
  }
  return bytes;
}

}  // namespace syntropy
