#include "server/documents/run_on_documents.h"

#include <new>

#include "server/api/errors.h"
#include "server/documents/document_pool.h"

namespace galen::server {
namespace {

// The text of an exception may quote the document.
void EndWithError(int status, const char* message, Reply* reply) {
  ApiError error;
  error.status = status;
  error.message = message;
  reply->Send(ErrorResponse(Dialect::kOpenAi, error));  // dropped where a stream has begun
  reply->End("event: error\ndata: " + ErrorBody(Dialect::kOpenAi, error) + "\n\n");
}

}  // namespace

void RunOnDocuments(const Services& services, const HttpRequest& request,
                    const std::shared_ptr<Reply>& reply, std::stop_source stop,
                    std::function<void()> work) {
  const auto guarded = [reply, work = std::move(work)] {
    if (reply->gone()) return;
    try {
      work();
    } catch (const std::bad_alloc&) {
      EndWithError(503, "out of memory", reply.get());
    } catch (const std::exception&) {
      EndWithError(500, "an internal error", reply.get());
    }
  };
  const int64_t id = services.documents.Submit(
      request.tenant.name, static_cast<int64_t>(request.body.Reveal().size()), stop, guarded);
  if (id == 0) {
    ApiError error;
    error.status = 429;
    error.message = "too many documents wait; try later";
    error.retry_after = 5;
    return reply->Send(ErrorResponse(Dialect::kOpenAi, error));
  }
  reply->OnGone([stop, id, &documents = services.documents]() mutable {
    stop.request_stop();
    documents.Drop(id);
  });
}

}  // namespace galen::server
