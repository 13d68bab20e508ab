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

// Of a request that stores or deletes studies, before it does. False with an error: it cannot be
// recorded.
bool RecordStudies(const Services& services, const HttpRequest& request, const char* action,
                   ApiError* error);

// Of a request that changes the server's models, before it does: `action` is "pull", "create", ...,
// `model` a name that was read as one. False with an error: it cannot be recorded.
bool RecordChange(const Services& services, const HttpRequest& request, const char* action,
                  const std::string& model, ApiError* error);
// The same of a request whose body is not, or not yet, in memory.
bool RecordChange(const Services& services, const std::string& id, const std::string& key,
                  const char* action, const std::string& model, const std::string& body,
                  ApiError* error);
// What became of it.
void RecordChanged(AuditLog* log, const std::string& id, const std::string& model, bool done);

// A request that is over, whatever became of it.
void RecordEnd(AuditLog* log, const Exchange& exchange, const char* route);

}  // namespace galen::server
