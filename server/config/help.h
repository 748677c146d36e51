// What a user reads about the options, made from the table: --help, the reference table of
// docs/configuration.md and the sample file docs/syntropy.conf. A test compares the two files with
// these functions and rewrites them on demand (tests/config/help_test.cc).
//
// Thread safety: pure functions.
#pragma once

#include <string>

namespace syntropy {

/// The text of `syntropyd --help`, at most 100 columns wide, with a line feed at the end.
std::string help_text();

/// A heading and a table for each group, in Markdown.
std::string options_markdown();

/// A configuration file that says nothing: every option with its help and default, commented out.
std::string sample_config_file();

}  // namespace syntropy
