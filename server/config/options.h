// The table of options: every name that a configuration file, a flag or CONFIG SET may use, and all
// that follows from it. Files, flags, CONFIG GET, SET and REWRITE, --help, docs/configuration.md
// and docs/syntropy.conf are derived from this table; an option is added in options.cc and nowhere
// else.
//
// Invariant: for each option that CONFIG GET shows, setting what get() returned changes nothing.
//
// Thread safety: the table is constant after its first use.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/config/config.h"
#include "storage/base/status.h"

namespace syntropy {

enum class OptionGroup : unsigned char {
  kNetwork,
  kSecurity,
  kClients,
  kGeneral,
  kLogging,
  kDurability,
  kStorage,
  kMonitoring,
  kReplication,
  kCluster,
  kFixed,
};

/// The groups in the order in which --help and the documentation show them.
std::span<const OptionGroup> option_groups();
std::string_view group_title(OptionGroup group);

struct Option {
  using Arguments = std::vector<std::string>;

  std::string name;
  std::string alias;  // a second name with the same meaning; empty = none
  OptionGroup group = OptionGroup::kGeneral;
  std::string argument;  // what to write after the name, for --help: "<bytes>", "yes|no"
  std::string bounds;    // "0..65535"; empty when `argument` says all
  std::string help;      // one line

  bool changeable = false;      // CONFIG SET may change it while the server runs
  bool sensitive = false;       // the value is kept out of logs and error messages
  bool many_arguments = false;  // takes a list; CONFIG SET splits its one argument at blanks
  bool file_only = false;       // unknown to CONFIG GET and SET; may stand on several lines

  /// Sets the option from its arguments (at least one). On failure the message is the reason alone
  /// ("argument must be ...") and `config` is unchanged. Empty for `include`, which is no setting.
  std::function<Status(Config& config, const Arguments& arguments)> set;
  /// The value as CONFIG GET prints it.
  std::function<std::string(const Config& config)> get;
  /// The lines, without the name, that set this value in a file; not quoted. One line, unless the
  /// option is set piece by piece.
  std::function<std::vector<Arguments>(const Config& config)> lines;
};

/// All options, by group.
std::span<const Option> all_options();

/// The option of that name or alias, ignoring case; nullptr when there is none.
const Option* find_option(std::string_view name);

/// The known name most like `name`, or empty when none is near.
std::string_view nearest_option(std::string_view name);

/// What to tell somebody who brings an option of Redis that does not exist here ("replication is
/// not part of this version"); empty for names that Redis does not know either.
std::string_view redis_option_note(std::string_view name);

/// Sets an option from the one string that CONFIG SET passes.
Status set_from_string(const Option& option, Config& config, const std::string& value);

/// Sets an option from the words of a line. A wrong number of words is an error.
Status set_from_words(const Option& option, Config& config, const Option::Arguments& words);

/// "name value" for each option that differs from its default, for the log at start; the values of
/// sensitive options are hidden.
std::vector<std::string> loggable_settings(const Config& config);

}  // namespace syntropy
