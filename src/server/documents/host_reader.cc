#include "server/documents/host_reader.h"

#include <chrono>
#include <future>
#include <thread>

#include "extract/answer/page_question.h"
#include "formats/model_digest.h"

namespace galen::server {
namespace {

constexpr std::chrono::milliseconds kTryAgain{50};

}  // namespace

Result<std::unique_ptr<HostReader>> HostReader::Create(const ModelForRequest& model,
                                                       const Tenant& tenant,
                                                       const HostReaderOptions& options,
                                                       std::stop_token stop) {
  std::unique_ptr<HostReader> reader(new HostReader(model, tenant, options, std::move(stop)));
  const ModelHost& host = *model.host;
  extract::ReaderIdentity& identity = reader->identity_;
  identity.model = model.info->spec.name;
  identity.architecture = host.files().config.architecture;
  ASSIGN_OR_RETURN(identity.digest, ModelDigest(*host.files().checkpoint));
  const auto& adapters = host.session().adapters.adapters();
  for (size_t i = 0; i < adapters.size(); ++i) {
    if ((model.info->adapters >> i & 1) != 0)
      identity.adapters.push_back(adapters[i].name + " " + adapters[i].digest);
  }
  identity.sees_images = host.session().images != nullptr;
  return reader;
}

Result<int64_t> HostReader::Submit(const GenerateJob& job) {
  while (true) {
    Result<int64_t> id = model_.host->Submit(tenant_.name, job);
    if (id.ok()) {
      admitted_ = true;
      return id;
    }
    if (!admitted_ || id.status().code() != StatusCode::kResourceExhausted) {
      refusal_ = ErrorOfSubmit(id.status());
      return IoError(id.status().message());
    }
    if (stop_.stop_requested()) return Cancelled("the reading was stopped");
    std::this_thread::sleep_for(kTryAgain);
  }
}

Result<extract::Answer> HostReader::Read(const extract::ReadRequest& request) {
  ModelHost& host = *model_.host;
  extract::PageQuestionOptions options;
  options.sees_images = identity_.sees_images;
  options.dpi = options_.dpi;
  options.context = host.context();
  options.max_tokens = options_.max_tokens;
  options.chat = host.chat();
  ASSIGN_OR_RETURN(extract::PageQuestion question,
                   extract::AskAboutPages(host.files(), request, options));
  ASSIGN_OR_RETURN(
      const std::shared_ptr<const grammar::Constraint> constraint,
      host.CachedConstraint("pages " + request.schema,
                            [&](const std::shared_ptr<const grammar::Vocabulary>& vocabulary) {
                              return extract::AnswerConstraint(request.schema, vocabulary);
                            }));
  GenerateJob job;
  job.prompt = std::move(question.prompt);
  job.images = std::move(question.images);
  job.request = std::move(question.request);
  job.request.cancelled = nullptr;  // Cancel below
  job.request.constraint = constraint;
  job.request.cache_salt = tenant_.cache_salt;
  job.request.adapters = model_.info->adapters;
  const auto promise = std::make_shared<std::promise<Result<TextResult>>>();
  std::future<Result<TextResult>> done = promise->get_future();
  job.on_done = [promise](Result<TextResult> result) { promise->set_value(std::move(result)); };
  ASSIGN_OR_RETURN(const int64_t id, Submit(job));
  const std::stop_callback cancel(stop_, [&host, id] { host.Cancel(id); });
  const Result<TextResult> result = done.get();
  if (!result.ok()) return result.status();
  return extract::AnswerOf(*result, constraint->vocabulary());
}

}  // namespace galen::server
