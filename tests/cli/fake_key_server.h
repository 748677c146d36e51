// FakeKeyServer: a KeyServer in memory, whose walk yields what a test tells it to, and a host whose
// time runs only while somebody waits.
//
// Thread safety: as a KeyServer's; between two calls a test may change it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tools/cli/comparison.h"
#include "tools/cli/key_server.h"

namespace syntropy {

class FakeKeyServer final : public KeyServer {
 public:
  struct Entry {
    std::string value;
    int64_t expires_at_ms = -1;
    std::string type = "string";
    std::string encoding = {};  // what a DUMP begins with

    bool operator==(const Entry&) const = default;
  };

  std::map<std::string, Entry> keys;
  /// What a walk yields, page by page; empty: the keys, in pages of three.
  std::vector<std::vector<std::string>> pages;
  bool collections = true;
  bool exact_expiry = true;
  std::string refuses;                  // a key that cannot be written or deleted
  Status failure;                       // of every question, when it is not ok
  size_t largest_fetch_bytes = 0;       // of the values of one call
  std::function<void()> before_copies;  // something happens between look and copy

  void set(const std::string& key, const std::string& value, int64_t expires_at_ms = -1) {
    keys[key] = {value, expires_at_ms};
  }

  bool has_collections() const override { return collections; }
  bool has_exact_expiry() const override { return exact_expiry; }

  Result<KeyPage> scan(const std::string& from) override {
    if (!failure.ok()) return failure;
    if (from.empty()) walk_ = pages.empty() ? pages_of_keys() : pages;
    const size_t page = from.empty() ? 0 : std::stoul(from);
    KeyPage result;
    if (page < walk_.size()) result.keys = walk_[page];
    if (page + 1 < walk_.size()) result.next = std::to_string(page + 1);
    return result;
  }

  Result<std::vector<bool>> exist(Keys wanted) override {
    std::vector<bool> found;
    for (const std::string& key : wanted) found.push_back(keys.contains(key));
    return found;
  }

  Result<std::vector<KeyState>> look(Keys wanted) override {
    std::vector<KeyState> states;
    for (const std::string& key : wanted) {
      const auto entry = keys.find(key);
      KeyState& state = states.emplace_back();
      if (entry == keys.end()) continue;
      const bool is_string = entry->second.type == "string";
      state.form = is_string ? KeyState::Form::kString : KeyState::Form::kOther;
      state.length = is_string ? entry->second.value.size() : 0;
      state.expires_at_ms = entry->second.expires_at_ms;
    }
    return states;
  }

  Result<std::vector<std::optional<std::string>>> values(Keys wanted) override {
    std::vector<std::optional<std::string>> found;
    size_t bytes = 0;
    for (const std::string& key : wanted) {
      const auto entry = keys.find(key);
      const bool is_string = entry != keys.end() && entry->second.type == "string";
      found.push_back(is_string ? std::optional(entry->second.value) : std::nullopt);
      if (is_string) bytes += entry->second.value.size();
    }
    largest_fetch_bytes = std::max(largest_fetch_bytes, bytes);
    return found;
  }

  Result<std::vector<KeyContents>> contents(Keys wanted) override {
    std::vector<KeyContents> found;
    for (const std::string& key : wanted) {
      const auto entry = keys.find(key);
      if (entry == keys.end()) {
        found.push_back({"none", ""});
      } else {
        found.push_back({entry->second.type, entry->second.encoding + entry->second.value});
      }
    }
    return found;
  }

  Result<std::vector<std::string>> elements(const std::string& key, const std::string&) override {
    const auto entry = keys.find(key);
    return entry == keys.end() ? std::vector<std::string>{}
                               : std::vector<std::string>{entry->second.value};
  }

  Result<std::vector<std::optional<KeyCopy>>> copies(Keys wanted,
                                                     std::span<const KeyState> states) override {
    if (before_copies) before_copies();
    std::vector<std::optional<KeyCopy>> copies(wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      const auto entry = keys.find(wanted[i]);
      if (entry == keys.end() || entry->second.expires_at_ms != states[i].expires_at_ms) continue;
      copies[i] = KeyCopy{wanted[i], states[i], entry->second.value};
    }
    return copies;
  }

  Result<std::vector<std::string>> write(std::span<const KeyCopy> copies,
                                         bool only_absent) override {
    std::vector<std::string> failures(copies.size());
    for (size_t i = 0; i < copies.size(); ++i) {
      const KeyCopy& copy = copies[i];
      if (copy.key == refuses) {
        failures[i] = "ERR refused";
      } else if (!only_absent || !keys.contains(copy.key)) {
        const bool is_string = copy.state.form == KeyState::Form::kString;
        keys[copy.key] = {copy.value, copy.state.expires_at_ms, is_string ? "string" : "hash"};
      }
    }
    return failures;
  }

  Result<std::vector<std::string>> erase(Keys wanted) override {
    std::vector<std::string> failures;
    for (const std::string& key : wanted) {
      failures.emplace_back(key == refuses ? "ERR refused" : "");
      if (key != refuses) keys.erase(key);
    }
    return failures;
  }

  Traffic traffic() const override { return {}; }

 private:
  std::vector<std::vector<std::string>> pages_of_keys() const {
    std::vector<std::vector<std::string>> result;
    for (const auto& [key, entry] : keys) {
      if (result.empty() || result.back().size() == 3) result.emplace_back();
      result.back().push_back(key);
    }
    return result;
  }

  std::vector<std::vector<std::string>> walk_;
};

class FakeHost final : public ComparisonHost {
 public:
  uint64_t now = 0;
  uint64_t waits = 0;
  std::function<void()> on_wait;  // something happens meanwhile
  std::function<void()> on_page;

  uint64_t now_ms() override { return now; }
  void wait_ms(uint64_t ms) override {
    now += ms;
    ++waits;
    if (on_wait) on_wait();
  }
  void after_page(const ComparisonCounts&) override {
    if (on_page) on_page();
  }
};

}  // namespace syntropy
