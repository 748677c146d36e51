#include "tools/simulate/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace syntropy {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Chart, DrawsEachLineOfEachPanelAndEscapesNames) {
  const std::string svg = render_svg(
      "A & B", "nodes",
      {{"rounds", "n", {{"a<b", {{10, 1}, {100, 3}}}}}, {"bytes", "B", {{"a<b", {{10, 5}}}}}}, 2);
  EXPECT_THAT(svg, HasSubstr("A &amp; B"));
  EXPECT_THAT(svg, HasSubstr("a&lt;b"));
  EXPECT_THAT(svg, HasSubstr(">100<"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  size_t circles = 0;
  for (size_t at = svg.find("<circle"); at != std::string::npos; at = svg.find("<circle", at + 1)) {
    ++circles;
  }
  EXPECT_EQ(circles, 3u);
}

TEST(Chart, LeavesOutWhatHasNoLogarithm) {
  const std::string svg = render_svg("t", "x", {{"p", "y", {{"l", {{0, 1}, {-1, 2}}}}}}, 1);
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("<circle")));
}

TEST(Chart, OfNothingIsAPage) { EXPECT_THAT(render_svg("t", "x", {}, 0), HasSubstr("</svg>")); }

}  // namespace
}  // namespace syntropy
