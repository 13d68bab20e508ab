// mtmd_answer MODEL MMPROJ IMAGE TOKENS BEFORE AFTER: a greedy answer in fp32 to a prompt laid out
// as llama.cpp lays it out, BEFORE + <start_of_image> + image + <end_of_image> + AFTER, without the
// line breaks of the reference. Prints JSON: the text, and for each token the margin over the
// second.
#include <cstdlib>
#include <iostream>

#include "base/json.h"
#include "engine/generation.h"
#include "engine/image_encoder.h"
#include "media/image/decode.h"

namespace galen {
namespace {

Status Answer(char** argv) {
  const KernelTable& kernels = KernelsFor(*ChooseIsa());
  ThreadPool threads(2);
  OpenModelOptions open;
  open.read.mmproj = argv[2];
  open.images = true;
  ASSIGN_OR_RETURN(const LoadedModel loaded, OpenModel(argv[1], open));
  ASSIGN_OR_RETURN(const Image image, ReadImage(argv[3]));
  ASSIGN_OR_RETURN(const PreparedViews views, loaded.files.image_processor->Prepare(image, {}));
  ImageEncoderOptions encode;
  encode.compute = Compute::kFp32;
  ASSIGN_OR_RETURN(
      const auto encoder,
      ImageEncoder::Create(*loaded.tower, *loaded.files.image_processor, kernels, threads, encode));
  const PreparedImage* view[] = {&views[0]};
  ASSIGN_OR_RETURN(const auto embeddings, encoder->Encode(view));
  TextRequest request;
  EncodeOptions text;
  text.add_bos = true;
  text.parse_special = true;
  const Tokenizer& tokenizer = *loaded.files.tokenizer;
  ASSIGN_OR_RETURN(request.prompt,
                   tokenizer.Encode(std::string(argv[5]) + "<start_of_image>", text));
  request.media.push_back({static_cast<int64_t>(request.prompt.size()), embeddings[0], true});
  request.prompt.insert(request.prompt.end(), static_cast<size_t>(embeddings[0]->rows), 0);
  text.add_bos = false;
  ASSIGN_OR_RETURN(const auto rest,
                   tokenizer.Encode("<end_of_image>" + std::string(argv[6]), text));
  request.prompt.insert(request.prompt.end(), rest.begin(), rest.end());
  request.max_tokens = std::atoi(argv[4]);
  request.sampling.logprobs = 2;
  EngineOptions options;
  options.context = static_cast<int64_t>(request.prompt.size()) + request.max_tokens;
  options.runner.compute = Compute::kFp32;
  options.kv_type = KvType::kF32;
  ASSIGN_OR_RETURN(const auto engine, Engine::Create(*loaded.model, kernels, threads, options));
  ASSIGN_OR_RETURN(const TextResult result, Generate(*engine, loaded.files, request));
  Json json = {{"text", result.text}, {"pieces", Json::array()}, {"margins", Json::array()}};
  for (const TokenChoice& choice : result.tokens) {
    json["pieces"].push_back(tokenizer.TokenBytes(choice.token));
    json["margins"].push_back(choice.top[0].second - choice.top[1].second);
  }
  std::cout << json.dump() << "\n";
  return OkStatus();
}

}  // namespace
}  // namespace galen

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  const galen::Status status = galen::Answer(argv);
  if (!status.ok()) std::cerr << status.message() << "\n";
  return status.ok() ? 0 : 1;
}
