// One page: each source page with the boxes of its values, the values with their verdicts beside.
// No script, nothing that loads from elsewhere, all text escaped; a click on a value shows its box.
#include <algorithm>
#include <cstdio>
#include <span>

#include "base/base64.h"
#include "base/sha256.h"
#include "extract/output/display_order.h"
#include "extract/output/fhir_values.h"
#include "extract/output/output.h"
#include "media/image/png_writer.h"

namespace galen::extract {
namespace {

constexpr std::string_view kStyle = R"css(
body{font:14px/1.4 system-ui,sans-serif;margin:0 1rem 2rem;color:#1a1a1a;background:#fff}
h1{font-size:1.3rem}h2{font-size:1.05rem;margin:1.5rem 0 .4rem}
.page{display:grid;grid-template-columns:minmax(0,1fr) minmax(22rem,1fr);gap:1rem;align-items:start}
.source{position:sticky;top:.5rem;border:1px solid #999;max-height:96vh;overflow:auto}
svg{display:block;width:100%;height:auto}
rect{fill:none;stroke-width:1.5;vector-effect:non-scaling-stroke}
rect.ok{stroke:#1b7f3b}rect.note{stroke:#a15c00}rect.flag{stroke:#c00020;stroke-width:2.5}
rect:target{fill:#ffd54d;fill-opacity:.45}
table{border-collapse:collapse;width:100%}
td,th{border-bottom:1px solid #ddd;padding:.2rem .4rem;text-align:left;vertical-align:top}
tr.flag td:first-child{border-left:4px solid #c00020}tr.note td:first-child{border-left:4px solid #e0a000}
tr.ok td:first-child{border-left:4px solid #1b7f3b}
.path{color:#555;font-size:.85em;word-break:break-all}.value{font-weight:600;word-break:break-word}
.v-ok{color:#1b7f3b}.v-note{color:#a15c00}.v-flag{color:#c00020;font-weight:600}
small{color:#555}
@media(max-width:60rem){.page{grid-template-columns:1fr}.source{position:static}}
)css";

// The digest that a Content-Security-Policy names an allowed style by.
std::string StyleDigest() {
  const std::string hex =
      Sha256Hex({reinterpret_cast<const uint8_t*>(kStyle.data()), kStyle.size()});
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  }
  return EncodeBase64(bytes);
}

std::string Escaped(std::string_view text) { return fhir::EscapeXhtml(text); }

std::string ShortNumber(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.5g", value);
  return text;
}

const char* Worst(const Value& value) {
  return value.Has(Level::kFlag) ? "flag" : value.Has(Level::kNote) ? "note" : "ok";
}

class HtmlWriter {
 public:
  HtmlWriter(const Extraction& e, const OutputOptions& options, const HtmlOptions& html)
      : e_(e), options_(options), html_(html), groups_(DisplayGroups(e.answer)) {}

  Result<std::string> Write() {
    Head();
    Unplaced();
    int64_t pictures = 0;
    for (size_t page = 0; page < e_.source->pages().size(); ++page) {
      const bool any = HasValues(page);
      if (!any && e_.source->pages().size() > static_cast<size_t>(html_.max_pictures)) continue;
      RETURN_IF_ERROR(Page(page, pictures < html_.max_pictures));
      ++pictures;
    }
    out_ += "</body></html>\n";
    return std::move(out_);
  }

 private:
  void Head() {
    out_ +=
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src "
        "data:; style-src 'sha256-" +
        StyleDigest() +
        "'; base-uri 'none'; form-action 'none'\">\n"
        "<meta name=\"referrer\" content=\"no-referrer\">\n<title>" +
        Escaped(e_.kind->title) + "</title><style>" + std::string(kStyle) +
        "</style></head><body>\n<h1>" + Escaped(e_.kind->title) + "</h1>\n<p>" +
        std::to_string(e_.CountStated()) + " values, <span class=\"v-flag\">" +
        std::to_string(e_.Count(Level::kFlag)) + " to be looked at</span>, " +
        std::to_string(e_.Count(Level::kNote)) + " with notes. Read by ";
    for (size_t i = 0; i < e_.readers.size(); ++i) {
      out_ += (i > 0 ? " and " : "") + Escaped(e_.readers[i].model);
    }
    out_ += ", galen " + Escaped(options_.version) + ", " + Escaped(options_.written) +
            ". Nobody has confirmed it.</p>\n";
    if (!e_.verdicts.empty() || !e_.warnings.empty()) {
      out_ += "<ul>";
      for (const Verdict& verdict : e_.verdicts) out_ += "<li>" + VerdictHtml(verdict) + "</li>";
      for (const std::string& text : e_.warnings) out_ += "<li>" + Escaped(text) + "</li>";
      out_ += "</ul>\n";
    }
  }

  static std::string VerdictHtml(const Verdict& verdict) {
    std::string html = "<span class=\"v-" + std::string(LevelName(verdict.level)) + "\">" +
                       Escaped(verdict.id) + "</span> " + Escaped(verdict.message);
    if (!verdict.rule.empty()) html += " <small>[" + Escaped(verdict.rule) + "]</small>";
    return html;
  }

  // The values that are shown beside a page: those that stand there, and with each record those
  // that stand nowhere, such as a flag that follows from value and reference.
  std::vector<size_t> RowsOf(size_t page) const {
    std::vector<size_t> rows;
    for (const DisplayGroup& group : groups_) {
      for (const size_t i : group.values) {
        const Value& value = e_.answer.values[i];
        if (value.evidence ? value.evidence->span.page == page
                           : group.page == page && !value.verdicts.empty()) {
          rows.push_back(i);
        }
      }
    }
    return rows;
  }

  bool HasValues(size_t page) const { return !RowsOf(page).empty(); }

  void Row(size_t index) {
    const Value& value = e_.answer.values[index];
    const Json& json = value.leaf.value;
    const std::string text = json.is_string()         ? json.get<std::string>()
                             : value.leaf.raw.empty() ? json.dump()
                                                      : value.leaf.raw;
    out_ += "<tr class=\"" + std::string(Worst(value)) + "\"><td><div class=\"value\">";
    if (value.evidence) out_ += "<a href=\"#b" + std::to_string(index) + "\">";
    out_ += Escaped(text);
    if (value.evidence) out_ += "</a>";
    out_ += "</div><div class=\"path\">" + Escaped(value.leaf.path) + "</div></td><td>";
    if (!value.converted.empty()) {
      out_ += "<div>= " + Escaped(value.converted) + " " + Escaped(value.converted_unit) + "</div>";
    }
    if (value.other) {
      out_ += "<div>second reader: " +
              Escaped(value.other->is_string() ? value.other->get<std::string>()
                                               : value.other->dump()) +
              "</div>";
    }
    for (const Verdict& verdict : value.verdicts) out_ += "<div>" + VerdictHtml(verdict) + "</div>";
    out_ += "</td><td>";
    if (value.confidence) out_ += ShortNumber(100 * value.confidence->mean) + "&nbsp;%";
    out_ += "</td></tr>\n";
  }

  void Table(const std::vector<size_t>& rows) {
    out_ += "<table><tr><th>value</th><th>checks</th><th>confidence</th></tr>\n";
    for (const size_t row : rows) Row(row);
    out_ += "</table>\n";
  }

  void Unplaced() {
    std::vector<size_t> rows;
    for (const DisplayGroup& group : groups_) {
      if (group.page) continue;
      for (const size_t i : group.values) {
        if (!e_.answer.values[i].verdicts.empty()) rows.push_back(i);
      }
    }
    if (rows.empty()) return;
    out_ += "<h2>Without a place on the pages</h2>\n";
    Table(rows);
  }

  Status Page(size_t index, bool picture) {
    const SourcePage& page = e_.source->pages()[index];
    out_ += "<h2>" + Escaped(page.file) + ", page " + std::to_string(page.number) +
            "</h2>\n<div class=\"page\"><div class=\"source\"><svg viewBox=\"0 0 " +
            ShortNumber(page.width) + " " + ShortNumber(page.height) + "\">";
    if (picture) {
      ASSIGN_OR_RETURN(const Case::Picture drawn, e_.source->Draw(index, html_.dpi));
      ASSIGN_OR_RETURN(const std::vector<uint8_t> png, EncodePng(drawn.image));
      out_ += "<image width=\"" + ShortNumber(page.width) + "\" height=\"" +
              ShortNumber(page.height) + "\" href=\"data:image/png;base64," + EncodeBase64(png) +
              "\"/>";
    }
    const std::vector<size_t> rows = RowsOf(index);
    for (const size_t i : rows) {
      const Value& value = e_.answer.values[i];
      if (!value.evidence) continue;
      const Box& box = value.evidence->span.box;
      out_ += "<rect id=\"b" + std::to_string(i) + "\" class=\"" + Worst(value) + "\" x=\"" +
              ShortNumber(box.x0) + "\" y=\"" + ShortNumber(box.y0) + "\" width=\"" +
              ShortNumber(std::max(box.x1 - box.x0, 0.0)) + "\" height=\"" +
              ShortNumber(std::max(box.y1 - box.y0, 0.0)) + "\"/>";
    }
    out_ += "</svg></div><div>";
    Table(rows);
    out_ += "</div></div>\n";
    return OkStatus();
  }

  const Extraction& e_;
  const OutputOptions& options_;
  const HtmlOptions html_;
  const std::vector<DisplayGroup> groups_;
  std::string out_;
};

}  // namespace

Result<std::string> ToHtml(const Extraction& extraction, const OutputOptions& options,
                           const HtmlOptions& html) {
  return HtmlWriter(extraction, options, html).Write();
}

}  // namespace galen::extract
