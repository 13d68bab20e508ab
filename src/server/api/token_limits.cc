#include "server/api/token_limits.h"

namespace galen::server {

ApiError ErrorOfRefusal(const Usage::Refusal& refusal) {
  ApiError error;
  error.status = 429;
  error.message = refusal.message;
  error.retry_after = refusal.retry_after;
  if (refusal.retry_after > 0) return error;
  error.status = 400;
  error.message += "; ask for a shorter answer (max_tokens), or less at a time";
  return error;
}

bool ReserveTokens(const Services& services, const Tenant& tenant, const Usage::Wish& wish,
                   std::vector<std::shared_ptr<TokenHold>>* holds, ApiError* error) {
  if (services.usage == nullptr) {
    holds->resize(static_cast<size_t>(wish.jobs));
    return true;
  }
  const auto refusal = services.usage->Reserve(tenant.name, tenant.limits, wish, holds);
  if (refusal) *error = ErrorOfRefusal(*refusal);
  return !refusal;
}

}  // namespace galen::server
