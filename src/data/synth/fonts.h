// Fonts of this machine. One thread of the process at a time: synth_workers.h says why.
#pragma once

#include <pango/pango.h>

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "data/synth/page_list.h"
#include "data/synth/style.h"

namespace galen {

class FontSource {
 public:
  FontSource();
  FontSource(const FontSource&) = delete;
  FontSource& operator=(const FontSource&) = delete;

  // The families of kFontFamilies that are installed, in that order. NotFound, naming the packages:
  // none of the set.
  Result<std::vector<FontFamily>> Installed(SynthSet set) const;

  // Text in points, glyphs at exact places: the same widths at every resolution.
  LayoutPtr Layout(const std::string& text, const std::string& family, double size, bool bold);

 private:
  std::unique_ptr<PangoFontMap, UnrefObject> map_;
  std::unique_ptr<PangoContext, UnrefObject> context_;
};

}  // namespace galen
