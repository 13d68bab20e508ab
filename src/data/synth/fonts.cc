#include "data/synth/fonts.h"

#include <pango/pangocairo.h>

#include <algorithm>
#include <set>

#if defined(__SANITIZE_ADDRESS__)
// fontconfig 2.14 keeps some hundred bytes for the life of the process that nothing points to.
extern "C" const char* __lsan_default_suppressions() { return "leak:libfontconfig\n"; }
#endif

namespace galen {

FontSource::FontSource() : map_(pango_cairo_font_map_new()) {
  pango_cairo_font_map_set_resolution(PANGO_CAIRO_FONT_MAP(map_.get()), 72);
  context_.reset(pango_font_map_create_context(map_.get()));
  pango_context_set_round_glyph_positions(context_.get(), FALSE);
  cairo_font_options_t* options = cairo_font_options_create();
  cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
  cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
  pango_cairo_context_set_font_options(context_.get(), options);
  cairo_font_options_destroy(options);
}

Result<std::vector<FontFamily>> FontSource::Installed(SynthSet set) const {
  PangoFontFamily** families = nullptr;
  int count = 0;
  pango_font_map_list_families(map_.get(), &families, &count);
  std::set<std::string> names;
  for (int i = 0; i < count; ++i) names.insert(pango_font_family_get_name(families[i]));
  g_free(families);
  std::vector<FontFamily> installed;
  for (const FontFamily& family : kFontFamilies) {
    if (set != SynthSet::kAll && family.held_out != (set == SynthSet::kHeldOut)) continue;
    if (names.count(std::string(family.name)) > 0) installed.push_back(family);
  }
  if (!installed.empty()) return installed;
  return NotFound(std::string("none of the fonts of this set is installed; install Debian's ") +
                  (set == SynthSet::kHeldOut
                       ? "fonts-lato, fonts-crosextra-caladea, fonts-linuxlibertine"
                       : "fonts-dejavu, fonts-liberation, fonts-freefont-ttf"));
}

LayoutPtr FontSource::Layout(const std::string& text, const std::string& family, double size,
                             bool bold) {
  LayoutPtr layout(pango_layout_new(context_.get()));
  PangoFontDescription* font = pango_font_description_new();
  pango_font_description_set_family_static(font, family.c_str());
  pango_font_description_set_absolute_size(font, size * PANGO_SCALE);
  if (bold) pango_font_description_set_weight(font, PANGO_WEIGHT_BOLD);
  pango_layout_set_font_description(layout.get(), font);  // copies it
  pango_font_description_free(font);
  pango_layout_set_text(layout.get(), text.data(), static_cast<int>(text.size()));
  return layout;
}

}  // namespace galen
