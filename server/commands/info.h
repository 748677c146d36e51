// What the files that write the sections of INFO share.
//
// Thread safety: each section may be written on any thread.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "server/command.h"

namespace syntropy {

/// Writes the lines of one section.
class InfoSection {
 public:
  explicit InfoSection(std::string* out) : out_(*out) {}

  /// "name:value". The value must not hold a line's end.
  template <class Value>
  void field(std::string_view name, const Value& value) {
    out_ += fmt::format("{}:{}\r\n", name, value);
  }
  void flag(std::string_view name, bool value) { field(name, value ? 1 : 0); }
  /// With so many decimals.
  void decimal(std::string_view name, double value, int decimals = 2) {
    out_ += fmt::format("{}:{:.{}f}\r\n", name, value, decimals);
  }
  /// "name:bytes" and "name_human:1.50M".
  void bytes(std::string_view name, uint64_t value);

 private:
  std::string& out_;
};

/// "512B", "1.50M".
std::string human_bytes(uint64_t bytes);

// The sections, each without its title.
void info_server(const Call& call, InfoSection& out);
void info_clients(const Call& call, InfoSection& out);
void info_memory(const Call& call, InfoSection& out);
void info_persistence(const Call& call, InfoSection& out);
void info_storage(const Call& call, InfoSection& out);
void info_stats(const Call& call, InfoSection& out);
void info_trees(const Call& call, InfoSection& out);
void info_replication(const Call& call, InfoSection& out);
void info_cpu(const Call& call, InfoSection& out);
void info_modules(const Call& call, InfoSection& out);
void info_commandstats(const Call& call, InfoSection& out);
void info_errorstats(const Call& call, InfoSection& out);
void info_latencystats(const Call& call, InfoSection& out);
void info_cluster(const Call& call, InfoSection& out);
void info_keyspace(const Call& call, InfoSection& out);

}  // namespace syntropy
