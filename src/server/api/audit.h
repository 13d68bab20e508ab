// What of a request goes into the audit log.
#pragma once

#include <span>

#include "server/api/generate.h"

namespace galen {
class AuditLog;
}

namespace galen::server {

struct Exchange;

// Before anything is computed for a request: its "start" record is on the disk, or the request is
// refused (503). Without an audit log: nothing.
bool RecordStart(const Services& services, const HttpRequest& request, const ModelForRequest& model,
                 std::span<const PreparedPrompt> prompts, ApiError* error);

// The same for files that are read into several prompts: digests are the SHA-256 of each. second:
// another model that reads them, or null.
bool RecordDocuments(const Services& services, const HttpRequest& request,
                     const ModelForRequest& model, const ModelInfo* second,
                     const std::vector<std::string>& digests, ApiError* error);

// A request that is over, whatever became of it.
void RecordEnd(AuditLog* log, const Exchange& exchange, const char* route);

}  // namespace galen::server
