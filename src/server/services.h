// What endpoints share.
#pragma once

#include <functional>
#include <string>

#include "server/http/router.h"
#include "server/model_registry.h"
#include "server/options.h"

namespace galen {
class AuditLog;
}

namespace galen::server {

class DocumentPool;
class StudyRoom;
class SlideRoom;
class JobBoard;
class Library;
class Metrics;
class Usage;

struct Services {
  const ServerOptions& options;
  ModelRegistry& models;
  Metrics& metrics;
  AuditLog* audit;  // null: none is kept
  Usage* usage;     // null: no keys are used
  const std::vector<Endpoint>& endpoints;
  std::function<bool()> draining;
  std::function<int64_t()> connections;
  DocumentPool& documents;
  JobBoard* jobs;      // null: none are kept
  StudyRoom* studies;  // null: none are taken
  SlideRoom& slides;
  Library* library;    // null: clients cannot change what is served
};

}  // namespace galen::server
