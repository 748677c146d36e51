#include "tools/cli/rdb_import.h"

#include <algorithm>
#include <utility>

#include "server/resp/quoting.h"

namespace syntropy {
namespace {

constexpr size_t kReadBytes = size_t{1} << 18;
constexpr size_t kMostInBatch = 1000;
constexpr size_t kMostFailures = 10;

using Event = RdbReader::Event;

bool expired(const RdbReader::Entry& entry, int64_t now_ms) {
  return entry.expires_at_ms && *entry.expires_at_ms <= now_ms;
}

// Calls `visit` with each event that is about a key, or what isn't one, until it fails.
template <class Visit>
Status read_dump(std::istream& dump, const RdbImport::Progress& progress, Visit&& visit) {
  RdbReader reader(RdbImport::kMostBytes);
  std::string bytes(kReadBytes, '\0');
  while (true) {
    const Result<Event> event = reader.next();
    if (!event.ok()) return event.status();
    if (*event == Event::kEnd) return {};
    if (*event != Event::kMore) {
      const Status visited = visit(*event, reader.entry());
      if (!visited.ok()) return visited;
      continue;
    }
    progress(reader.position());
    dump.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    const auto got = static_cast<size_t>(dump.gcount());
    if (dump.bad()) return Status::io_error("the dump can't be read");
    if (got == 0) {
      return Status::corruption("the dump ends at byte " + std::to_string(reader.position()) +
                                ", in the middle");
    }
    reader.feed(std::string_view(bytes).substr(0, got));
  }
}

}  // namespace

Result<RdbSurvey> RdbImport::survey(std::istream& dump, int64_t now_ms, const Progress& progress) {
  RdbSurvey survey;
  const Status read = read_dump(dump, progress, [&](Event event, const RdbReader::Entry& entry) {
    if (event == Event::kOther) {
      ++survey.others[entry.type];
      return Status();
    }
    ++survey.strings;
    ++survey.databases[entry.database];
    if (expired(entry, now_ms)) ++survey.expired;
    return Status();
  });
  if (!read.ok()) return read;
  return survey;
}

Status RdbImport::run(std::istream& dump, const Progress& progress) {
  const Status read = read_dump(dump, progress, [&](Event event, const RdbReader::Entry& entry) {
    if (event == Event::kOther) {
      ++counts_.left_out;
      return Status();
    }
    if (expired(entry, options_.now_ms)) {
      ++counts_.expired;
      return Status();
    }
    const bool full = batch_.size() >= kMostInBatch || batch_bytes_ >= kFetchBytes;
    if (full || (!batch_.empty() && entry.database != database_)) {
      const Status written = write_batch();
      if (!written.ok()) return written;
    }
    take(entry);
    return Status();
  });
  return read.ok() ? write_batch() : read;
}

void RdbImport::take(const RdbReader::Entry& entry) {
  KeyState state;
  state.form = KeyState::Form::kString;
  state.length = entry.value.size();
  if (entry.expires_at_ms) state.expires_at_ms = *entry.expires_at_ms;
  database_ = entry.database;
  batch_bytes_ += entry.key.size() + entry.value.size();
  batch_.push_back({entry.key, state, entry.value});
}

Status RdbImport::write_batch() {
  std::vector<KeyCopy> batch = std::exchange(batch_, {});
  batch_bytes_ = 0;
  if (batch.empty()) return {};
  const Result<KeyServer*> server = databases_(database_);
  if (!server.ok()) return server.status();
  if (!options_.replace) {
    std::vector<std::string> keys;
    for (const KeyCopy& copy : batch) keys.push_back(copy.key);
    const Result<std::vector<bool>> there = (*server)->exist(keys);
    if (!there.ok()) return there.status();
    counts_.kept += static_cast<uint64_t>(std::count(there->begin(), there->end(), true));
    size_t at = 0;
    std::erase_if(batch, [&](const KeyCopy&) { return (*there)[at++]; });
  }
  const Result<std::vector<std::string>> failures = (*server)->write(batch, !options_.replace);
  if (!failures.ok()) return failures.status();
  for (size_t i = 0; i < batch.size(); ++i) {
    const std::string& failure = (*failures)[i];
    if (failure.empty()) {
      ++counts_.written;
      continue;
    }
    ++counts_.failed;
    if (counts_.failures.size() < kMostFailures) {
      counts_.failures.push_back(quote_arg(batch[i].key) + ": " + failure);
    }
  }
  return {};
}

}  // namespace syntropy
