// LCS: the longest common subsequence of two strings.
//
// The textbook's dynamic programming over a table of (n+1) x (m+1) lengths. Only the last row of
// lengths is kept, and of every cell one bit: the direction in which the walk back from the end
// leaves it. That is all the walk needs, in 1/32 of the table's memory. Among several longest
// subsequences the walk prefers the one that Redis finds: on a tie it gives up a byte of the second
// string.
#include <algorithm>
#include <vector>

#include "server/commands/arguments.h"
#include "server/commands/string_handlers.h"

namespace syntropy {
namespace {

struct LcsOptions {
  bool length_only = false;
  bool indexes = false;
  bool match_lengths = false;
  int64_t min_match_length = 0;
};

// False after replying with an error.
bool parse_lcs_options(Call& call, LcsOptions* options) {
  for (size_t i = 3; i < call.argc(); ++i) {
    const std::string_view name = call.args[i];
    if (equals_ignoring_case(name, "idx")) {
      options->indexes = true;
    } else if (equals_ignoring_case(name, "len")) {
      options->length_only = true;
    } else if (equals_ignoring_case(name, "withmatchlen")) {
      options->match_lengths = true;
    } else if (i + 1 < call.argc() && equals_ignoring_case(name, "minmatchlen")) {
      const std::optional<int64_t> length = int64_argument(call, ++i);
      if (!length) return false;
      options->min_match_length = *length;
    } else {
      reply_syntax_error(call);
      return false;
    }
  }
  if (options->indexes && options->length_only) {
    call.reply.error("ERR If you want both the length and indexes, please just use IDX.");
    return false;
  }
  return true;
}

// Compares two strings once; then tells the length and the way of the walk.
class LcsTable {
 public:
  LcsTable(std::string_view a, std::string_view b, bool with_directions)
      : width_(b.size()), lengths_(b.size() + 1) {
    if (with_directions) leaves_first_.resize(a.size() * b.size());
    for (size_t i = 0; i < a.size(); ++i) fill_row(a[i], b, i, with_directions);
  }

  uint32_t length() const { return lengths_.back(); }
  /// At the cell of a[i] and b[j], which differ: whether to give up a[i] rather than b[j].
  bool leaves_first(size_t i, size_t j) const { return leaves_first_[i * width_ + j]; }

 private:
  // lengths_[j] is the length for what is above and b's first j bytes; becomes that of this row.
  void fill_row(char c, std::string_view b, size_t i, bool with_directions) {
    uint32_t diagonal = 0;
    for (size_t j = 0; j < b.size(); ++j) {
      const uint32_t above = lengths_[j + 1];
      const uint32_t left = lengths_[j];
      if (b[j] == c) {
        lengths_[j + 1] = diagonal + 1;
      } else {
        lengths_[j + 1] = std::max(above, left);
        if (with_directions && above > left) leaves_first_[i * width_ + j] = true;
      }
      diagonal = above;
    }
  }

  const size_t width_;
  std::vector<uint32_t> lengths_;
  std::vector<bool> leaves_first_;
};

// A run of equal bytes: a[a_first ...] and b[b_first ...], `length` of them.
struct Match {
  size_t a_first = 0;
  size_t b_first = 0;
  size_t length = 0;
};

// Walks the subsequence from its end to its start and hands each match to `visit`.
template <class Visit>
void walk_matches(std::string_view a, std::string_view b, const LcsTable& table, Visit visit) {
  Match match;
  size_t i = a.size();
  size_t j = b.size();
  while (i > 0 && j > 0) {
    if (a[i - 1] == b[j - 1]) {
      --i;
      --j;
      match = {i, j, match.length + 1};
      continue;
    }
    if (match.length != 0) visit(match);
    match.length = 0;
    if (table.leaves_first(i - 1, j - 1)) {
      --i;
    } else {
      --j;
    }
  }
  if (match.length != 0) visit(match);
}

void reply_range(Call& call, size_t first, size_t length) {
  call.reply.array(2);
  call.reply.integer(static_cast<int64_t>(first));
  call.reply.integer(static_cast<int64_t>(first + length - 1));
}

void reply_indexes(Call& call, std::string_view a, std::string_view b, const LcsTable& table,
                   const LcsOptions& options) {
  call.reply.map(2);
  call.reply.bulk("matches");
  const size_t mark = call.reply.size();
  size_t count = 0;
  walk_matches(a, b, table, [&](const Match& match) {
    if (static_cast<int64_t>(match.length) < options.min_match_length) return;
    call.reply.array(options.match_lengths ? 3 : 2);
    reply_range(call, match.a_first, match.length);
    reply_range(call, match.b_first, match.length);
    if (options.match_lengths) call.reply.integer(static_cast<int64_t>(match.length));
    ++count;
  });
  call.reply.insert_array_header(mark, count);
  call.reply.bulk("len");
  call.reply.integer(table.length());
}

void reply_subsequence(Call& call, std::string_view a, std::string_view b, const LcsTable& table) {
  std::string subsequence(table.length(), '\0');
  size_t end = subsequence.size();
  walk_matches(a, b, table, [&](const Match& match) {
    end -= match.length;
    a.copy(subsequence.data() + end, match.length, match.a_first);
  });
  call.reply.bulk(subsequence);
}

// The two strings as of one moment; false after replying with an error. Only the reading takes the
// keyspace's lock: the comparison may last seconds, and writers must not wait for it.
bool read_strings(Call& call, StringRow (&rows)[2]) {
  call.tick.begin_shared();
  bool strings = true;
  for (size_t i = 0; i < 2; ++i) {
    const std::optional<RowView> found = call.tick.get(call.db(), call.args[i + 1]);
    if (!found) continue;
    strings = strings && is_string(*found);
    if (strings) rows[i].bytes = string_value(*found, &rows[i].digits);
  }
  // A transaction keeps the lock that it has for all of its commands.
  if (!call.client.in_transaction) call.tick.end_shared();
  if (!strings) call.reply.error("ERR The specified keys must contain string values");
  return strings;
}

}  // namespace

void lcs_command(Call& call) {
  StringRow rows[2];
  if (!read_strings(call, rows)) return;
  LcsOptions options;
  if (!parse_lcs_options(call, &options)) return;

  // Redis' bound on its table of 32-bit lengths, for the same answer here. It bounds the time too.
  const std::string_view a = rows[0].bytes;
  const std::string_view b = rows[1].bytes;
  uint64_t table_bytes = 0;
  if (__builtin_mul_overflow(a.size() + 1, (b.size() + 1) * sizeof(uint32_t), &table_bytes) ||
      !string_size_allowed(call, table_bytes)) {
    return call.reply.error(
        "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }
  const LcsTable table(a, b, !options.length_only);
  if (options.indexes) return reply_indexes(call, a, b, table, options);
  if (options.length_only) return call.reply.integer(table.length());
  reply_subsequence(call, a, b, table);
}

}  // namespace syntropy
