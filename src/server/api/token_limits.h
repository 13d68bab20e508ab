// What a request's key may use, set aside for its jobs before they wait.
#pragma once

#include <memory>
#include <vector>

#include "server/api/errors.h"
#include "server/security/usage.h"
#include "server/services.h"

namespace galen::server {

// A hold for each job of the request; null ones where no keys are used. False: 429 with the time
// after which it may fit, or 400 for what can never fit.
bool ReserveTokens(const Services& services, const Tenant& tenant, const Usage::Wish& wish,
                   std::vector<std::shared_ptr<TokenHold>>* holds, ApiError* error);

ApiError ErrorOfRefusal(const Usage::Refusal& refusal);

}  // namespace galen::server
