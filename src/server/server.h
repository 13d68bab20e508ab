// The whole server: models, endpoints, keys, log.
#pragma once

#include <memory>
#include <ostream>

#include "server/options.h"

namespace galen::server {

class Server {
 public:
  // Reads keys and the models' headers, binds the port, and loads the models unless they are to be
  // loaded on demand. InvalidArgument: an address that others reach without keys and TLS, unless
  // allow_insecure. log: null for none; else must outlive the server.
  static Result<std::unique_ptr<Server>> Create(const ServerOptions& options,
                                                const std::vector<ModelSpec>& models,
                                                std::ostream* log);
  ~Server();
  int port() const;
  int dicom_port() const;  // 0: none
  void Run();              // until Stop or a signal, and what runs then has ended
  void Stop();             // from any thread

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace galen::server
