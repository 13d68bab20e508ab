#include "store/model_name.h"

#include <algorithm>
#include <vector>

namespace galen {
namespace {

constexpr std::string_view kHub = "hf:";
constexpr std::string_view kOllama = "ollama:";
constexpr size_t kMaxPart = 200;

bool IsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

// Letters, digits and -_. (and a port in a host): nothing that leads out of the store.
bool IsPlain(std::string_view part, bool host = false) {
  if (part.empty() || part.size() > kMaxPart || part[0] == '.' || part[0] == '-') return false;
  return std::all_of(part.begin(), part.end(),
                     [&](char c) { return IsWord(c) || (host && c == ':'); });
}

std::vector<std::string_view> Split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (size_t slash; (slash = text.find('/')) != std::string_view::npos;
       text.remove_prefix(slash + 1)) {
    parts.push_back(text.substr(0, slash));
  }
  parts.push_back(text);
  return parts;
}

bool AllPlain(std::string_view text) {
  const std::vector<std::string_view> parts = Split(text);
  return std::all_of(parts.begin(), parts.end(), [](std::string_view p) { return IsPlain(p); });
}

Status Malformed(std::string_view name, const char* what, const char* form) {
  return InvalidArgument(std::string(name.substr(0, 200)) + " is no name of " + what +
                         "; expected " + form);
}

}  // namespace

const std::string& HubName::branch() const {
  static const std::string kMain = "main";
  return revision.empty() ? kMain : revision;
}

std::string HubName::text() const {
  std::string text = "hf:" + repo;
  if (!revision.empty() && revision != "main") text += "@" + revision;
  if (!variant.empty()) text += ":" + variant;
  return text;
}

std::string OllamaName::manifest_path() const {
  return "manifests/" + host + "/" + space + "/" + model + "/" + tag;
}

std::string OllamaName::text() const {
  const OllamaName defaults;
  std::string text = "ollama:";
  if (host != defaults.host) text += host + "/";
  if (host != defaults.host || space != defaults.space) text += space + "/";
  return text + model + ":" + tag;
}

bool IsHubName(std::string_view name) { return name.starts_with(kHub); }
bool IsOllamaName(std::string_view name) { return name.starts_with(kOllama); }

bool IsLocalName(std::string_view name) { return IsPlain(name) && name[0] != '_'; }

Result<HubName> ParseHubName(std::string_view name) {
  HubName hub;
  std::string_view rest = name.starts_with(kHub) ? name.substr(kHub.size()) : name;
  bool good = name.starts_with(kHub);
  if (const size_t colon = rest.find(':'); colon != std::string_view::npos) {
    hub.variant = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
    good = good && AllPlain(hub.variant);
  }
  if (const size_t at = rest.find('@'); at != std::string_view::npos) {
    hub.revision = rest.substr(at + 1);
    rest = rest.substr(0, at);
    good = good && AllPlain(hub.revision);
  }
  hub.repo = rest;
  good = good && AllPlain(rest) && std::count(rest.begin(), rest.end(), '/') <= 1;
  if (!good)
    return Malformed(name, "a model on the hub", "hf:org/name[@revision][:file or quantisation]");
  return hub;
}

Result<OllamaName> ParseOllamaName(std::string_view name) {
  OllamaName parsed;
  std::string_view rest = name.starts_with(kOllama) ? name.substr(kOllama.size()) : name;
  bool good = name.starts_with(kOllama);
  const size_t colon = rest.rfind(':');
  if (colon != std::string_view::npos && rest.find('/', colon) == std::string_view::npos) {
    parsed.tag = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
  }
  const std::vector<std::string_view> parts = Split(rest);
  good = good && parts.size() <= 3 && IsPlain(parsed.tag) && !IsTemporaryName(parsed.tag);
  parsed.model = parts.back();
  if (parts.size() > 1) parsed.space = parts[parts.size() - 2];
  if (parts.size() > 2) parsed.host = parts[parts.size() - 3];
  if (!good || !IsPlain(parsed.host, true) || !IsPlain(parsed.space) || !IsPlain(parsed.model))
    return Malformed(name, "an Ollama model", "ollama:[host/][namespace/]model[:tag]");
  return parsed;
}

bool IsTemporaryName(std::string_view file) {
  constexpr std::string_view kMark = ".tmp.";
  const size_t mark = file.rfind(kMark);
  if (mark == std::string_view::npos) return false;
  const std::string_view number = file.substr(mark + kMark.size());
  return !number.empty() && number.find_first_not_of("0123456789") == std::string_view::npos;
}

bool IsSafeRelativePath(std::string_view path) {
  if (path.size() > 500) return false;
  for (const std::string_view part : Split(path)) {
    if (part.empty() || part == "." || part == ".." || part.size() > kMaxPart) return false;
    for (const char c : part) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20 || byte == 0x7f ||
          std::string_view("\\:*?\"<>|").find(c) != std::string_view::npos)
        return false;
    }
  }
  return true;
}

std::string PercentEncode(std::string_view text, bool keep_slash) {
  std::string encoded;
  for (const char c : text) {
    if (IsWord(c) || c == '~' || (keep_slash && c == '/')) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += '%';
      encoded += "0123456789ABCDEF"[byte >> 4];
      encoded += "0123456789ABCDEF"[byte & 15];
    }
  }
  return encoded;
}

}  // namespace galen
