// Lays a document out on pages.
#pragma once

#include <vector>

#include "data/synth/document.h"
#include "data/synth/fonts.h"
#include "data/synth/page_list.h"
#include "data/synth/style.h"

namespace galen {

struct ComposeOptions {
  // Smaller letters (down to a half) until all is on one page. What does not fit even so goes onto
  // further pages.
  bool one_page = false;
  // Width through height of the page; 0: the style's page, or for strips as high as the rows.
  double aspect = 0;
  // A fax machine's line at the top.
  bool fax_line = false;
};

// Pages count from 0; at least one. The same arguments and fonts give the same pages.
std::vector<PageList> ComposePages(const SynthDocument& document, const SynthStyle& style,
                                   const ComposeOptions& options, FontSource* fonts,
                                   Random* random);

}  // namespace galen
