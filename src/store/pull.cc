#include "store/pull.h"

#include "store/hub.h"
#include "store/pull_parts.h"

namespace galen {

Status NotFetchedOffline(const std::string& name, const ModelStore& store) {
  return NotFound(name + " is not in the store at " + store.root() +
                  ", and nothing is fetched offline (--offline, HF_HUB_OFFLINE or GALEN_OFFLINE)");
}

Result<Pulled> PullModel(const ModelStore& store, const std::string& name, const PullOptions& given,
                         const OnPullEvent& on_event) {
  PullOptions options = given;
  options.offline = options.offline || OfflineByEnvironment();
  if (IsOllamaName(name)) {
    ASSIGN_OR_RETURN(const OllamaName parsed, ParseOllamaName(name));
    return PullFromRegistry(store, parsed, options, on_event);
  }
  if (IsHubName(name)) {
    ASSIGN_OR_RETURN(const HubName parsed, ParseHubName(name));
    return PullFromHub(store, parsed, options, on_event);
  }
  const std::string shown = name.substr(0, 200);
  return InvalidArgument("'" + shown + "' does not say where from: hf:org/name or ollama:name");
}

}  // namespace galen
