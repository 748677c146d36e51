#include "membership/heartbeat.h"

#include <gtest/gtest.h>

namespace syntropy {
namespace {

/// Two ends and a clock; messages arrive `delay` after they were sent.
struct Pair {
  Heartbeat a{100, 1'000};
  Heartbeat b{500, 1'000};
  TimeMs now = 1'000;

  void from_a(TimeMs delay = 5) {
    const auto sent = a.next(now);
    now += delay;
    b.receive(sent.seq, sent.seen, false, now);
  }
  void from_b(TimeMs delay = 5) {
    const auto sent = b.next(now);
    now += delay;
    a.receive(sent.seq, sent.seen, false, now);
  }
};

TEST(Heartbeat, AnAnsweredMessageProvesThePath) {
  Pair pair;
  EXPECT_FALSE(pair.a.ever_heard());
  EXPECT_EQ(pair.a.heard_at(), 1'000u);
  pair.from_a();
  EXPECT_FALSE(pair.b.ever_heard());  // it has heard from a; not that a hears it
  pair.from_b();
  EXPECT_TRUE(pair.a.ever_heard());
  EXPECT_EQ(pair.a.heard_at(), 1'010u);
  pair.from_a();
  EXPECT_TRUE(pair.b.ever_heard());
  EXPECT_EQ(pair.b.heard_at(), 1'015u);
}

TEST(Heartbeat, ADeafNeighbourThatStillSendsFallsSilent) {
  Pair pair;
  pair.from_a();
  pair.from_b();
  pair.from_a();
  const TimeMs heard = pair.b.heard_at();
  for (int i = 0; i < 10; ++i) {
    pair.now += 200;
    pair.b.next(pair.now);  // lost: a hears nothing
    pair.from_a();
  }
  EXPECT_EQ(pair.b.heard_at(), heard);
}

TEST(Heartbeat, TheLeaseNeverOutlastsTheNeighboursPatience) {
  // Whatever is lost: a's idea of when b last heard it is never later than b's.
  for (uint32_t pattern = 0; pattern < 4'096; ++pattern) {
    Pair pair;
    for (uint32_t bit = 0; bit < 12; ++bit) {
      const bool lost = (pattern >> bit & 1) != 0;
      pair.now += 20;
      if (bit % 2 == 0) {
        if (lost) {
          pair.a.next(pair.now);
        } else {
          pair.from_a();
        }
      } else if (lost) {
        pair.b.next(pair.now);
      } else {
        pair.from_b();
      }
      if (pair.a.lease_from() != 0) {
        ASSERT_TRUE(pair.b.ever_heard()) << pattern;
        ASSERT_LE(pair.a.lease_from(), pair.b.heard_at()) << pattern;
      }
      if (pair.b.lease_from() != 0) {
        ASSERT_LE(pair.b.lease_from(), pair.a.heard_at()) << pattern;
      }
    }
    if (pattern == 0) {
      EXPECT_NE(pair.a.lease_from(), 0u);
      EXPECT_NE(pair.b.lease_from(), 0u);
    }
  }
}

TEST(Heartbeat, TheLeaseRunsFromWhenTheSeenWasFirstSent) {
  Pair pair;
  pair.from_a();
  pair.from_b();
  pair.now = 2'000;
  pair.a.next(pair.now);  // shows b's number for the first time, and is lost
  pair.now = 2'300;
  pair.from_a();
  pair.from_b();
  // b may have heard the first one.
  EXPECT_EQ(pair.a.lease_from(), 2'000u);
}

TEST(Heartbeat, WhoDoesNotWatchUsIsPatientFromThenOn) {
  Heartbeat a(100, 1'000);
  const auto sent = a.next(1'200);
  EXPECT_TRUE(a.receive(0, sent.seq, false, 1'230).heard);
  EXPECT_EQ(a.lease_from(), 1'200u);
  EXPECT_EQ(a.next(1'300).seen, 0u);
}

TEST(Heartbeat, OldAndForeignNumbersProveNothing) {
  Heartbeat a(100, 1'000);
  EXPECT_FALSE(a.receive(7, 100, false, 1'100).heard);  // never sent
  const auto first = a.next(1'100);
  EXPECT_FALSE(a.receive(7, first.seq + 1, false, 1'100).heard);  // not sent yet
  EXPECT_TRUE(a.receive(8, first.seq, false, 1'150).heard);
  EXPECT_FALSE(a.receive(8, first.seq, false, 1'160).heard);  // a second time
  const auto stale = a.next(1'200);
  for (uint32_t i = 0; i < Heartbeat::kWindow; ++i) a.next(1'300 + i);
  EXPECT_FALSE(a.receive(9, stale.seq, false, 1'500).heard);  // too long ago
  EXPECT_EQ(a.heard_at(), 1'150u);
}

TEST(Heartbeat, FindsARestartedNeighbourAgain) {
  Pair pair;
  for (int i = 0; i < 100; ++i) {
    pair.from_a();
    pair.from_b();
  }
  pair.b = Heartbeat(7, pair.now);  // lower numbers than before
  const TimeMs restarted = pair.now;
  for (int i = 0; i < 2; ++i) {
    pair.from_a();
    pair.from_b();
  }
  EXPECT_GT(pair.a.heard_at(), restarted);
  EXPECT_TRUE(pair.b.ever_heard());
  EXPECT_LE(pair.a.lease_from(), pair.b.heard_at());
}

TEST(Heartbeat, AStragglerDoesNotTurnBackTheNumbers) {
  Heartbeat a(100, 1'000);
  a.receive(50, 0, false, 1'000);
  a.receive(52, 0, false, 1'001);
  a.receive(51, 0, false, 1'002);
  EXPECT_EQ(a.next(1'003).seen, 52u);
}

TEST(Heartbeat, CountsWhatIsMissing) {
  Heartbeat a(100, 1'000);
  EXPECT_FALSE(a.receive(50, 0, false, 1'000).in_order);  // the first: nothing to compare with
  const auto next = a.receive(51, 0, false, 1'001);
  EXPECT_TRUE(next.in_order);
  EXPECT_EQ(next.missing, 0u);
  EXPECT_EQ(a.receive(54, 0, false, 1'002).missing, 2u);
  EXPECT_FALSE(a.receive(53, 0, false, 1'003).in_order);
  EXPECT_FALSE(a.receive(5'000, 0, false, 1'004).in_order);  // a restart, no loss
}

TEST(Heartbeat, IsHeardWithoutALeaseWhereThatIsWithheld) {
  Heartbeat a(100, 1'000);
  const auto first = a.next(1'000);
  a.receive(50, first.seq, true, 1'010);
  const auto second = a.next(1'020);
  EXPECT_TRUE(a.receive(51, second.seq, true, 1'030).heard);
  EXPECT_EQ(a.heard_at(), 1'030u);
  EXPECT_EQ(a.lease_from(), 0u);
  const auto third = a.next(1'040);
  a.receive(52, third.seq, false, 1'050);
  EXPECT_EQ(a.lease_from(), 1'040u);
}

TEST(Heartbeat, ListensAnewWhenTold) {
  Heartbeat a(100, 1'000);
  a.listen_from(5'000);
  EXPECT_EQ(a.heard_at(), 5'000u);
  EXPECT_FALSE(a.ever_heard());
}

}  // namespace
}  // namespace syntropy
