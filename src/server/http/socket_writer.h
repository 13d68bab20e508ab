// Pieces of a streamed body, sent by whoever makes them (Reply::OfferSocket).
#pragma once

#include <string>
#include <string_view>

#include "server/http/reply.h"
#include "server/http/wire.h"

namespace galen::server {

class SocketWriter {
 public:
  // socket must not be closed while this is called, and nobody else may write to it meanwhile.
  SocketWriter(int socket, const Framing& framing) : socket_(socket), framing_(framing) {}
  // Never waits.
  Reply::Sent operator()(std::string_view data);

 private:
  int socket_;
  Framing framing_;
  std::string bytes_;  // kept for its room
};

}  // namespace galen::server
