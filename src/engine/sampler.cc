#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numeric>
#include <string>
#include <unordered_map>

namespace galen {
namespace {

// A counter-based generator: the finaliser of splitmix64 (Steele, Lea, Flood 2014), twice.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

double Uniform(uint64_t seed, uint64_t counter) {
  return static_cast<double>(Mix(Mix(seed) ^ counter) >> 11) * 0x1.0p-53;
}

int32_t ArgMax(std::span<const float> logits) {
  int32_t best = 0;
  for (size_t i = 1; i < logits.size(); ++i) {
    if (logits[i] > logits[best] || std::isnan(logits[best])) best = static_cast<int32_t>(i);
  }
  return best;
}

void Penalise(const SamplingParams& params, std::span<float> logits,
              std::span<const int32_t> history, size_t answer_begin) {
  if (params.repetition_penalty != 1.0f) {
    std::vector<int32_t> seen(history.begin(), history.end());
    std::sort(seen.begin(), seen.end());
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    for (int32_t id : seen) {
      float& x = logits[id];
      x = x > 0 ? x / params.repetition_penalty : x * params.repetition_penalty;
    }
  }
  if (params.frequency_penalty != 0.0f || params.presence_penalty != 0.0f) {
    std::unordered_map<int32_t, int> counts;
    for (size_t i = answer_begin; i < history.size(); ++i) ++counts[history[i]];
    for (const auto& [id, count] : counts) {
      logits[id] -= params.frequency_penalty * static_cast<float>(count) + params.presence_penalty;
    }
  }
  for (const auto& [id, bias] : params.logit_bias) logits[id] += bias;
}

// Candidates that the filters leave, of logits whose largest is 0; in an order that depends on the
// logits alone.
std::vector<int32_t> Candidates(const SamplingParams& params, std::span<const float> logits) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto more_likely = [&](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  const size_t keep = params.top_k > 0 ? std::min<size_t>(params.top_k, ids.size()) : ids.size();
  if (keep < ids.size()) {
    std::nth_element(ids.begin(), ids.begin() + static_cast<int64_t>(keep) - 1, ids.end(),
                     more_likely);
    ids.resize(keep);
  }
  if (params.top_p >= 1.0f && params.min_p <= 0.0f) return ids;
  // A heap, since few of a large vocabulary are usually kept.
  const auto less_likely = [&](int32_t a, int32_t b) { return more_likely(b, a); };
  std::make_heap(ids.begin(), ids.end(), less_likely);
  double total = 0;
  for (int32_t id : ids) total += std::exp(static_cast<double>(logits[id]));
  std::vector<int32_t> kept;
  double sum = 0;
  while (kept.size() < ids.size()) {
    const int32_t id = ids.front();
    const double weight = std::exp(static_cast<double>(logits[id]));
    if (!kept.empty() && (sum >= params.top_p * total || weight < params.min_p)) break;
    sum += weight;
    kept.push_back(id);
    std::pop_heap(ids.begin(), ids.end() - static_cast<int64_t>(kept.size()) + 1, less_likely);
  }
  return kept;
}

}  // namespace

float LogSumExp(std::span<const float> logits) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  if (!std::isfinite(largest)) return largest;
  double sum = 0;
  for (float x : logits) sum += std::exp(static_cast<double>(x - largest));
  return largest + static_cast<float>(std::log(sum));
}

Status CheckSamplingParams(const SamplingParams& p, int64_t vocab_size) {
  const auto bad = [](const std::string& field, double value, const std::string& range) {
    char number[32];
    std::snprintf(number, sizeof(number), "%g", value);
    return InvalidArgument(field + " is " + number + "; it must be " + range);
  };
  if (!(p.temperature >= 0.0f && p.temperature <= 100.0f))
    return bad("temperature", p.temperature, "from 0 to 100");
  if (p.top_k < 0) return bad("top_k", p.top_k, "0 (all) or more");
  if (!(p.top_p > 0.0f && p.top_p <= 1.0f)) return bad("top_p", p.top_p, "above 0 and at most 1");
  if (!(p.min_p >= 0.0f && p.min_p <= 1.0f)) return bad("min_p", p.min_p, "from 0 to 1");
  if (!(p.repetition_penalty > 0.0f && p.repetition_penalty <= 10.0f)) {
    return bad("repetition_penalty", p.repetition_penalty, "above 0 and at most 10");
  }
  if (!(std::fabs(p.frequency_penalty) <= 10.0f))
    return bad("frequency_penalty", p.frequency_penalty, "from -10 to 10");
  if (!(std::fabs(p.presence_penalty) <= 10.0f))
    return bad("presence_penalty", p.presence_penalty, "from -10 to 10");
  if (p.logprobs < -1 || p.logprobs > 100) return bad("logprobs", p.logprobs, "from 0 to 100");
  for (const auto& [id, bias] : p.logit_bias) {
    if (id < 0 || id >= vocab_size)
      return bad("a token id of logit_bias", id, "below " + std::to_string(vocab_size));
    if (std::isnan(bias)) return bad("a value of logit_bias", bias, "a number");
  }
  return OkStatus();
}

TokenChoice Sample(const SamplingParams& params, std::span<float> logits,
                   std::span<const int32_t> history, size_t answer_begin,
                   const std::function<void(std::span<float>)>& constrain) {
  TokenChoice choice;
  for (float& x : logits) {
    if (std::isnan(x))
      x = -std::numeric_limits<float>::infinity();  // never chosen, and comparisons stay an order
  }
  float lse = 0;
  std::vector<float> raw;
  if (params.logprobs >= 0) {
    raw.assign(logits.begin(), logits.end());
    lse = LogSumExp(raw);
    const size_t n = std::min<size_t>(params.logprobs, raw.size());
    std::vector<int32_t> ids(raw.size());
    std::iota(ids.begin(), ids.end(), 0);
    std::partial_sort(
        ids.begin(), ids.begin() + static_cast<int64_t>(n), ids.end(),
        [&](int32_t a, int32_t b) { return raw[a] != raw[b] ? raw[a] > raw[b] : a < b; });
    for (size_t i = 0; i < n; ++i) choice.top.emplace_back(ids[i], raw[ids[i]] - lse);
  }
  Penalise(params, logits, history, answer_begin);
  if (constrain) constrain(logits);
  choice.token = ArgMax(logits);
  const float largest = logits[choice.token];
  if (params.temperature > 0.0f && std::isfinite(largest)) {  // a bias of infinity decides alone
    for (float& x : logits) x = (x - largest) / params.temperature;
    const std::vector<int32_t> ids = Candidates(params, logits);
    double total = 0;
    for (int32_t id : ids) total += std::exp(static_cast<double>(logits[id]));
    double left = Uniform(params.seed, history.size()) * total;
    for (int32_t id : ids) {
      left -= std::exp(static_cast<double>(logits[id]));
      if (left < 0) {
        choice.token = id;
        break;
      }
    }
  }
  if (params.logprobs >= 0) choice.logprob = raw[choice.token] - lse;
  return choice;
}

}  // namespace galen
