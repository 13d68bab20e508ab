// Which language a page speaks, told from words that one of them has and the others have not.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "media/document/text_layer.h"

namespace galen::extract {

// One of `languages` ("eng+fra+deu", as Tesseract's -l takes them) if at least three different
// words are its own and it has twice as many as any other of them; empty: not to be told. Words may
// have been read as another language's: letters that are not of A to Z count as what they derive
// from, or not at all. Words: configs/extract/languages.json.
std::string PageLanguage(std::span<const PageWord> words, std::string_view languages);

}  // namespace galen::extract
