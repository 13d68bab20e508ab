#include "server/ollama/params.h"

#include <algorithm>
#include <cmath>

namespace galen::server {
namespace {

Status ReadOptions(const OrderedJson& object, const char* where, std::string* failed,
                   GenerateParams* params) {
  Fields fields(object, where, failed);
  RETURN_IF_ERROR(fields.Check());
  SamplingParams& s = params->sampling;
  constexpr int64_t kMost = int64_t{1} << 53;
  int64_t top_k = s.top_k, predict = params->max_tokens, context = 0;
  int64_t seed = params->seeded ? static_cast<int64_t>(s.seed) : -1;
  float typical = 1, mirostat = 0;
  RETURN_IF_ERROR(fields.Number("temperature", 0, 100, &s.temperature));
  RETURN_IF_ERROR(fields.Int("top_k", 0, 1 << 20, &top_k));
  s.top_k = static_cast<int32_t>(top_k);
  RETURN_IF_ERROR(fields.Number("top_p", 0, 1, &s.top_p));
  if (s.top_p == 0.0f) s.top_p = 1e-6f;
  RETURN_IF_ERROR(fields.Number("min_p", 0, 1, &s.min_p));
  RETURN_IF_ERROR(fields.Number("repeat_penalty", 0.01, 10, &s.repetition_penalty));
  RETURN_IF_ERROR(fields.Number("presence_penalty", -10, 10, &s.presence_penalty));
  RETURN_IF_ERROR(fields.Number("frequency_penalty", -10, 10, &s.frequency_penalty));
  RETURN_IF_ERROR(fields.Int("seed", -kMost, kMost, &seed));
  // -1 is Ollama's way to ask for a drawn one.
  params->seeded = seed >= 0;
  s.seed = static_cast<uint64_t>(seed);
  RETURN_IF_ERROR(fields.Int("num_predict", -2, int64_t{1} << 31, &predict));
  params->max_tokens = predict < 0 ? -1 : predict;
  RETURN_IF_ERROR(fields.Strings("stop", 16, &params->stop));
  // The context of a model is fixed when it is loaded; what does not fit is refused.
  RETURN_IF_ERROR(fields.Int("num_ctx", 0, int64_t{1} << 31, &context));
  RETURN_IF_ERROR(fields.Number("typical_p", 0, 1, &typical));
  if (typical != 1.0f)
    return fields.Fail("typical_p", "is not supported: galen has top_p and min_p");
  RETURN_IF_ERROR(fields.Number("mirostat", 0, 2, &mirostat));
  if (mirostat != 0.0f) return fields.Fail("mirostat", "is not supported");
  return OkStatus();  // other options concern Ollama's own machinery, and Ollama itself only warns
}

}  // namespace

Status CheckParameters(const OrderedJson& parameters, std::string* failed) {
  GenerateParams unused;
  RETURN_IF_ERROR(ReadOptions(parameters, "parameters", failed, &unused));
  Fields fields(parameters, "parameters", failed);
  fields.Accept({"temperature", "top_k", "top_p", "min_p", "repeat_penalty", "presence_penalty",
                 "frequency_penalty", "seed", "num_predict", "stop"});
  RETURN_IF_ERROR(fields.Refuse("num_ctx", "the context is the server's (--context)"));
  return fields.Finish();
}

Status ReadOllamaParams(Fields* fields, const std::string& defaults, std::string* failed,
                        OllamaParams* params) {
  GenerateParams& generate = params->generate;
  SamplingParams& s = generate.sampling;
  s.temperature = 0.8f;
  s.top_k = 40;
  s.top_p = 0.9f;
  if (!defaults.empty()) {
    ASSIGN_OR_RETURN(const OrderedJson object, ParseOrderedJson(defaults, 8));
    RETURN_IF_ERROR(ReadOptions(object, "the model's parameters", failed, &generate));
  }
  Status status;
  const OrderedJson* options = fields->Object("options", &status);
  RETURN_IF_ERROR(status);
  if (options != nullptr) RETURN_IF_ERROR(ReadOptions(*options, "options", failed, &generate));
  RETURN_IF_ERROR(fields->Bool("stream", &params->stream));
  RETURN_IF_ERROR(ReadKeepAlive(fields, &params->keep_alive));
  if (const OrderedJson* think = fields->Any("think")) {
    const std::string level = think->is_string() ? think->get<std::string>() : "";
    const bool known = level == "low" || level == "medium" || level == "high" || level == "max";
    if (!think->is_boolean() && !known)
      return fields->Fail("think", "must be true, false, low, medium, high or max");
    if (think->is_boolean() && !think->get<bool>()) generate.think = Think::kOff;
  }
  if (const OrderedJson* format = fields->Any("format")) {
    const std::string name = format->is_string() ? format->get<std::string>() : "";
    if (format->is_object()) {
      generate.schema = format->dump();
    } else if (name == "json") {
      generate.schema = kAnyJsonObject;
    } else if (!format->is_string() || !name.empty()) {
      return fields->Fail("format", "must be \"json\" or a JSON Schema");
    }
    generate.schema_field = "format";
  }
  bool logprobs = false;
  int64_t top = 0;
  RETURN_IF_ERROR(fields->Bool("logprobs", &logprobs));
  RETURN_IF_ERROR(fields->Int("top_logprobs", 0, 20, &top));
  if (logprobs) s.logprobs = static_cast<int32_t>(top);
  // Prompts that do not fit are refused, never cut: a half-read document is a wrong answer.
  fields->Accept({"model"});
  RETURN_IF_ERROR(fields->AcceptBools({"truncate", "shift"}));
  return fields->Refuse("_debug_render_only", "it is Ollama's own", {OrderedJson(false)});
}

Result<std::chrono::seconds> ParseKeepAlive(const OrderedJson& value) {
  const Status bad =
      InvalidArgument("must be a number of seconds or a duration such as 5m, 1h30m, 0, -1");
  // A year is as good as for ever, and far from overflow.
  constexpr double kYear = 366.0 * 24 * 3600;
  if (value.is_number()) {
    const double x = value.get<double>();
    if (!std::isfinite(x)) return bad;
    return std::chrono::seconds(static_cast<int64_t>(std::clamp(x, -1.0, kYear)));
  }
  if (!value.is_string()) return bad;
  std::string text = value.get<std::string>();
  const bool negative = text.starts_with('-');
  if (negative) text.erase(0, 1);
  if (text.empty() || text.size() > 32) return bad;
  double total = 0;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find_first_not_of("0123456789.", at);
    if (end == at) return bad;
    double number = 0;
    try {
      number = std::stod(text.substr(at, end == text.npos ? text.npos : end - at));
    } catch (const std::exception&) {
      return bad;
    }
    if (end == text.npos) {  // no unit: seconds, alone
      if (at != 0) return bad;
      total = number;
      break;
    }
    const size_t next = std::min(text.find_first_of("0123456789.", end), text.size());
    const std::string unit = text.substr(end, next - end);
    if (unit == "h")
      total += number * 3600;
    else if (unit == "m")
      total += number * 60;
    else if (unit == "s")
      total += number;
    else if (unit == "ms")
      total += number / 1000;
    else
      return bad;
    at = next;
  }
  if (negative) return std::chrono::seconds(total > 0 ? -1 : 0);
  return std::chrono::seconds(static_cast<int64_t>(std::min(total, kYear)));
}

Status ReadKeepAlive(Fields* fields, std::optional<std::chrono::seconds>* time) {
  const OrderedJson* value = fields->Any("keep_alive");
  if (value == nullptr) return OkStatus();
  const Result<std::chrono::seconds> parsed = ParseKeepAlive(*value);
  if (!parsed.ok()) return fields->Fail("keep_alive", parsed.status().message());
  *time = *parsed;
  return OkStatus();
}

}  // namespace galen::server
