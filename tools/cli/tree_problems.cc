#include "tools/cli/tree_problems.h"

#include <fmt/format.h>

#include "server/resp/quoting.h"
#include "storage/base/slot.h"
#include "storage/row.h"
#include "tools/cli/progress.h"

namespace syntropy {
namespace {

// A step is one command to a node, which must not take long.
constexpr unsigned kStepSlots = 256;

std::string row_text(const std::string& row_key) {
  const Result<RowKeyView> at = decode_row_key(row_key);
  if (!at.ok()) return "a row with a key that isn't one";
  std::string text = fmt::format("db{} key {}", at->db, quote_arg(at->key));
  return at->subkey.empty() ? text : text + " element " + quote_arg(at->subkey);
}

}  // namespace

std::vector<SlotRange> verify_steps() {
  std::vector<SlotRange> steps;
  for (unsigned slot = 0; slot < kSlotCount; slot += kStepSlots) {
    steps.push_back({static_cast<uint16_t>(slot), static_cast<uint16_t>(slot + kStepSlots - 1)});
  }
  return steps;
}

void TreeProblems::add(uint64_t rows, uint64_t wrong_slots, const std::vector<std::string>& rotten,
                       uint64_t lost, uint64_t unnamed_leaves) {
  rows_ += rows;
  wrong_slots_ += wrong_slots;
  rotten_ += rotten.size();
  lost_ += lost;
  unnamed_leaves_ += unnamed_leaves;
  for (const std::string& row_key : rotten) {
    if (named_.size() < most_named_)
      named_.push_back(row_text(row_key) + " is not what was written");
  }
}

std::vector<std::string> TreeProblems::texts() const {
  std::vector<std::string> texts = named_;
  if (rotten_ > named_.size()) {
    texts.push_back(with_separators(rotten_ - named_.size()) + " more rows are not what was " +
                    "written (--max-problems)");
  }
  if (lost_ != 0) texts.push_back(with_separators(lost_) + " rows that were written are not there");
  if (unnamed_leaves_ != 0) {
    texts.push_back("in " + with_separators(unnamed_leaves_) +
                    " ranges too many rows are wrong to say which");
  }
  if (texts.empty() && !sound()) {
    texts.push_back(with_separators(wrong_slots_) + " slots are not what was written");
  }
  return texts;
}

std::string TreeProblems::summary() const {
  if (sound()) return with_separators(rows_) + " rows are what was written";
  return fmt::format("{} rows; {} of {} slots are not what was written", with_separators(rows_),
                     with_separators(wrong_slots_), with_separators(kSlotCount));
}

}  // namespace syntropy
