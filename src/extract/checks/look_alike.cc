#include "extract/checks/look_alike.h"

#include <utility>

namespace galen::extract {
namespace {

constexpr int kMostChanges = 2;
constexpr size_t kShortest = 3, kLongest = 24;

// Printed, read. Of the folded "µ", of superscripts, strokes, and what runs together.
constexpr std::pair<std::string_view, std::string_view> kAlike[] = {
    {"u", "p"},   {"u", "y"},   {"u", "j"},   {"u", "h"},  {"u", "H"},  {"u", "n"},  {"u", "|"},
    {"u", "4"},   {"u", "y1"},  {"u", "ji"},  {"l", "1"},  {"l", "I"},  {"l", "|"},  {"l", "i"},
    {"l", "!"},   {"L", "l"},   {"L", "1"},   {"L", "I"},  {"L", "|"},  {"L", "i"},  {"L", "t"},
    {"L", "U"},   {"L", "/"},   {"/", ""},    {"/", "l"},  {"/", "I"},  {"/", "1"},  {"/", "|"},
    {"/", "f"},   {"/L", "V"},  {"m", "rn"},  {"m", "nn"}, {"m", "in"}, {"o", "0"},  {"o", "a"},
    {"0", "o"},   {"0", "O"},   {"9", "°"},   {"9", "%"},  {"9", "g"},  {"9", "?"},  {"9", "'"},
    {"9", "\""},  {"9", "”"},   {"9", "’"},   {"9", ""},   {"12", "'"}, {"12", "”"}, {"12", "?"},
    {"12", "\""}, {"12", "’?"}, {"12", "'?"}, {"g", "q"},  {"g", "9"},  {"d", "cl"}, {"U", "u"},
    {"k", "K"},   {"h", "n"},   {"fL", "fl"}, {"%", "9%"}, {"%", "Y"}};

bool Alike(std::string_view printed, std::string_view read, int changes) {
  while (!printed.empty() && !read.empty() && printed[0] == read[0]) {
    // What is equal may still be the beginning of a pair: "/L" read as "L".
    for (const auto& [from, to] : kAlike) {
      if (changes < kMostChanges && printed.starts_with(from) && read.starts_with(to) &&
          Alike(printed.substr(from.size()), read.substr(to.size()), changes + 1)) {
        return true;
      }
    }
    printed.remove_prefix(1);
    read.remove_prefix(1);
  }
  if (printed.empty() && read.empty()) return changes > 0;
  if (changes == kMostChanges) return false;
  for (const auto& [from, to] : kAlike) {
    if (printed.starts_with(from) && read.starts_with(to) &&
        Alike(printed.substr(from.size()), read.substr(to.size()), changes + 1)) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool LooksLikeUnit(std::string_view printed, std::string_view read) {
  if (printed.size() < kShortest || printed.size() > kLongest || read.size() > 2 * kLongest ||
      printed == read)
    return false;
  return Alike(printed, read, 0);
}

}  // namespace galen::extract
