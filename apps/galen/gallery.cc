#include "gallery.h"

namespace galen::cli {
namespace {

std::string Escaped(const std::string& text) {
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
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string Figure(const SeenImage& seen, const std::string& png, const std::string& title) {
  return "<figure><a href=\"" + Escaped(png) + "\"><img loading=\"lazy\" src=\"" + Escaped(png) +
         "\" alt=\"" + Escaped(title) + "\"></a><figcaption><b>" + Escaped(title) + "</b> " +
         std::to_string(seen.image.width) + "&times;" + std::to_string(seen.image.height) + "<br>" +
         Escaped(seen.source) + "</figcaption></figure>\n";
}

constexpr const char* kHead =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>What the model "
    "sees</title>\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src 'self' "
    "file:; style-src 'unsafe-inline'\">\n"
    "<style>body{font:15px/1.4 "
    "sans-serif;margin:2em;max-width:80em}main{display:flex;flex-wrap:wrap;gap:1em}"
    "figure{margin:0;width:15em}figcaption{font-size:13px;overflow-wrap:anywhere}img{width:100%;"
    "background:#888}"
    "pre{background:#eee;padding:1em;white-space:pre-wrap}th{text-align:left;padding-right:1em;"
    "vertical-align:top}"
    ".warning{background:#fd6;padding:.3em .6em;margin:.2em 0}</style></head><body>\n";

}  // namespace

std::string GalleryPage(const MediaInput& input, const std::vector<std::string>& pngs,
                        const std::vector<std::string>& overviews) {
  std::string page = kHead;
  page += "<h1>What the model sees</h1>\n<p>Recipe <b>" + Escaped(input.recipe) + "</b> version " +
          Escaped(input.recipe_version) + " &ndash; " + Escaped(input.recipe_source) +
          "</p>\n<table>\n";
  for (const auto& [name, value] : input.facts) {
    page += "<tr><th>" + Escaped(name) + "</th><td>" + Escaped(value) + "</td></tr>\n";
  }
  page += "<tr><th>digest</th><td>" + Escaped(input.digest) + "</td></tr>\n</table>\n";
  for (const std::string& warning : input.warnings) {
    page += "<p class=\"warning\">" + Escaped(warning) + "</p>\n";
  }
  if (!input.system.empty())
    page += "<h2>System text</h2>\n<pre>" + Escaped(input.system) + "</pre>\n";
  page += "<h2>Prompt</h2>\n<pre>" + Escaped(PromptForPeople(input)) + "</pre>\n";
  if (!overviews.empty()) page += "<h2>For people only</h2>\n<main>\n";
  for (size_t i = 0; i < overviews.size(); ++i)
    page += Figure(input.overviews[i], overviews[i], "overview");
  if (!overviews.empty()) page += "</main>\n";
  page += "<h2>Images</h2>\n<main>\n";
  for (size_t i = 0; i < pngs.size(); ++i) {
    page += Figure(input.images[i], pngs[i], "image " + std::to_string(i + 1));
  }
  return page + "</main>\n</body></html>\n";
}

}  // namespace galen::cli
