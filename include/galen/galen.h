// galen as a library: a model from a file, text in, text out. This header stands alone.
//
//   std::string error;
//   auto model = galen::api::Model::Open("model.gguf", {}, &error);
//   if (!model) ...
//   galen::api::Answer answer;
//   if (!model->Generate({.prompt = "..."}, &answer, &error)) ...
//
// Errors: a call that fails returns null or false and writes to *error what is wrong, where, and
// what to do; nothing is thrown, printed or aborted. Threads: one Model is used by one thread at a
// time; several Models may be used at once. Each computes with ModelOptions::threads threads of its
// own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace galen::api {

struct ModelOptions {
  int64_t context =
      4096;         // tokens of prompt and answer together; no more than the model allows is taken
  int threads = 0;  // 0: all processors
  bool fp32 = false;             // the reference arithmetic, slower; else bf16
  bool batch_invariant = false;  // one arithmetic whatever the number of rows
};

struct GenerateRequest {
  std::string prompt;
  std::string system;  // system text; empty: none
  bool raw = false;    // no chat template: the prompt as it is, BOS as the tokenizer says
  int64_t max_tokens = 1024;
  float temperature = 0.0f;  // 0: always the most likely token
  uint64_t seed = 0;
  std::vector<std::string> stop;  // texts that end the answer and are left out of it
  // Called on the caller's thread with whole characters, in order; false ends the answer
  // ("cancelled").
  std::function<bool(std::string_view piece)> on_text;
};

struct Answer {
  std::string text;                    // UTF-8
  std::string finish_reason;           // "stop", "length", "context" or "cancelled"
  std::vector<int32_t> prompt_tokens;  // as the model saw them
  std::vector<int32_t> tokens;         // of the answer
};

class Model {
 public:
  // path: a GGUF file or a Hugging Face directory. Refuses before loading what does not fit into
  // memory.
  static std::unique_ptr<Model> Open(const std::string& path, const ModelOptions& options,
                                     std::string* error);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  bool Generate(const GenerateRequest& request, Answer* answer, std::string* error);
  // Ids of a text, without BOS. Text that spells a control token stays text.
  bool Tokenize(std::string_view text, std::vector<int32_t>* ids, std::string* error) const;
  // log p(tokens[i + 1] | tokens[0 .. i]) for i = 0 .. tokens.size() - 2, natural logarithms.
  bool Score(const std::vector<int32_t>& tokens, std::vector<float>* logprobs, std::string* error);

 private:
  struct Impl;
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace galen::api
