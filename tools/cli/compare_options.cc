#include <charconv>

#include "tools/cli/compare.h"

namespace syntropy {
namespace {

void add_side_options(CLI::App& command, const std::string& name, const std::string& letter,
                      CompareOptions::Side* side) {
  command
      .add_option("--password-" + letter, side->password,
                  "Password of " + name +
                      "; others on this machine can read it in the list of "
                      "processes, SYNTROPY_PASSWORD_" +
                      name + " they cannot")
      ->envname("SYNTROPY_PASSWORD_" + name);
  command.add_option("--user-" + letter, side->user, "User to authenticate as at " + name);
}

void add_selection_options(CLI::App& command, CompareOptions* options) {
  command.add_option("--slots", options->slots, "Only keys of these slots: 0-100,200")
      ->check([](const std::string& text) {
        return parse_slots(text) ? std::string() : "no slots from 0 to 16383 are '" + text + "'";
      });
  command.add_option("--match", options->scan.match, "Only keys that match this glob pattern");
  command.add_option("--db", options->database, "Database on both sides, where no URL names one")
      ->capture_default_str();
  command.add_flag("--ignore-ttl", options->comparison.ignore_ttl, "Don't compare expiries");
  command
      .add_option("--ttl-tolerance", options->comparison.ttl_tolerance_ms,
                  "Milliseconds that expiries may be apart; at least 2000 where a server has no "
                  "PEXPIRETIME")
      ->capture_default_str();
}

void add_tls_options(CLI::App& command, TlsOptions* tls) {
  command.add_option("--cacert", tls->ca_cert, "Certificates to trust, of rediss:// endpoints")
      ->check(CLI::ExistingFile);
  CLI::Option* const cert =
      command.add_option("--cert", tls->cert, "Certificate to show them")->check(CLI::ExistingFile);
  CLI::Option* const key = command.add_option("--key", tls->key, "Private key of the certificate")
                               ->check(CLI::ExistingFile);
  cert->needs(key);
  key->needs(cert);
  command.add_flag("--insecure", tls->insecure, "Don't check their certificates");
}

/// The first option that asks for something that only keys have; empty: none.
std::string_view option_of_keys(const CompareOptions& options) {
  if (!options.scan.match.empty()) return "--match";
  if (options.database != 0) return "--db";
  if (options.comparison.ignore_ttl) return "--ignore-ttl";
  if (options.comparison.ttl_tolerance_ms != 0) return "--ttl-tolerance";
  if (options.repair && options.repair->erase) return "--delete";
  return {};
}

}  // namespace

Result<CompareWay> way_of(const Endpoint& a, const Endpoint& b, const CompareOptions& options) {
  using Kind = Endpoint::Kind;
  const bool directory = a.kind == Kind::kDirectory || b.kind == Kind::kDirectory;
  if (a.kind == Kind::kRedis || b.kind == Kind::kRedis) {
    if (!directory) return CompareWay::kKeys;
    return Status::invalid_argument(
        "a directory is compared with a Syntropy node or another directory: name the node by "
        "HOST:PORT, or start one on the directory");
  }
  const std::string_view option = option_of_keys(options);
  if (option.empty()) return CompareWay::kRows;
  if (!directory) return CompareWay::kKeys;
  return Status::invalid_argument(std::string(option) +
                                  " needs servers that are asked for their keys, and a directory "
                                  "is compared by its rows: start a node on it");
}

void add_compare_options(CLI::App& command, CompareOptions* options) {
  command.set_help_flag("--help", "Explain and exit");
  command.add_option("A", options->a.text, "One side: HOST:PORT, a directory, or a redis:// URL")
      ->required();
  command.add_option("B", options->b.text, "The other side")->required();
  add_selection_options(command, options);
  command
      .add_option("--rechecks", options->comparison.rechecks,
                  "How often a key that seems to differ is looked at again, where it may change")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command
      .add_option("--recheck-delay", options->comparison.recheck_delay_ms,
                  "Milliseconds between two looks")
      ->check(CLI::Range(0, 60000))
      ->capture_default_str();
  command
      .add_option("--limit-keys-per-second", options->limit_keys_per_second,
                  "Look at no more keys; 0: no limit")
      ->capture_default_str();
  command
      .add_option("--limit-bytes-per-second", options->limit_bytes_per_second,
                  "Move no more bytes, of both sides together: 10MB; 0: no limit")
      ->transform(CLI::AsSizeValue(false));
  command.add_option("--batch", options->scan.batch, "Keys that are asked for at once")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command.add_option("--max-keys", options->max_keys, "Name at most so many keys of each kind")
      ->capture_default_str();
  command.add_option("--output", "How to print the summary: text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->default_str("text")
      ->each([options](const std::string& form) { options->json = form == "json"; });
  add_side_options(command, "A", "a", &options->a);
  add_side_options(command, "B", "b", &options->b);
  add_tls_options(command, &options->tls);
  command.add_option("--timeout", options->timeout_s, "Seconds to wait for a server's answers")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 86400.0));
}

std::optional<SlotRanges> parse_slots(std::string_view text) {
  SlotRanges slots;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto take = [&](uint16_t* slot) {
    const auto [next, error] = std::from_chars(at, end, *slot);
    at = next;
    return error == std::errc() && *slot < kSlotCount;
  };
  while (true) {
    SlotRange range;
    if (!take(&range.first)) return std::nullopt;
    range.last = range.first;
    if (at != end && *at == '-' && (++at, !take(&range.last))) return std::nullopt;
    if (range.last < range.first) return std::nullopt;
    slots.add(range);
    if (at == end) return slots;
    if (*at++ != ',') return std::nullopt;
  }
}

uint64_t throttle_us(uint64_t done, uint64_t limit_per_second, uint64_t elapsed_us) {
  if (limit_per_second == 0) return 0;
  const double needed_us = static_cast<double>(done) * 1e6 / static_cast<double>(limit_per_second);
  const auto needed = static_cast<uint64_t>(needed_us);
  return needed > elapsed_us ? needed - elapsed_us : 0;
}

}  // namespace syntropy
