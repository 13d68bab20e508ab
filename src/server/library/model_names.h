// How clients name models of the store, and what the store calls them.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace galen::server {

// "hf:...", "hf.co/...", "huggingface.co/..." or "ollama:...": it can mean nothing else.
bool SaysItsStore(std::string_view client_name);

// In the store's own full form: "hf:org/name[@revision][:variant]" of the first three, else
// "ollama:[host/][namespace/]model:tag". InvalidArgument: a malformed name.
Result<std::string> StoreNameOf(std::string_view client_name);

// The shortest name by which Ollama's clients know it: "hf.co/org/name", "[namespace/]model:tag";
// plain names stay.
std::string ClientNameOf(std::string_view store_name);

}  // namespace galen::server
