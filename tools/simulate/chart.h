// Charts as SVG text: lines over a logarithmic x axis, several panels on a page.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <vector>

namespace syntropy {

struct ChartLine {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x > 0
};

struct ChartPanel {
  std::string title;
  std::string y_label;
  std::vector<ChartLine> lines;
};

/// A page with the panels side by side, `columns` in a row, under `title`; all share the x axis.
/// Lines of the same rank have the same colour in all panels; the first panel shows the legend.
/// Panels without points, or with x values that aren't positive, show empty axes.
std::string render_svg(const std::string& title, const std::string& x_label,
                       const std::vector<ChartPanel>& panels, size_t columns);

}  // namespace syntropy
