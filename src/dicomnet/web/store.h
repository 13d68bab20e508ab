// STOW-RS (PS3.18 10.5): an instance to a server.
#pragma once

#include <string>

#include "dicomnet/web/web_client.h"

namespace galen::dicomnet {

// Sends a file of PS3.10 and returns when the server has said that it keeps the instance. Errors:
// InvalidArgument: refused, with the failure reason (PS3.18 I.2.2); DataLoss: an answer that says
// neither; others of WebClient. Messages hold nothing of the instance.
Status StoreInstance(WebClient* client, const std::string& file);

}  // namespace galen::dicomnet
