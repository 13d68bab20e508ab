#include "server/documents/host_reader.h"

#include <chrono>
#include <deque>
#include <thread>

#include "extract/answer/line_schema.h"
#include "formats/model_digest.h"
#include "server/api/token_limits.h"

namespace galen::server {
namespace {

constexpr std::chrono::milliseconds kTryAgain{50};
constexpr size_t kLinesAtOnce = 16;

}  // namespace

Result<std::unique_ptr<HostReader>> HostReader::Create(const Services& services,
                                                       const ModelForRequest& model,
                                                       const Tenant& tenant,
                                                       const HostReaderOptions& options,
                                                       std::stop_token stop) {
  std::unique_ptr<HostReader> reader(
      new HostReader(services, model, tenant, options, std::move(stop)));
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
  if (identity.sees_images && host.files().vision.page_lines) {
    identity.kinds = host.files().vision.page_lines->kinds;
  }
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
      return Refuse(ErrorOfSubmit(id.status()));
    }
    if (stop_.stop_requested()) return Cancelled("the reading was stopped");
    std::this_thread::sleep_for(kTryAgain);
  }
}

Status HostReader::Refuse(ApiError error) {
  const Status status = IoError(error.message);
  refusal_ = std::move(error);
  return status;
}

Status HostReader::Reserve(GenerateJob* job) {
  if (services_.usage == nullptr) return OkStatus();
  const auto size = static_cast<int64_t>(job->prompt.tokens.size());
  const int64_t room = std::max<int64_t>(0, model_.host->context() - size);
  const int64_t most = size + std::min(job->request.max_tokens, room);
  // An answer that is cut off is worth little: it gets all that the key may ever use at once.
  Usage::Wish wish{1, most, most};
  const KeyLimits& limits = tenant_.limits;
  for (const int64_t limit : {limits.tokens_per_minute, limits.tokens_per_day}) {
    if (limit > size) wish.least = std::min(wish.least, limit);
  }
  std::vector<std::shared_ptr<TokenHold>> holds;
  while (true) {
    const auto refusal = services_.usage->Reserve(tenant_.name, limits, wish, &holds);
    if (!refusal) break;
    if (!admitted_ || !refusal->soon) return Refuse(ErrorOfRefusal(*refusal));
    if (stop_.stop_requested()) return Cancelled("the reading was stopped");
    std::this_thread::sleep_for(kTryAgain);
  }
  job->hold = std::move(holds[0]);
  job->request.max_tokens = std::min(job->request.max_tokens, job->hold->tokens() - size);
  return OkStatus();
}

extract::PageQuestionOptions HostReader::QuestionOptions() const {
  extract::PageQuestionOptions options;
  options.sees_images = identity_.sees_images;
  options.dpi = options_.dpi;
  options.context = model_.host->context();
  options.max_tokens = options_.max_tokens;
  options.chat = model_.host->chat();
  return options;
}

Result<HostReader::Asked> HostReader::Ask(EncodedPrompt prompt, std::vector<PreparedViews> images,
                                          TextRequest request, const std::string& schema) {
  ASSIGN_OR_RETURN(
      constraint_,
      model_.host->CachedConstraint(
          "pages " + schema, [&](const std::shared_ptr<const grammar::Vocabulary>& vocabulary) {
            return extract::AnswerConstraint(schema, vocabulary);
          }));
  GenerateJob job;
  job.prompt = std::move(prompt);
  job.images = std::move(images);
  job.request = std::move(request);
  job.request.cancelled = nullptr;  // AnswerTo cancels
  job.request.constraint = constraint_;
  job.request.cache_salt = tenant_.cache_salt;
  job.request.adapters = model_.info->adapters;
  const auto promise = std::make_shared<std::promise<Result<TextResult>>>();
  Asked asked;
  asked.done = promise->get_future();
  job.on_done = [promise](Result<TextResult> result) { promise->set_value(std::move(result)); };
  RETURN_IF_ERROR(Reserve(&job));
  ASSIGN_OR_RETURN(asked.id, Submit(job));
  return asked;
}

Result<extract::Answer> HostReader::AnswerTo(Asked asked) {
  const std::stop_callback cancel(stop_, [&] { model_.host->Cancel(asked.id); });
  const Result<TextResult> result = asked.done.get();
  if (!result.ok()) return result.status();
  return extract::AnswerOf(*result, constraint_->vocabulary());
}

Result<std::vector<extract::Answer>> HostReader::Read(const extract::ReadRequest& request) {
  if (by_lines()) return ReadLines(request);
  ASSIGN_OR_RETURN(extract::PageQuestion question,
                   extract::AskAboutPages(model_.host->files(), request, QuestionOptions()));
  ASSIGN_OR_RETURN(Asked asked, Ask(std::move(question.prompt), std::move(question.images),
                                    std::move(question.request), request.schema));
  ASSIGN_OR_RETURN(extract::Answer answer, AnswerTo(std::move(asked)));
  return std::vector<extract::Answer>{std::move(answer)};
}

Result<std::vector<extract::Answer>> HostReader::ReadLines(const extract::ReadRequest& request) {
  ASSIGN_OR_RETURN(std::vector<extract::LineQuestion> questions,
                   extract::AskAboutLines(model_.host->files(), request, QuestionOptions()));
  ASSIGN_OR_RETURN(const std::string schema, extract::LineSchema(request.schema));
  // A few at a time: together they are computed as a batch, and others find places in the queue.
  std::vector<extract::Answer> answers;
  std::deque<Asked> asked;
  // Whatever ends this: nothing goes on that nobody reads.
  struct CancelRest {
    ModelHost& host;
    const std::deque<Asked>& asked;
    void Now() const {
      for (const Asked& one : asked) host.Cancel(one.id);
    }
    ~CancelRest() { Now(); }
  };
  const CancelRest rest{*model_.host, asked};
  Status failed = OkStatus();
  const auto take = [&] {
    Result<extract::Answer> answer = AnswerTo(std::move(asked.front()));
    asked.pop_front();
    if (!answer.ok()) {
      failed = answer.status();
    } else if (failed.ok()) {
      if (request.on_text && answer->text != "{}") request.on_text(answer->text + "\n");
      answers.push_back(*std::move(answer));
    }
  };
  for (extract::LineQuestion& question : questions) {
    if (asked.size() == kLinesAtOnce) take();
    if (!failed.ok()) break;
    Result<Asked> next = Ask(std::move(question.prompt), std::move(question.images),
                             std::move(question.request), schema);
    if (next.ok()) {
      asked.push_back(*std::move(next));
    } else {
      failed = next.status();
    }
  }
  if (!failed.ok()) rest.Now();
  while (!asked.empty()) take();
  RETURN_IF_ERROR(failed);
  return extract::AnswersOfLines(request.schema, questions, std::move(answers));
}

}  // namespace galen::server
