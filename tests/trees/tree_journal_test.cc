#include "server/trees/tree_journal.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "tests/support/temp_dir.h"

namespace syntropy::testing {
namespace {

using Killed = RowChangeListener::Killed;

std::vector<MarkChange> changes_of(uint64_t commit, size_t count) {
  std::vector<MarkChange> changes;
  for (size_t i = 0; i < count; ++i) changes.push_back({{commit, i}, {commit + 1, i}});
  return changes;
}

void append(TreeJournal& journal, uint64_t commit, size_t count) {
  journal.append({commit, Killed::kNone, 1, changes_of(commit, count)});
}

// The commits that a journal has, with how many changes each.
std::map<uint64_t, size_t> read(const std::string& dir, uint64_t after, uint64_t last,
                                StatusCode expected = StatusCode::kOk) {
  TreeJournal journal(dir);
  std::map<uint64_t, size_t> seen;
  const Status status = journal.replay(after, last, [&](const TreeCommit& commit) {
    seen[commit.commit] = commit.changes.size();
    const std::vector<MarkChange> wanted = changes_of(commit.commit, commit.changes.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_EQ(commit.changes[i].before, wanted[i].before);
      EXPECT_EQ(commit.changes[i].after, wanted[i].after);
    }
  });
  EXPECT_TRUE(expected == StatusCode::kOk ? status.ok() : status.is(expected)) << status.message();
  return seen;
}

TEST(TreeJournal, GivesBackWhatItTook) {
  const TempDir dir;
  {
    TreeJournal journal(dir.path());
    // Several windows, records across their ends, one larger than a window.
    for (uint64_t commit = 1; commit <= 300; ++commit) append(journal, commit, commit * 7 % 600);
    append(journal, 301, 100'000);
    ASSERT_TRUE(journal.status().ok()) << journal.status().message();
  }
  EXPECT_EQ(read(dir.path(), 0, 301).size(), 301u);
  EXPECT_EQ(read(dir.path(), 299, 301), (std::map<uint64_t, size_t>{{300, 300}, {301, 100'000}}));
}

TEST(TreeJournal, DropsWhatTheStoreDoesNotHave) {
  const TempDir dir;
  {
    TreeJournal journal(dir.path());
    for (uint64_t commit = 1; commit <= 9; ++commit) append(journal, commit, 1);
    journal.begin_file();
    append(journal, 10, 1);
  }
  EXPECT_EQ(read(dir.path(), 0, 5).size(), 5u);
  // The next life writes other commits in their place.
  {
    TreeJournal journal(dir.path());
    append(journal, 6, 2);
    append(journal, 7, 2);
  }
  EXPECT_EQ(read(dir.path(), 5, 7), (std::map<uint64_t, size_t>{{6, 2}, {7, 2}}));
  EXPECT_EQ(read(dir.path(), 5, 9, StatusCode::kIncomplete).size(), 2u);
}

TEST(TreeJournal, TakesBackTheLastCommit) {
  const TempDir dir;
  {
    TreeJournal journal(dir.path());
    append(journal, 1, 3);
    append(journal, 2, 3);
    journal.undo();
    append(journal, 2, 1);
  }
  EXPECT_EQ(read(dir.path(), 0, 2), (std::map<uint64_t, size_t>{{1, 3}, {2, 1}}));
}

TEST(TreeJournal, ForgetsFilesThatAreSaved) {
  const TempDir dir;
  TreeJournal journal(dir.path());
  append(journal, 1, 10);
  journal.begin_file();
  append(journal, 2, 10);
  append(journal, 3, 10);
  journal.begin_file();
  append(journal, 4, 10);
  journal.forget(2);  // the file of 2 holds 3 as well
  EXPECT_EQ(read(dir.path(), 1, 4).size(), 3u);
  journal.forget(3);
  EXPECT_EQ(read(dir.path(), 3, 4).size(), 1u);
  EXPECT_EQ(read(dir.path(), 2, 4, StatusCode::kIncomplete).size(), 0u);
}

TEST(TreeJournal, NoticesThatItHasNoRoom) {
  TreeJournal journal("/nonexistent");
  append(journal, 1, 1);
  EXPECT_FALSE(journal.status().ok());
  append(journal, 2, 1);
  journal.undo();
}

}  // namespace
}  // namespace syntropy::testing
