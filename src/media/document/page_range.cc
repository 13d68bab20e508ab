#include "media/document/page_range.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <unordered_set>

namespace galen {
namespace {

Status BadRange(std::string_view part) {
  return InvalidArgument("cannot read '" + std::string(part.substr(0, 40)) +
                         "' as pages; write for example 1-3,7 or 2-");
}

std::string_view Trim(std::string_view s) {
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}

// A whole number from 1 and nothing else.
bool ParseNumber(std::string_view s, int64_t* number) {
  if (s.empty() || s.front() < '0' || s.front() > '9') return false;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), *number);
  return error == std::errc() && end == s.data() + s.size();
}

}  // namespace

Result<std::vector<int64_t>> ParsePageRange(std::string_view text, int64_t num_pages,
                                            int64_t max_pages) {
  std::vector<int64_t> pages;
  std::unordered_set<int64_t> seen;
  if (Trim(text).empty()) text = "1-";
  while (true) {
    const size_t comma = text.find(',');
    const std::string_view part = Trim(text.substr(0, comma));
    const size_t dash = part.find('-');
    int64_t first = 0;
    if (!ParseNumber(Trim(part.substr(0, dash)), &first)) return BadRange(part);
    int64_t last = first;
    if (dash != part.npos) {
      const std::string_view end = Trim(part.substr(dash + 1));
      last = num_pages;
      if (!end.empty() && !ParseNumber(end, &last)) return BadRange(part);
    }
    if (first < 1 || std::max(first, last) > num_pages) {
      return InvalidArgument("pages " + std::string(part.substr(0, 40)) +
                             ": there are pages 1 to " + std::to_string(num_pages));
    }
    if (last < first) return BadRange(part);
    for (int64_t page = first; page <= last; ++page) {
      if (!seen.insert(page).second) continue;
      if (static_cast<int64_t>(pages.size()) >= max_pages) {
        return ResourceExhausted("more than " + std::to_string(max_pages) +
                                 " pages; choose some with --pages");
      }
      pages.push_back(page);
    }
    if (comma == text.npos) return pages;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace galen
