#include "tools/simulate/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace syntropy {
namespace {

constexpr double kPanelWidth = 360;
constexpr double kPanelHeight = 260;
constexpr double kLeft = 56;
constexpr double kRight = 14;
constexpr double kTop = 34;
constexpr double kBottom = 44;
constexpr double kHeader = 40;
constexpr double kLegendRow = 16;
// Told apart by people who don't see red and green apart (Okabe and Ito, 2008).
constexpr std::string_view kColours[] = {"#0072B2", "#D55E00", "#009E73",
                                         "#CC79A7", "#E69F00", "#56B4E9"};

struct Range {
  double low = 0;
  double high = 1;
};

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

Range x_range(const std::vector<ChartPanel>& panels) {
  double low = INFINITY;
  double high = 0;
  for (const ChartPanel& panel : panels) {
    for (const ChartLine& line : panel.lines) {
      for (const auto& [x, y] : line.points) {
        if (x <= 0) continue;
        low = std::min(low, x);
        high = std::max(high, x);
      }
    }
  }
  if (high == 0) return {0, 1};
  return {std::floor(std::log10(low)),
          std::max(std::ceil(std::log10(high)), std::floor(std::log10(low)) + 1)};
}

// A step of 1, 2 or 5 times a power of ten, of which about five make up `span`.
double tick_step(double span) {
  const double power = std::pow(10, std::floor(std::log10(span / 5)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (span / (power * factor) <= 6) return power * factor;
  }
  return power * 10;
}

double y_top(const ChartPanel& panel) {
  double high = 0;
  for (const ChartLine& line : panel.lines) {
    for (const auto& [x, y] : line.points) high = std::max(high, y);
  }
  if (high <= 0) return 1;
  const double step = tick_step(high);
  return std::ceil(high / step) * step;
}

class PanelWriter {
 public:
  PanelWriter(double left, double top, Range x, double y_high, std::string& out)
      : left_(left + kLeft), top_(top + kTop), x_(x), y_high_(y_high), out_(out) {}

  void write(const ChartPanel& panel, const std::string& x_label) {
    text(left_ + width() / 2, top_ - 12, "middle", 13, panel.title);
    axes(panel.y_label, x_label);
    for (size_t i = 0; i < panel.lines.size(); ++i) line(panel.lines[i], colour(i));
  }

  static std::string_view colour(size_t rank) { return kColours[rank % std::size(kColours)]; }

 private:
  static double width() { return kPanelWidth - kLeft - kRight; }
  static double height() { return kPanelHeight - kTop - kBottom; }
  double at_x(double x) const {
    return left_ + width() * (std::log10(x) - x_.low) / (x_.high - x_.low);
  }
  double at_y(double y) const { return top_ + height() * (1 - y / y_high_); }

  void text(double x, double y, std::string_view anchor, int size, std::string_view words) {
    out_ += fmt::format(
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" font-size=\"{}\">{}</text>\n", x, y,
        anchor, size, escape(words));
  }

  void axes(const std::string& y_label, const std::string& x_label) {
    const double step = tick_step(y_high_);
    for (double y = 0; y <= y_high_ * 1.001; y += step) {
      out_ += fmt::format("<path d=\"M{:.1f} {:.1f}h{:.1f}\" stroke=\"#ddd\" fill=\"none\"/>\n",
                          left_, at_y(y), width());
      text(left_ - 6, at_y(y) + 4, "end", 11, fmt::format("{:g}", y));
    }
    for (double power = x_.low; power <= x_.high; ++power) {
      const double x = at_x(std::pow(10, power));
      out_ += fmt::format("<path d=\"M{:.1f} {:.1f}v5\" stroke=\"#333\" fill=\"none\"/>\n", x,
                          top_ + height());
      text(x, top_ + height() + 18, "middle", 11, fmt::format("{:.0f}", std::pow(10, power)));
    }
    out_ +=
        fmt::format("<path d=\"M{:.1f} {:.1f}v{:.1f}h{:.1f}\" stroke=\"#333\" fill=\"none\"/>\n",
                    left_, top_, height(), width());
    text(left_ + width() / 2, top_ + height() + 34, "middle", 11, x_label);
    out_ += fmt::format(
        "<text transform=\"translate({:.1f},{:.1f}) rotate(-90)\" text-anchor=\"middle\" "
        "font-size=\"11\">{}</text>\n",
        left_ - 42, top_ + height() / 2, escape(y_label));
  }

  void line(const ChartLine& line, std::string_view colour) {
    std::string path;
    for (const auto& [x, y] : line.points) {
      if (x <= 0) continue;
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? 'M' : 'L', at_x(x), at_y(y));
      out_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"/>\n", at_x(x),
                          at_y(y), colour);
    }
    out_ += fmt::format("<path d=\"{}\" stroke=\"{}\" stroke-width=\"2\" fill=\"none\"/>\n", path,
                        colour);
  }

  double left_;
  double top_;
  Range x_;
  double y_high_;
  std::string& out_;
};

void write_legend(const ChartPanel& panel, double top, std::string& out) {
  for (size_t i = 0; i < panel.lines.size(); ++i) {
    const double x = kLeft + 190 * static_cast<double>(i % 4);
    const double y = top + kLegendRow * static_cast<double>(i / 4);
    out += fmt::format(
        "<path d=\"M{:.1f} {:.1f}h20\" stroke=\"{}\" stroke-width=\"3\"/>"
        "<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"12\">{}</text>\n",
        x, y, PanelWriter::colour(i), x + 26, y + 4, escape(panel.lines[i].name));
  }
}

}  // namespace

std::string render_svg(const std::string& title, const std::string& x_label,
                       const std::vector<ChartPanel>& panels, size_t columns) {
  columns = std::max<size_t>(columns, 1);
  const size_t rows = (panels.size() + columns - 1) / columns;
  const size_t legend_rows = panels.empty() ? 0 : (panels.front().lines.size() + 3) / 4;
  const double header = kHeader + kLegendRow * static_cast<double>(legend_rows);
  const double width = kPanelWidth * static_cast<double>(columns);
  const double height = header + kPanelHeight * static_cast<double>(rows);
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "viewBox=\"0 0 {0:.0f} {1:.0f}\" font-family=\"sans-serif\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
      "<text x=\"{2:.0f}\" y=\"24\" font-size=\"16\">{3}</text>\n",
      width, height, kLeft, escape(title));
  if (!panels.empty()) write_legend(panels.front(), kHeader, out);
  const Range x = x_range(panels);
  for (size_t i = 0; i < panels.size(); ++i) {
    PanelWriter writer(kPanelWidth * static_cast<double>(i % columns),
                       header + kPanelHeight * static_cast<double>(i / columns), x,
                       y_top(panels[i]), out);
    writer.write(panels[i], x_label);
  }
  return out + "</svg>\n";
}

}  // namespace syntropy
