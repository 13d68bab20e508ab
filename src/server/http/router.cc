#include "server/http/router.h"

#include <algorithm>

#include "http/percent.h"

namespace galen::server {
namespace {

bool Matches(std::string_view pattern, std::string_view path) {
  if (!pattern.ends_with('*')) return pattern == path;
  pattern.remove_suffix(1);
  return path.size() > pattern.size() && path.starts_with(pattern);
}

}  // namespace

Match Router::Find(std::string_view method, std::string_view path) const {
  Match match;
  const Endpoint* get = nullptr;
  for (const Endpoint& endpoint : endpoints_) {
    if (!Matches(endpoint.path, path)) continue;
    if (method == endpoint.method) {
      match.endpoint = &endpoint;
      return match;
    }
    if (std::string_view(endpoint.method) == "GET") get = &endpoint;
    if (std::find(match.allowed.begin(), match.allowed.end(), endpoint.method) ==
        match.allowed.end()) {
      match.allowed.emplace_back(endpoint.method);
    }
  }
  if (method == "HEAD" && get != nullptr) match.endpoint = get;
  return match;
}

Dialect DialectOf(std::string_view path) {
  return path.starts_with("/api/") || path == "/" ? Dialect::kOllama : Dialect::kOpenAi;
}

std::string PathParameter(std::string_view pattern, std::string_view path) {
  if (!Matches(pattern, path) || !pattern.ends_with('*')) return "";
  path.remove_prefix(pattern.size() - 1);
  std::string text;
  if (!PercentDecode(path, &text)) return "";
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
  if (std::any_of(text.begin(), text.end(), control)) return "";
  return text;
}

std::string QueryValue(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == query.npos ? std::string_view() : query.substr(end + 1);
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=')
      return std::string(pair.substr(name.size() + 1));
  }
  return "";
}

}  // namespace galen::server
