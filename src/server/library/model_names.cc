#include "server/library/model_names.h"

#include "store/model_name.h"

namespace galen::server {
namespace {

constexpr std::string_view kHub = "hf:";
constexpr std::string_view kOllama = "ollama:";
constexpr std::string_view kHosts[] = {"hf.co/", "huggingface.co/"};
constexpr size_t kMostName = 200;

// Only what can be served under the name that clients know is stored.
Result<std::string> Served(const std::string& stored) {
  const std::string name = ClientNameOf(stored);
  if (name.size() <= kMostName && name.find("..") == name.npos) return stored;
  return InvalidArgument("'" + name.substr(0, kMostName) +
                         "' cannot be the name of a model: it has '..' or more than " +
                         std::to_string(kMostName) + " characters");
}

}  // namespace

bool SaysItsStore(std::string_view name) {
  return IsHubName(name) || IsOllamaName(name) || name.starts_with(kHosts[0]) ||
         name.starts_with(kHosts[1]);
}

Result<std::string> StoreNameOf(std::string_view name) {
  std::string hub;
  if (IsHubName(name)) hub = name;
  for (const std::string_view host : kHosts) {
    if (name.starts_with(host)) hub = std::string(kHub) + std::string(name.substr(host.size()));
  }
  if (!hub.empty()) {
    // Ollama's clients write ":latest" where they mean no variant.
    constexpr std::string_view kLatest = ":latest";
    if (hub.ends_with(kLatest)) hub.erase(hub.size() - kLatest.size());
    ASSIGN_OR_RETURN(const HubName parsed, ParseHubName(hub));
    return Served(parsed.text());
  }
  const std::string text =
      IsOllamaName(name) ? std::string(name) : std::string(kOllama) + std::string(name);
  const Result<OllamaName> parsed = ParseOllamaName(text);
  if (parsed.ok()) return Served(parsed->text());
  const std::string shown(name.substr(0, 200));
  return InvalidArgument("'" + shown +
                         "' cannot be the name of a model; it is [namespace/]model[:tag], or "
                         "hf.co/org/name[:variant] for one of the hub");
}

std::string ClientNameOf(std::string_view name) {
  if (IsHubName(name)) return std::string(kHosts[0]) + std::string(name.substr(kHub.size()));
  if (IsOllamaName(name)) return std::string(name.substr(kOllama.size()));
  return std::string(name);
}

}  // namespace galen::server
