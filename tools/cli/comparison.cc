#include "tools/cli/comparison.h"

#include <algorithm>
#include <cstdlib>
#include <future>
#include <numeric>
#include <utility>

namespace syntropy {
namespace {

using Kind = Difference::Kind;
using Form = KeyState::Form;

/// How many keys in question are looked at in one go.
constexpr size_t kSettleBatch = 1000;

/// Where a server only tells how long keys have to live, both clocks and the way there blur it.
constexpr uint64_t kReckonedToleranceMs = 2000;

/// Asks both servers at the same time.
template <class Ask>
auto ask_both(KeyServer& a, KeyServer& b, const Ask& ask) {
  auto of_b = std::async(std::launch::async, [&] { return ask(b); });
  auto of_a = ask(a);
  return std::pair(std::move(of_a), of_b.get());
}

void mix(uint64_t value, uint64_t* fingerprint) {
  // The finalizer of SplitMix64.
  uint64_t x = *fingerprint + value + 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  *fingerprint = x ^ (x >> 31);
}

uint64_t hash(std::string_view text) { return std::hash<std::string_view>()(text); }

std::vector<std::string> picked(Keys keys, std::span<const size_t> indexes) {
  std::vector<std::string> some;
  some.reserve(indexes.size());
  for (const size_t index : indexes) some.push_back(keys[index]);
  return some;
}

}  // namespace

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kMissingHere:
      return "missing_here";
    case Kind::kMissingThere:
      return "missing_there";
    case Kind::kDifferent:
      return "different";
    case Kind::kUnsupported:
      return "unsupported";
    case Kind::kChanging:
      return "changing";
  }
  return "unknown";
}

uint64_t ComparisonCounts::total() const {
  return std::accumulate(differences.begin(), differences.end(), uint64_t{0});
}

Status Comparison::run() {
  Status status = walk_a();
  if (status.ok()) status = walk_b();
  if (status.ok()) status = settle(true);
  return status;
}

void Comparison::filter(std::vector<std::string>* keys) const {
  if (options_.slots.count() != kSlotCount) {
    std::erase_if(*keys,
                  [&](const std::string& key) { return !options_.slots.contains(slot_of(key)); });
  }
  std::ranges::sort(*keys);
  const auto rest = std::ranges::unique(*keys);
  keys->erase(rest.begin(), rest.end());
}

Status Comparison::walk_a() {
  std::string from;
  do {
    Result<KeyPage> page = a_.scan(from);
    if (!page.ok()) return page.status();
    from = std::move(page->next);
    filter(&page->keys);
    const Result<std::vector<Look>> looks = look(page->keys);
    if (!looks.ok()) return looks.status();
    for (size_t i = 0; i < looks->size(); ++i) {
      const Look& look = (*looks)[i];
      if (!look.equal) put_in_question(std::move(page->keys[i]), look.fingerprint);
    }
    counts_.walked_a += looks->size();
    counts_.compared += looks->size();
    const Status settled = settle(false);
    if (!settled.ok()) return settled;
    host_.after_page(counts_);
  } while (!from.empty());
  return {};
}

Status Comparison::walk_b() {
  std::string from;
  do {
    Result<KeyPage> page = b_.scan(from);
    if (!page.ok()) return page.status();
    from = std::move(page->next);
    filter(&page->keys);
    const Result<std::vector<bool>> found = a_.exist(page->keys);
    if (!found.ok()) return found.status();
    for (size_t i = 0; i < found->size(); ++i) {
      if ((*found)[i]) continue;
      put_in_question(std::move(page->keys[i]), 0);
      ++counts_.compared;
    }
    counts_.walked_b += found->size();
    const Status settled = settle(false);
    if (!settled.ok()) return settled;
    host_.after_page(counts_);
  } while (!from.empty());
  return {};
}

bool Comparison::same_expiry(const KeyState& a, const KeyState& b) const {
  if (options_.ignore_ttl || a.expires_at_ms == b.expires_at_ms) return true;
  if (a.expires_at_ms < 0 || b.expires_at_ms < 0) return false;
  const bool exact = a_.has_exact_expiry() && b_.has_exact_expiry();
  const uint64_t tolerance = std::max(options_.ttl_tolerance_ms, exact ? 0 : kReckonedToleranceMs);
  return static_cast<uint64_t>(std::abs(a.expires_at_ms - b.expires_at_ms)) <= tolerance;
}

Comparison::Look Comparison::look_at_states(const KeyState& a, const KeyState& b) const {
  Look look;
  for (const auto& [state, server] : {std::pair(&a, &a_), std::pair(&b, &b_)}) {
    mix(static_cast<uint64_t>(state->form), &look.fingerprint);
    mix(state->length, &look.fingerprint);
    // A reckoned expiry is another one at each look.
    if (server->has_exact_expiry()) {
      mix(static_cast<uint64_t>(state->expires_at_ms), &look.fingerprint);
    }
  }
  if (a.form == Form::kAbsent && b.form == Form::kAbsent) return look;
  look.equal = a.form == b.form && a.length == b.length && same_expiry(a, b);
  if (look.equal) return look;
  const bool too_much_for_b = a.form == Form::kOther && !b_.has_collections();
  const bool too_much_for_a = b.form == Form::kOther && !a_.has_collections();
  if (too_much_for_a || too_much_for_b) {
    look.kind = Kind::kUnsupported;
    look.why = too_much_for_b ? "not a string, and B has nothing else"
                              : "not a string, and A has nothing else";
  } else if (a.form == Form::kAbsent) {
    look.kind = Kind::kMissingHere;
  } else if (b.form == Form::kAbsent) {
    look.kind = Kind::kMissingThere;
  } else {
    look.why = a.form != b.form ? "type" : a.length != b.length ? "value" : "expiry";
  }
  return look;
}

Result<std::vector<Comparison::Look>> Comparison::look(Keys keys) {
  std::vector<Look> looks;
  if (keys.empty()) return looks;
  const auto [of_a, of_b] = ask_both(a_, b_, [&](KeyServer& server) { return server.look(keys); });
  if (!of_a.ok()) return of_a.status();
  if (!of_b.ok()) return of_b.status();
  looks.reserve(keys.size());
  std::vector<size_t> open;  // whose values decide
  std::vector<KeyState> states;
  for (size_t i = 0; i < keys.size(); ++i) {
    const KeyState& a = (*of_a)[i];
    const KeyState& b = (*of_b)[i];
    looks.push_back(look_at_states(a, b));
    if (a.form == Form::kAbsent || a.form != b.form || a.length != b.length) continue;
    open.push_back(i);
    states.push_back(a);
  }
  for (size_t begin = 0, end = 0; begin < open.size(); begin = end) {
    end = fetch_end(states, begin);
    std::array<std::vector<size_t>, 2> parts;  // strings, others
    for (size_t i = begin; i < end; ++i) {
      parts[states[i].form == Form::kString ? 0 : 1].push_back(open[i]);
    }
    for (const bool strings : {true, false}) {
      const std::vector<size_t>& part = parts[strings ? 0 : 1];
      if (part.empty()) continue;
      std::vector<Look*> targets;
      for (const size_t index : part) targets.push_back(&looks[index]);
      const std::vector<std::string> some = picked(keys, part);
      const Status status =
          strings ? look_at_strings(some, targets) : look_at_others(some, targets);
      if (!status.ok()) return status;
    }
  }
  return looks;
}

Status Comparison::look_at_strings(Keys keys, std::span<Look* const> looks) {
  const auto [of_a, of_b] =
      ask_both(a_, b_, [&](KeyServer& server) { return server.values(keys); });
  if (!of_a.ok()) return of_a.status();
  if (!of_b.ok()) return of_b.status();
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::optional<std::string>& a = (*of_a)[i];
    const std::optional<std::string>& b = (*of_b)[i];
    if (a == b) continue;
    looks[i]->equal = false;
    looks[i]->why = "value";
    mix(a ? hash(*a) : 1, &looks[i]->fingerprint);
    mix(b ? hash(*b) : 1, &looks[i]->fingerprint);
  }
  return {};
}

Status Comparison::look_at_others(Keys keys, std::span<Look* const> looks) {
  const auto [of_a, of_b] =
      ask_both(a_, b_, [&](KeyServer& server) { return server.contents(keys); });
  if (!of_a.ok()) return of_a.status();
  if (!of_b.ok()) return of_b.status();
  for (size_t i = 0; i < keys.size(); ++i) {
    const KeyContents& a = (*of_a)[i];
    const KeyContents& b = (*of_b)[i];
    if (a.type != b.type) {
      looks[i]->equal = false;
      looks[i]->why = "type: " + a.type + ", " + b.type;
      mix(hash(a.type), &looks[i]->fingerprint);
      mix(hash(b.type), &looks[i]->fingerprint);
      continue;
    }
    if (!a.payload.empty() && a.payload == b.payload) continue;
    // Equal payloads are equal keys; of different ones it may be but the encoding that differs.
    const Status status = look_at_elements(keys[i], a.type, looks[i]);
    if (!status.ok()) return status;
    if (looks[i]->equal) continue;
    mix(hash(a.payload), &looks[i]->fingerprint);
    mix(hash(b.payload), &looks[i]->fingerprint);
  }
  return {};
}

Status Comparison::look_at_elements(const std::string& key, const std::string& type, Look* look) {
  const auto [of_a, of_b] =
      ask_both(a_, b_, [&](KeyServer& server) { return server.elements(key, type); });
  if (!of_a.ok()) return of_a.status();
  if (!of_b.ok()) return of_b.status();
  if (!of_a->empty() && *of_a == *of_b) return {};
  look->equal = false;
  look->why = "value of a " + type;
  return {};
}

void Comparison::put_in_question(std::string key, uint64_t fingerprint) {
  questions_.push_back(
      {std::move(key), fingerprint, 0, host_.now_ms() + options_.recheck_delay_ms});
}

Status Comparison::settle(bool all) {
  while (!questions_.empty()) {
    const uint64_t now = host_.now_ms();
    if (questions_.front().due_ms > now) {
      if (!all && questions_.size() <= options_.max_in_question) return {};
      host_.wait_ms(questions_.front().due_ms - now);
      continue;
    }
    std::vector<Question> due;
    while (!questions_.empty() && questions_.front().due_ms <= now && due.size() < kSettleBatch) {
      due.push_back(std::move(questions_.front()));
      questions_.pop_front();
    }
    const Status status = look_again(std::move(due));
    if (!status.ok()) return status;
  }
  return {};
}

Status Comparison::look_again(std::vector<Question> questions) {
  std::vector<std::string> keys;
  keys.reserve(questions.size());
  for (Question& question : questions) keys.push_back(std::move(question.key));
  Result<std::vector<Look>> looks = look(keys);
  if (!looks.ok()) return looks.status();
  const uint64_t due_ms = host_.now_ms() + options_.recheck_delay_ms;
  std::vector<Difference> sure;
  for (size_t i = 0; i < keys.size(); ++i) {
    Look& look = (*looks)[i];
    if (look.equal) continue;
    const unsigned times = questions[i].looks + 1;
    if (times < options_.rechecks) {
      questions_.push_back({std::move(keys[i]), look.fingerprint, times, due_ms});
      continue;
    }
    // A first look at one side alone has no fingerprint.
    const bool stable =
        questions[i].fingerprint == 0 || questions[i].fingerprint == look.fingerprint;
    sure.push_back({stable ? look.kind : Kind::kChanging, std::move(keys[i]), std::move(look.why)});
  }
  return report(std::move(sure));
}

Status Comparison::report(std::vector<Difference> differences) {
  std::erase_if(differences, [&](const Difference& difference) {
    const uint64_t hashed = hash(difference.key);
    if (remembered_.contains(hashed)) return true;
    if (remembered_.size() < options_.max_remembered) {
      remembered_.insert(hashed);
    } else {
      counts_.exact = false;
    }
    return false;
  });
  for (const Difference& difference : differences) {
    ++counts_.differences[static_cast<size_t>(difference.kind)];
  }
  return differences.empty() ? Status() : found_(differences);
}

}  // namespace syntropy
