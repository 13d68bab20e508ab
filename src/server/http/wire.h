// Between Beast's messages and ours, and the bytes of answers.
#pragma once

#include <boost/beast/http/message.hpp>
#include <string>

#include "base/status.h"
#include "server/http/message.h"

namespace galen::server {

struct Framing {
  bool keep_alive = true;
  bool head_only = false;  // an answer to HEAD
  bool chunked = true;     // the client understands chunks (HTTP/1.1)
  bool streamed = false;   // the length of the body is not known
};

// InvalidArgument: a repeated header that decides who may do what, a target that is no path.
Status ReadHead(const boost::beast::http::request_header<>& header, RequestHead* head);

// Status line and headers, with those that every answer carries, up to the empty line.
std::string HeadBytes(const HttpResponse& response, const Framing& framing);
// Appends a piece of a streamed body.
void AddStreamBytes(std::string_view data, bool last, const Framing& framing, std::string* bytes);

std::string HexId(uint64_t high, uint64_t low);

}  // namespace galen::server
