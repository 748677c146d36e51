#include "server/config/config_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "server/config/glob.h"
#include "server/config/options.h"
#include "server/config/rewrite.h"
#include "server/config/values.h"

namespace syntropy {
namespace {

Status set_failed(std::string_view name, std::string_view reason) {
  return Status::invalid_argument(
      fmt::format("CONFIG SET failed (possibly related to argument '{}') - {}", name, reason));
}

/// Checks the names of all pairs before any value is looked at, as Redis does. The options, in the
/// order of the pairs.
Result<std::vector<const Option*>> resolve(const std::vector<ConfigStore::Pair>& pairs) {
  std::vector<const Option*> options;
  for (const auto& [name, value] : pairs) {
    const Option* option = find_option(name);
    if (option == nullptr || option->file_only) {
      return Status::invalid_argument(
          fmt::format("Unknown option or number of arguments for CONFIG SET - '{}'", name));
    }
    if (!option->changeable) return set_failed(name, "can't set immutable config");
    if (std::find(options.begin(), options.end(), option) != options.end()) {
      return set_failed(name, "duplicate parameter");
    }
    options.push_back(option);
  }
  return options;
}

}  // namespace

ConfigStore::ConfigStore(Config config, std::string file)
    : file_(std::move(file)), snapshot_(std::make_shared<const Config>(std::move(config))) {}

ConfigStore::Snapshot ConfigStore::current() const {
  const std::lock_guard lock(snapshot_mutex_);
  return snapshot_;
}

std::vector<ConfigStore::Pair> ConfigStore::get(const std::vector<std::string>& patterns) const {
  const Snapshot config = current();
  std::vector<Pair> found;
  const auto add = [&](std::string_view name, const Option& option) {
    const auto wanted = std::find_if(
        patterns.begin(), patterns.end(),
        [name](const std::string& pattern) { return glob_match(pattern, name, true); });
    if (name.empty() || wanted == patterns.end()) return;
    // As Redis does: a name that isn't a pattern comes back as it was written.
    const bool is_name = wanted->find_first_of("*?[") == std::string::npos;
    found.emplace_back(is_name ? *wanted : std::string(name), option.get(*config));
  };
  for (const Option& option : all_options()) {
    if (option.file_only) continue;
    add(option.name, option);
    add(option.alias, option);
  }
  return found;
}

Status ConfigStore::set(const std::vector<Pair>& pairs) {
  const std::lock_guard lock(write_mutex_);
  const auto options = resolve(pairs);
  if (!options.ok()) return options.status();
  const Snapshot previous = current();
  auto next = std::make_shared<Config>(*previous);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const Status status = set_from_string(*(*options)[i], *next, pairs[i].second);
    if (!status.ok()) return set_failed(pairs[i].first, status.message());
  }
  if (*next == *previous) return {};
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    const Status status = listeners_[i](*previous, *next);
    if (status.ok()) continue;
    while (i-- > 0) static_cast<void>(listeners_[i](*next, *previous).ok());
    return set_failed(pairs.front().first, status.message());
  }
  {
    const std::lock_guard publish(snapshot_mutex_);
    snapshot_ = std::move(next);
  }
  generation_.fetch_add(1, std::memory_order_release);
  return {};
}

Status ConfigStore::rewrite() {
  if (file_.empty()) {
    return Status::unavailable("The server is running without a config file");
  }
  const std::lock_guard lock(write_mutex_);
  const Status status = rewrite_config_file(file_, *current());
  if (status.ok()) return status;
  return Status(status.code(), fmt::format("Rewriting config file: {}", status.message()));
}

void ConfigStore::on_change(Listener listener) {
  const std::lock_guard lock(write_mutex_);
  listeners_.push_back(std::move(listener));
}

}  // namespace syntropy
