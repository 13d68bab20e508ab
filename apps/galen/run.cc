// galen run: one answer, or a conversation when a person sits there.
#include <unistd.h>

#include <filesystem>
#include <iostream>

#include "answer_boxes.h"
#include "base/files.h"
#include "chat.h"
#include "commands.h"
#include "constraint_options.h"
#include "engine/generation.h"
#include "media_options.h"
#include "media_report.h"
#include "prompt_media.h"
#include "session.h"
#include "stop_signal.h"
#include "text/template/text_util.h"

namespace galen::cli {
namespace {

constexpr int64_t kDefaultMaxTokens = 1024;
constexpr int64_t kChatContext = 8192;
constexpr int64_t kMaxCount = int64_t{1} << 30;

struct RunOptions : ModelOptions {
  std::string prompt, file, system;
  MediaCliOptions media;
  ImageOptions image;
  std::string box;
  ConstraintOptions constraint;
  std::string think = "hide";
  bool raw = false;
  int64_t max_tokens = 0;
  SamplingParams sampling;
  std::vector<std::string> stop;
  std::vector<std::string> bias;
};

Status ParseBias(const std::vector<std::string>& items, SamplingParams* sampling) {
  for (const std::string& item : items) {
    try {
      size_t used = 0, used_value = 0;
      const int id = std::stoi(item, &used);
      const float value = std::stof(item.substr(std::min(item.size(), used + 1)), &used_value);
      if (item[used] != '=' || used + 1 + used_value != item.size())
        throw std::invalid_argument(item);
      sampling->logit_bias.emplace_back(id, value);
    } catch (const std::exception&) {
      return InvalidArgument("--logit-bias wants ID=VALUE (inf and -inf are allowed), got " + item);
    }
  }
  return OkStatus();
}

// The user's text: the file, then the question.
Result<std::string> UserText(const RunOptions& o) {
  std::string text = o.prompt;
  if (!o.file.empty()) {
    ASSIGN_OR_RETURN(text, ReadFile(o.file));
    if (!o.prompt.empty()) text += "\n\n" + o.prompt;
  }
  if (!jinja::IsValidUtf8(text)) {
    std::cerr << "galen: " << (o.file.empty() ? "the prompt" : o.file)
              << ": not all of it is UTF-8; the bytes that are not go in as U+FFFD\n";
  }
  return text;
}

Think ThinkOf(const RunOptions& o) {
  return o.think == "show" ? Think::kShow : o.think == "off" ? Think::kOff : Think::kHide;
}

// What the media options bring; without any, a text alone.
Result<MediaInput> ReadMedia(const RunOptions& o, const std::string& text) {
  if (!o.media.any()) return MediaInput();
  MediaCliOptions media = o.media;
  media.media.question = text;
  media.media.seed = o.sampling.seed;
  if (!o.box.empty() && media.recipe.empty()) media.recipe = "localise";
  RETURN_IF_ERROR(FetchRemote(&media));
  Result<MediaInput> input = BuildInput(media);
  if (input.ok() || !text.empty()) return input;
  // Options of files take every word up to the next option.
  return Status(
      input.status().code(),
      input.status().message() + " (a question goes before the options of files, or after --)");
}

// Before minutes of computing: whether --box can be done.
Status CheckBox(const RunOptions& o, const MediaInput& media) {
  if (o.box.empty()) return OkStatus();
  if (media.images.size() != 1)
    return InvalidArgument("--box wants one image, not " + std::to_string(media.images.size()));
  if (!o.box.ends_with(".png"))
    return InvalidArgument("--box writes a PNG file; " + o.box + " is none");
  const std::string folder = std::filesystem::path(o.box).parent_path().string();
  if (IsDirectory(o.box) || !IsDirectory(folder.empty() ? "." : folder))
    return NotFound("--box: there is no folder for " + o.box);
  return OkStatus();
}

// The recipe's words with the model's placeholders between them; a text that has placeholders of
// its own stays as it is.
std::string RawText(const ModelFiles& files, const MediaInput& media, const std::string& text) {
  if (text.find(files.image_processor->placeholder()) != text.npos) return text;
  const std::string_view placeholder = files.image_processor->marked_placeholder();
  std::string words;
  for (const PromptPart& part : media.parts)
    words += part.kind == PromptPart::kImage ? placeholder : std::string_view(part.text);
  return words;
}

Result<EncodedPrompt> EncodeQuestion(const ModelFiles& files, const RunOptions& o,
                                     const std::string& text, const MediaInput& media,
                                     std::span<const PreparedViews> images) {
  RETURN_IF_ERROR(files.tokenizer_status);
  const bool raw = o.raw || files.chat_template.empty();
  if (!o.raw && raw)
    std::cerr << "galen: this model has no chat template; the text goes in as it is (--raw)\n";
  const std::string& system = o.system.empty() ? media.system : o.system;
  if (raw) {
    const std::string words = images.empty() ? text : RawText(files, media, text);
    return EncodeRaw(files, system.empty() ? words : system + "\n\n" + words, images);
  }
  return EncodeChat(
      files, MessagesOf(system, images.empty() ? MessageContent(text) : MessageContent(media)),
      images);
}

Json ResultJson(const Session& session, const std::vector<int32_t>& prompt,
                const TextResult& result, const CompiledConstraint& constraint, const Json& media,
                const Json& boxes, double encode_seconds, bool logprobs) {
  Json json;
  json["text"] = result.text;
  if (FindThinkingMarkers(*session.files().tokenizer).open) json["thinking"] = result.thinking;
  if (!session.adapters.adapters().empty()) json["adapters"] = AdapterRecord(session.adapters);
  if (constraint.constraint != nullptr) json["constraint"] = ConstraintReport(constraint, result);
  if (!media.empty()) json["media"] = media;
  if (!boxes.empty()) json["boxes"] = boxes;
  json["finish_reason"] = FinishReasonName(result.finish);
  json["prompt_tokens"] = prompt;
  json["tokens"] = Json::array();
  for (const TokenChoice& choice : result.tokens) json["tokens"].push_back(choice.token);
  if (logprobs) {
    json["logprobs"] = Json::array();
    for (const TokenChoice& choice : result.tokens) {
      Json top = Json::array();
      for (const auto& [id, x] : choice.top) top.push_back({id, x});
      json["logprobs"].push_back(
          {{"token", choice.token}, {"logprob", choice.logprob}, {"top", top}});
    }
  }
  const double decoded = static_cast<double>(result.tokens.size()) - 1;
  json["timings"] = {
      {"load_s", session.load_seconds},
      {"prefill_tokens_per_s",
       static_cast<double>(prompt.size()) / std::max(result.prefill_seconds, 1e-9)},
      {"decode_tokens_per_s", decoded > 0 ? decoded / std::max(result.decode_seconds, 1e-9) : 0.0}};
  if (!media.empty()) json["timings"]["encode_images_s"] = encode_seconds;
  return json;
}

// Thoughts go where they do not mix with the answer.
void ShowText(bool answer, std::string_view piece) {
  (answer ? std::cout : std::cerr) << piece << std::flush;
}

TextRequest RequestOf(const RunOptions& o) {
  TextRequest request;
  request.sampling = o.sampling;
  request.stop_strings = o.stop;
  request.think = ThinkOf(o);
  request.cancelled = InterruptScope::Interrupted;
  if (o.json) return request;
  request.on_text = [](std::string_view piece) { ShowText(true, piece); };
  request.on_thinking = [](std::string_view piece) { ShowText(false, piece); };
  return request;
}

Status Answer(RunOptions o) {
  ASSIGN_OR_RETURN(const std::string text, UserText(o));
  ASSIGN_OR_RETURN(const MediaInput media, ReadMedia(o, text));
  RETURN_IF_ERROR(CheckBox(o, media));
  // The context follows from the prompt, so the tokenizer comes first; the weights are opened once
  // it is known.
  ASSIGN_OR_RETURN(const ModelFiles files, ReadModel(o.model, ReadOptionsOf(o)));
  Json report = media.images.empty() ? Json() : MediaReport(media);
  ASSIGN_OR_RETURN(const std::vector<PreparedViews> images,
                   PrepareImages(files, o.image, media, &report));
  ASSIGN_OR_RETURN(const EncodedPrompt prompt, EncodeQuestion(files, o, text, media, images));
  ASSIGN_OR_RETURN(const CompiledConstraint constraint, CompileConstraint(o.constraint, files));
  const int64_t limit = files.config.max_position_embeddings;
  const int64_t usual = media.images.empty() ? kDefaultMaxTokens : media.max_new_tokens;
  const int64_t max_tokens = o.max_tokens > 0 ? o.max_tokens : usual;
  RETURN_IF_ERROR(CheckContext(prompt, images, o.context > 0 ? o.context : limit, limit));
  const int64_t size = static_cast<int64_t>(prompt.tokens.size());
  const int64_t context = o.context > 0 ? o.context : std::min(limit, size + max_tokens);
  o.images = !images.empty();
  o.constrained = o.constraint.any();
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, OpenSession(o, context));
  ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, OpenEngine(*session, o, context));
  ShowWarnings(media);
  TextRequest request = RequestOf(o);
  const double begin = Now();
  if (o.images) {
    ASSIGN_OR_RETURN(request.media, session->images->EncodePrompt(prompt, images));
  }
  const double encode_seconds = Now() - begin;
  request.prompt = prompt.tokens;
  request.max_tokens = max_tokens;
  request.constraint = constraint.constraint;
  const InterruptScope scope;
  ASSIGN_OR_RETURN(const TextResult result, Generate(*engine, session->files(), request));
  Json boxes;
  if (!o.box.empty()) {
    ASSIGN_OR_RETURN(boxes, DrawAnswerBoxes(result.text, media, o.box));
  }
  if (o.json) {
    std::cout << DumpReport(ResultJson(*session, prompt.tokens, result, constraint, report, boxes,
                                       encode_seconds, o.sampling.logprobs >= 0),
                            -1)
              << "\n";
    return OkStatus();
  }
  std::cout << "\n";
  if (!boxes.empty()) std::cout << DumpReport(boxes, -1) << "\n";
  if (result.finish == FinishReason::kCancelled) return Cancelled("the answer was stopped");
  if (result.finish == FinishReason::kLength || result.finish == FinishReason::kContext) {
    const char* more = result.finish == FinishReason::kLength ? "; --max-tokens allows more"
                       : context < limit                      ? "; --context allows more"
                                         : ", where the context of the model ends";
    std::cerr << "galen: the answer is cut off after " << result.tokens.size() << " tokens" << more
              << "\n";
  }
  if (!result.complete) {
    std::cerr << "galen: the answer is not complete: it does not satisfy --" << constraint.kind
              << "\n";
  }
  return OkStatus();
}

Status Chat(RunOptions o) {
  ASSIGN_OR_RETURN(const ModelFiles files, ReadModel(o.model, ReadOptionsOf(o)));
  const int64_t limit = files.config.max_position_embeddings;
  const int64_t context = o.context > 0 ? o.context : std::min(limit, kChatContext);
  o.images = files.vision_status.ok();
  o.constrained = o.constraint.any();
  if (o.media.any()) RETURN_IF_ERROR(files.vision_status);
  if (!o.box.empty()) return InvalidArgument("--box wants a question on the command line");
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, OpenSession(o, context));
  ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, OpenEngine(*session, o, context));
  ChatContext chat{*engine, session->files(), session->images.get(), o.system,
                   o.media, o.image,          RequestOf(o),          context};
  chat.media.media.seed = o.sampling.seed;
  ASSIGN_OR_RETURN(const CompiledConstraint constraint,
                   CompileConstraint(o.constraint, session->files()));
  chat.request.constraint = constraint.constraint;
  chat.request.max_tokens = o.max_tokens > 0 ? o.max_tokens : context;
  // For the whole conversation: a Ctrl-C that comes a moment after the answer must not end it.
  const InterruptScope scope;
  return Converse(chat, [](const std::function<Status()>& answer) {
    InterruptScope::Forget();
    return answer();
  });
}

}  // namespace

void AddRun(CLI::App& app, Action* action) {
  auto o = std::make_shared<RunOptions>();
  CLI::App* verb =
      app.add_subcommand("run", "Answer a prompt; without one, at a terminal, hold a conversation");
  AddModelArgument(*verb, o.get());
  verb->add_option("prompt", o->prompt, "What to ask");
  verb->add_option("--file", o->file, "Text that goes before the prompt (- is standard input)")
      ->type_name("FILE");
  verb->add_option("--system", o->system, "System text");
  AddMediaOptions(*verb, &o->media);
  AddImageOptions(*verb, &o->image);
  verb->add_option("--box", o->box,
                   "PNG file for the image with the boxes of the answer (asks with the recipe "
                   "'localise' unless --recipe names another)")
      ->type_name("FILE");
  AddProjectorOption(*verb, o.get());
  AddConstraintOptions(*verb, &o->constraint);
  verb->add_option("--think", o->think,
                   "Thoughts of models that think: show (on standard error), hide, or off")
      ->check(CLI::IsMember({"show", "hide", "off"}))
      ->capture_default_str();
  verb->add_flag("--raw", o->raw, "No chat template; BOS as the tokenizer says");
  verb->add_option("--context", o->context,
                   "Tokens of prompt and answer together (0: as many as needed)")
      ->check(CLI::Range(int64_t{0}, kMaxCount));
  verb->add_option("--max-tokens", o->max_tokens,
                   "Tokens of the answer (default 1024; with images, the recipe's)")
      ->check(CLI::Range(int64_t{1}, kMaxCount));
  verb->add_option("--temperature", o->sampling.temperature, "0: always the most likely token")
      ->capture_default_str();
  verb->add_option("--top-k", o->sampling.top_k, "Draw from the K most likely (0: all)");
  verb->add_option("--top-p", o->sampling.top_p, "Draw from the most likely that make up P");
  verb->add_option("--min-p", o->sampling.min_p,
                   "Drop what is less likely than this times the most likely");
  verb->add_option("--repetition-penalty", o->sampling.repetition_penalty,
                   "Above 1: avoid tokens already seen");
  verb->add_option("--frequency-penalty", o->sampling.frequency_penalty,
                   "Subtracted for each use in the answer");
  verb->add_option("--presence-penalty", o->sampling.presence_penalty,
                   "Subtracted once if used in the answer");
  verb->add_option("--seed", o->sampling.seed,
                   "Of the draws, and for the choice of a slide's patches");
  verb->add_option("--logit-bias", o->bias,
                   "ID=VALUE, added to the logit of a token; -inf bans it");
  verb->add_option("--stop", o->stop, "Text that ends the answer and is left out of it");
  verb->add_option("--logprobs", o->sampling.logprobs,
                   "Report each token's log-probability and K alternatives (--json)");
  verb->add_option("--speculate", o->speculate,
                   "off, ngram, or a smaller model of the same vocabulary")
      ->type_name("off|ngram|MODEL");
  AddAdapterOptions(*verb, &o->adapters);
  AddComputeOptions(*verb, o.get());
  verb->add_flag("--json", o->json, "One JSON object instead of text");
  verb->callback([o, action, verb] {
    RequireUsage(ReadAdapterOptions(*verb, &o->adapters));
    RequireUsage(ParseBias(o->bias, &o->sampling));
    RequireUsage(CheckSamplingParams(o->sampling, kMaxCount));
    if (o->sampling.logprobs >= 0 && !o->json) {
      RequireUsage(InvalidArgument("--logprobs goes with --json"));
    }
    RequireUsage(ComputeOf(*o).status());
    const bool asked = !o->prompt.empty() || !o->file.empty();
    const bool chat = !asked && ::isatty(STDIN_FILENO) != 0 && !o->json;
    // In a conversation, files may come later.
    if (!chat) RequireUsage(CheckMediaUsage(*verb, o->media));
    *action = [o, asked, chat]() -> Status {
      RETURN_IF_ERROR(ResolveModel(o.get()));
      if (o->system.empty()) o->system = o->default_system;
      if (asked) return Answer(*o);
      if (chat) return Chat(*o);
      o->file = "-";
      return Answer(*o);
    };
  });
}

}  // namespace galen::cli
