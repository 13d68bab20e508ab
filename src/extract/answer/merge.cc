#include "extract/answer/merge.h"

#include <map>

namespace galen::extract {
namespace {

// Takes over what `into` lacks. Sets where appended items begin, and which paths keep their value.
void MergeJson(const Json& from, const std::string& path, Json* into,
               std::map<std::string, size_t>* bases, std::map<std::string, bool>* kept) {
  if (into->is_object() && from.is_object()) {
    for (const auto& [key, value] : from.items()) {
      const std::string at = path + "/" + key;
      if (!into->contains(key) || (*into)[key].is_null()) {
        (*into)[key] = value;
      } else {
        MergeJson(value, at, &(*into)[key], bases, kept);
      }
    }
  } else if (into->is_array() && from.is_array()) {
    (*bases)[path] = into->size();
    for (const Json& item : from) into->push_back(item);
  } else {
    (*kept)[path] = from.is_null() || *into == from;
  }
}

// The leaf's path in the merged document.
std::string NewPath(const std::string& path, const std::map<std::string, size_t>& bases) {
  for (const auto& [array, base] : bases) {
    if (!path.starts_with(array + "/")) continue;
    const size_t begin = array.size() + 1;
    const size_t end = std::min(path.find('/', begin), path.size());
    const size_t number = std::stoul(path.substr(begin, end - begin)) + base;
    return array + "/" + std::to_string(number) + path.substr(end);
  }
  return path;
}

}  // namespace

void Merge(ParsedAnswer more, const Answer& answer, MergedAnswer* merged) {
  const bool first = merged->bytes == 0;
  std::map<std::string, size_t> bases;
  std::map<std::string, bool> kept;
  if (first) {
    merged->parsed.document = more.document;
    merged->parsed.whole = more.whole;
  } else {
    MergeJson(more.document, "", &merged->parsed.document, &bases, &kept);
    merged->parsed.whole = merged->parsed.whole && more.whole;
  }
  for (Leaf& leaf : more.leaves) {
    leaf.read_at = answer.read_at;
    if (const auto at = kept.find(leaf.path); at != kept.end()) {
      if (!at->second) merged->clash.push_back(leaf.path);
      continue;
    }
    leaf.path = NewPath(leaf.path, bases);
    leaf.begin += merged->bytes;
    leaf.end += merged->bytes;
    // A null of an earlier group gives way.
    std::erase_if(merged->parsed.leaves,
                  [&](const Leaf& old) { return old.path == leaf.path && old.value.is_null(); });
    merged->parsed.leaves.push_back(std::move(leaf));
  }
  for (TokenSpan token : answer.tokens) {
    token.begin += merged->bytes;
    token.end += merged->bytes;
    merged->tokens.push_back(token);
  }
  merged->bytes += answer.text.size();
}

}  // namespace galen::extract
