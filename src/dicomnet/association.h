// One association, from its request to its end.
#pragma once

#include <atomic>

#include "base/fd.h"
#include "dicomnet/receiver.h"

namespace galen::dicomnet {

// Fills in the report (but for id, address and seconds, which are there). active: associations that
// were accepted and have not ended.
void RunAssociation(Fd socket, const ReceiverOptions& options, Inbox* inbox,
                    const ReceiverEvents& events, std::atomic<int>* active,
                    AssociationReport* report);

}  // namespace galen::dicomnet
