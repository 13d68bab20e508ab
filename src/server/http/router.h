// Which endpoint answers which path. One table, in one list; endpoints know nothing of each other.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/message.h"
#include "server/http/reply.h"

namespace galen::server {

struct Services;  // server/services.h

using EndpointFn = std::function<void(const Services&, std::shared_ptr<const HttpRequest>,
                                      std::shared_ptr<Reply>)>;

// Takes the bodies of an endpoint that are too large for memory.
using SinkFn = std::function<std::shared_ptr<BodySink>(const Services&, const HttpRequest&)>;

// In whose format errors are written.
enum class Dialect { kOpenAi, kOllama };

struct Endpoint {
  const char* method;
  const char* path;  // "/v1/models/*": the star matches one or more characters, slashes too
  EndpointFn fn;
  // Quick ones answer on the server's thread; others wait for models and run on workers.
  bool quick = false;
  bool open = false;  // needs no API key
  const char* summary = "";
  bool changes = false;  // models of the server: for admins, where it allows that at all
  SinkFn sink = nullptr;
};

struct Match {
  const Endpoint* endpoint = nullptr;  // null: none
  std::vector<std::string> allowed;    // methods of this path, where only the method is wrong
};

class Router {
 public:
  explicit Router(std::vector<Endpoint> endpoints) : endpoints_(std::move(endpoints)) {}
  // HEAD finds GET where there is no HEAD.
  Match Find(std::string_view method, std::string_view path) const;
  const std::vector<Endpoint>& endpoints() const { return endpoints_; }

 private:
  std::vector<Endpoint> endpoints_;
};

Dialect DialectOf(std::string_view path);

// What the star of the endpoint's path stands for, percent escapes decoded; empty if they are no
// such or spell a control character.
std::string PathParameter(std::string_view pattern, std::string_view path);

}  // namespace galen::server
