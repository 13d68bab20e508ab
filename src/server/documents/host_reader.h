// A reader of pages whose model serves others, too: its requests go through the model's queue and
// batch.
#pragma once

#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "extract/answer/line_questions.h"
#include "server/api/generate.h"

namespace galen::server {

struct HostReaderOptions {
  int64_t max_tokens = 0;  // of one answer; 0: what the context leaves
  double dpi = 200;        // of page pictures
};

// Used by one thread, which waits in Read.
class HostReader : public extract::Reader {
 public:
  static Result<std::unique_ptr<HostReader>> Create(const Services& services,
                                                    const ModelForRequest& model,
                                                    const Tenant& tenant,
                                                    const HostReaderOptions& options,
                                                    std::stop_token stop);

  extract::ReaderIdentity identity() const override { return identity_; }
  size_t MostPages() const override { return by_lines() ? 1 : SIZE_MAX; }
  Result<std::vector<extract::Answer>> Read(const extract::ReadRequest& request) override;
  // Why the model took no request: its queue was full, it is being closed, the key may not use so
  // many tokens.
  const std::optional<ApiError>& refusal() const { return refusal_; }

 private:
  HostReader(const Services& services, const ModelForRequest& model, const Tenant& tenant,
             const HostReaderOptions& options, std::stop_token stop)
      : services_(services),
        model_(model),
        tenant_(tenant),
        options_(options),
        stop_(std::move(stop)) {}
  // Both wait: for a place in the queue, and for what the key may use this minute. But not for the
  // first request of a document: whoever asks is told to come back.
  Result<int64_t> Submit(const GenerateJob& job);
  Status Reserve(GenerateJob* job);
  Status Refuse(ApiError error);
  bool by_lines() const { return !identity_.kinds.empty(); }
  extract::PageQuestionOptions QuestionOptions() const;
  Result<std::vector<extract::Answer>> ReadLines(const extract::ReadRequest& request);
  // A question on its way through the model.
  struct Asked {
    int64_t id = 0;
    std::future<Result<TextResult>> done;
  };
  Result<Asked> Ask(EncodedPrompt prompt, std::vector<PreparedViews> images, TextRequest request,
                    const std::string& schema);
  Result<extract::Answer> AnswerTo(Asked asked);

  const Services& services_;
  const ModelForRequest model_;
  const Tenant tenant_;
  const HostReaderOptions options_;
  const std::stop_token stop_;
  extract::ReaderIdentity identity_;
  std::shared_ptr<const grammar::Constraint> constraint_;  // of the last question
  bool admitted_ = false;
  std::optional<ApiError> refusal_;
};

}  // namespace galen::server
