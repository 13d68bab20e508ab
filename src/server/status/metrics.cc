#include "server/status/metrics.h"

#include <algorithm>

#include "server/dicom/study_room.h"
#include "server/documents/document_pool.h"

namespace galen::server {
namespace {

std::string Label(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string Decimal(double x) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.9g", x);
  return text;
}

void Header(std::string* out, const char* name, const char* type, const char* help) {
  *out += "# HELP " + std::string(name) + " " + help + "\n# TYPE " + name + " " + type + "\n";
}

struct HostMetric {
  const char* name;
  const char* type;
  const char* help;
  int64_t (*value)(const ModelHost& host);
};

constexpr HostMetric kHostMetrics[] = {
    {"galen_requests_waiting", "gauge", "Requests in the queue of a model",
     [](const ModelHost& h) { return h.counters().waiting.load(); }},
    {"galen_requests_running", "gauge", "Sequences in the batch of a model",
     [](const ModelHost& h) { return h.counters().running.load(); }},
    {"galen_requests_total", "counter", "Answers and scores asked of a model",
     [](const ModelHost& h) { return h.counters().requests.load(); }},
    {"galen_requests_refused_total", "counter", "Refused since the queue was full",
     [](const ModelHost& h) { return h.counters().refused.load(); }},
    {"galen_requests_cancelled_total", "counter", "Ended since the client had left",
     [](const ModelHost& h) { return h.counters().cancelled.load(); }},
    {"galen_requests_failed_total", "counter", "Ended by an error",
     [](const ModelHost& h) { return h.counters().failed.load(); }},
    {"galen_prompt_tokens_total", "counter", "Tokens of prompts that were computed",
     [](const ModelHost& h) { return h.counters().prompt_tokens.load(); }},
    {"galen_cached_tokens_total", "counter", "Tokens of prompts taken from the prefix cache",
     [](const ModelHost& h) { return h.counters().cached_tokens.load(); }},
    {"galen_answer_tokens_total", "counter", "Tokens of answers",
     [](const ModelHost& h) { return h.counters().answer_tokens.load(); }},
    {"galen_scored_tokens_total", "counter", "Tokens whose log-probabilities were asked for",
     [](const ModelHost& h) { return h.counters().scored_tokens.load(); }},
    {"galen_embedded_tokens_total", "counter", "Tokens of texts that became vectors",
     [](const ModelHost& h) { return h.counters().embedded_tokens.load(); }},
    {"galen_images_total", "counter", "Images that went through the tower",
     [](const ModelHost& h) { return h.counters().images.load(); }},
    {"galen_steps_total", "counter", "Batches computed",
     [](const ModelHost& h) { return h.counters().steps.load(); }},
    {"galen_preemptions_total", "counter", "Sequences that gave their pages back for a while",
     [](const ModelHost& h) { return h.counters().preemptions.load(); }},
    {"galen_kv_pages_used", "gauge", "Pages of the cache of keys and values that are in use",
     [](const ModelHost& h) { return h.counters().kv_pages_used.load(); }},
    {"galen_kv_pages_cached", "gauge",
     "Of these, kept for prompts that begin alike; all of them when nothing runs",
     [](const ModelHost& h) { return h.counters().kv_pages_cached.load(); }},
    {"galen_model_bytes", "gauge", "Memory of a loaded model: weights, cache, activations",
     [](const ModelHost& h) { return h.reserved_bytes(); }},
};

}  // namespace

void Metrics::Count(const std::string& route, int status, double seconds, int64_t bytes) {
  const std::lock_guard lock(mutex_);
  Route& r = routes_[route];
  const auto bucket = std::lower_bound(kBounds.begin(), kBounds.end(), seconds) - kBounds.begin();
  ++r.buckets[static_cast<size_t>(bucket)];
  r.seconds += seconds;
  ++r.count;
  r.bytes += bytes;
  ++r.statuses[status];
}

std::string Metrics::Text(const Services& services) const {
  std::string out;
  Header(&out, "galen_build_info", "gauge", "Version of this server");
  out += "galen_build_info{version=\"" + Label(services.options.version) + "\"} 1\n";
  Header(&out, "galen_connections", "gauge", "Open connections");
  out += "galen_connections " + std::to_string(services.connections()) + "\n";
  {
    const std::lock_guard lock(mutex_);
    Header(&out, "galen_http_requests_total", "counter", "Requests by route and status");
    for (const auto& [route, r] : routes_) {
      for (const auto& [status, count] : r.statuses) {
        out += "galen_http_requests_total{route=\"" + Label(route) + "\",status=\"" +
               std::to_string(status) + "\"} " + std::to_string(count) + "\n";
      }
    }
    Header(&out, "galen_http_sent_bytes_total", "counter", "Bytes of answers");
    for (const auto& [route, r] : routes_) {
      out += "galen_http_sent_bytes_total{route=\"" + Label(route) + "\"} " +
             std::to_string(r.bytes) + "\n";
    }
    Header(&out, "galen_http_request_seconds", "histogram", "From the head to the last byte");
    for (const auto& [route, r] : routes_) {
      const std::string name =
          "galen_http_request_seconds_bucket{route=\"" + Label(route) + "\",le=\"";
      int64_t sum = 0;
      for (size_t i = 0; i < kBounds.size(); ++i) {
        sum += r.buckets[i];
        out += name + Decimal(kBounds[i]) + "\"} " + std::to_string(sum) + "\n";
      }
      out += name + "+Inf\"} " + std::to_string(r.count) + "\n";
      out += "galen_http_request_seconds_sum{route=\"" + Label(route) + "\"} " +
             Decimal(r.seconds) + "\ngalen_http_request_seconds_count{route=\"" + Label(route) +
             "\"} " + std::to_string(r.count) + "\n";
    }
  }
  const DocumentCounters& documents = services.documents.counters();
  const auto count = [&](const char* name, const char* type, const char* help, int64_t value) {
    Header(&out, name, type, help);
    out += std::string(name) + " " + std::to_string(value) + "\n";
  };
  count("galen_documents_waiting", "gauge", "Cases that wait for a thread", documents.waiting);
  count("galen_documents_running", "gauge", "Cases at work", documents.running);
  count("galen_documents_total", "counter", "Cases taken in", documents.requests);
  count("galen_documents_refused_total", "counter", "Refused since too many waited",
        documents.refused);
  count("galen_pages_total", "counter", "Pages opened of documents", documents.pages);
  if (services.studies != nullptr) {
    const StudyCounters& dicom = services.studies->counters();
    const dicomnet::Inbox::Counts held = services.studies->inbox().counts();
    count("galen_dicom_associations_total", "counter", "Associations that ended",
          dicom.associations);
    count("galen_dicom_rejected_total", "counter", "Associations that were rejected",
          dicom.rejected);
    count("galen_dicom_stored_total", "counter", "Instances taken in", dicom.stored);
    count("galen_dicom_refused_total", "counter", "Instances refused", dicom.refused);
    count("galen_dicom_sent_total", "counter", "Reports sent", dicom.sent);
    count("galen_dicom_unsent_total", "counter", "Reports that could not be sent", dicom.unsent);
    count("galen_dicom_studies", "gauge", "Studies in the inbox", held.studies);
    count("galen_dicom_instances", "gauge", "Instances in the inbox", held.instances);
    count("galen_dicom_bytes", "gauge", "Bytes in the inbox", held.bytes);
  }
  const std::vector<ModelRegistry::Loaded> loaded = services.models.loaded();
  for (const HostMetric& metric : kHostMetrics) {
    if (loaded.empty()) break;
    Header(&out, metric.name, metric.type, metric.help);
    for (const ModelRegistry::Loaded& model : loaded) {
      out += std::string(metric.name) + "{model=\"" + Label(model.info->spec.name) + "\"} " +
             std::to_string(metric.value(*model.host)) + "\n";
    }
  }
  return out;
}

}  // namespace galen::server
