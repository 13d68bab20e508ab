#include "train/fit_plan.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

#include "base/files.h"
#include "base/memory.h"

namespace galen {
namespace {

constexpr int64_t kLeastSequence = 256;
constexpr int64_t kLeastImageTokens = 64;

// What may be changed next: the option, its value, and what else has to follow.
struct Lever {
  std::string option, from, to, cost;
  TrainOptions options;
};

std::string Text(bool value) { return value ? "true" : "false"; }

class Fitter {
 public:
  Fitter(const TrainOptions& options, const FitSetup& setup) : s_(setup) {
    result_.options = options;
    examples_ = options.per_device_train_batch_size * options.gradient_accumulation_steps;
  }

  Result<FitResult> Run() {
    ASSIGN_OR_RETURN(result_.memory, s_.plan(result_.options));
    using Step = bool (Fitter::*)(Lever*) const;
    for (const Step next :
         {&Fitter::Checkpointing, &Fitter::SmallerBatch, &Fitter::EightBitStates, &Fitter::Weights,
          &Fitter::HeadWeights, &Fitter::SmallerImages, &Fitter::ShorterSequences}) {
      // Again and again, while it helps.
      for (;;) {
        if (Fits()) return std::move(result_);
        Lever lever;
        lever.options = result_.options;
        if (!(this->*next)(&lever)) break;
        ASSIGN_OR_RETURN(const bool smaller, Pull(std::move(lever)));
        if (!smaller) break;
      }
    }
    if (Fits()) return std::move(result_);
    return TooLarge();
  }

 private:
  bool Fits() const { return result_.memory.total() <= s_.bytes; }

  // Takes the lever's options if the run needs less so.
  Result<bool> Pull(Lever lever) {
    const Result<TrainMemory> memory = s_.plan(lever.options);
    if (memory.status().code() == StatusCode::kCancelled) return memory.status();
    if (!memory.ok() || memory->total() >= result_.memory.total()) return false;
    result_.steps.push_back(
        {lever.option, lever.from, lever.to, lever.cost, result_.memory.total(), memory->total()});
    result_.memory = *memory;
    result_.options = std::move(lever.options);
    return true;
  }

  Status TooLarge() const {
    std::string with;
    for (const FitStep& step : result_.steps) {
      with += (with.empty() ? "" : ", ") + step.option + ": " + step.to;
    }
    return ResourceExhausted("nothing fits into " + FormatBytes(s_.bytes) + ": the smallest plan " +
                             DescribeMemory(result_.memory) +
                             (with.empty() ? "" : ", with " + with) +
                             ". Smaller: a smaller lora.r, fewer lora.target_modules or "
                             "modules_to_save, a smaller base");
  }

  bool Checkpointing(Lever* l) const {
    if (l->options.gradient_checkpointing) return false;
    l->options.gradient_checkpointing = true;
    l->option = "gradient_checkpointing", l->from = Text(false), l->to = Text(true);
    l->cost = "the same result, a third more arithmetic";
    return true;
  }

  bool SmallerBatch(Lever* l) const {
    int64_t& size = l->options.per_device_train_batch_size;
    // Pairs are told from the others of their batch: fewer would learn something else.
    if (size < 2 || l->options.task == "contrastive") return false;
    l->option = "per_device_train_batch_size", l->from = std::to_string(size);
    // As many examples in a step as were asked for, or up to size - 1 more.
    size = (size + 1) / 2;
    l->options.gradient_accumulation_steps = (examples_ + size - 1) / size;
    l->to = std::to_string(size);
    l->cost =
        "gradient_accumulation_steps: " + std::to_string(l->options.gradient_accumulation_steps) +
        " makes up for it";
    return l->options.gradient_accumulation_steps <= 65536;
  }

  bool EightBitStates(Lever* l) const {
    if (l->options.optim == "adamw_8bit") return false;
    l->option = "optim", l->from = l->options.optim;
    l->options.optim = l->to = "adamw_8bit";
    l->cost = "moments in 8 bits";
    return true;
  }

  // To 8 bits, then to `last`.
  static bool FewerBits(Lever* l, const char* option, std::string* type, const char* last) {
    if (!l->options.lora.enabled || *type == last) return false;
    l->option = option, l->from = *type;
    *type = l->to = *type == "file" ? "q8_0" : last;
    l->cost = l->to == "q8_0" ? "close to the base in its own type"
                              : "a coarser base; the adapter learns on top of it";
    return true;
  }
  bool Weights(Lever* l) const { return FewerBits(l, "weights", &l->options.weights, "nf4"); }
  bool HeadWeights(Lever* l) const {
    return FewerBits(l, "head_weights", &l->options.head_weights, "q6_k");
  }

  bool SmallerImages(Lever* l) const {
    TrainOptions& o = l->options;
    const int64_t tokens =
        o.image_tokens > 0 ? std::min(o.image_tokens, s_.image_tokens) : s_.image_tokens;
    if (s_.image_tokens == 0 || o.image_fit != "page" || tokens / 4 < kLeastImageTokens) {
      return false;
    }
    o.image_tokens = tokens / 4;
    l->option = "image_tokens", l->from = std::to_string(tokens),
    l->to = std::to_string(tokens / 4);
    l->cost = "the largest images have half the side";
    return true;
  }

  bool ShorterSequences(Lever* l) const {
    TrainOptions& o = l->options;
    if (o.task != "language" || o.max_seq_length / 2 < kLeastSequence) return false;
    l->option = "max_seq_length", l->from = std::to_string(o.max_seq_length);
    o.max_seq_length /= 2;
    l->to = std::to_string(o.max_seq_length);
    l->cost =
        o.on_long_sample == "truncate" ? "longer examples are cut" : "longer examples are left out";
    return true;
  }

  const FitSetup& s_;
  FitResult result_;
  int64_t examples_ = 0;  // of a step, as asked for
};

}  // namespace

Result<int64_t> ParseMemorySize(const std::string& text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  const std::string unit(at, end);
  double factor = 0;
  if (unit == "GB" || unit == "G") factor = 1e9;
  if (unit == "MB" || unit == "M") factor = 1e6;
  const double bytes = number * factor;
  if (error != std::errc() || !(bytes >= 1e6) || bytes > 1e15) {
    return InvalidArgument("\"" + text + "\" is no size of memory; a number with GB or MB: 4GB");
  }
  return static_cast<int64_t>(bytes);
}

int64_t ProcessBytes() {
  const Result<std::string> text = ReadFile("/proc/self/status", 65536);
  if (!text.ok()) return 0;
  const size_t at = text->find("VmRSS:");
  long long kilobytes = 0;
  if (at == std::string::npos || std::sscanf(text->c_str() + at, "VmRSS: %lld", &kilobytes) != 1) {
    return 0;
  }
  return 1024 * kilobytes;
}

std::string DescribeFit(const FitStep& step) {
  return "fit: " + step.option + ": " + step.to + " (was " + step.from +
         "): " + FormatBytes(step.after) + " instead of " + FormatBytes(step.before) + "; " +
         step.cost;
}

Result<FitResult> FitOptions(const TrainOptions& options, const FitSetup& setup) {
  return Fitter(options, setup).Run();
}

}  // namespace galen
