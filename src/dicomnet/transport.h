// DCMTK's transport with limits: a time for each MiB that is read or written and for each wait, and
// a number of bytes that may still come. DCMTK's own timeouts begin anew with every byte.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/dcmlayer.h>
#include <dcmtk/dcmnet/dcmtrans.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "dicomnet/socket.h"

namespace galen::dicomnet {

// What holds for a connection at the moment. Of one thread.
struct TransportLimits {
  std::chrono::milliseconds timeout{60'000};
  Clock::time_point deadline;
  int64_t allowed = 0;   // bytes that may still be read
  int64_t measured = 0;  // since the deadline was set anew
  bool late = false, excessive = false;

  // A new message may begin: `bytes` at most.
  void Renew(int64_t bytes) {
    deadline = Clock::now() + timeout;
    allowed = bytes;
    measured = 0;
  }
};

class LimitedLayer : public DcmTransportLayer {
 public:
  // limits must outlive the connections.
  explicit LimitedLayer(TransportLimits* limits) : limits_(limits) {}
  DcmTransportConnection* createConnection(DcmNativeSocketType socket, OFBool secure) override;

 private:
  TransportLimits* const limits_;
};

}  // namespace galen::dicomnet
