#include "server/endpoints.h"

namespace galen::server {

// method, path, function, answers at once, needs no key, what it is, changes models, takes bodies.
std::vector<Endpoint> AllEndpoints() {
  return {
      {"POST", "/v1/chat/completions", OpenAiChatCompletions, false, false,
       "Answers a conversation"},
      {"POST", "/v1/completions", OpenAiCompletions, false, false,
       "Writes texts on, or scores them"},
      {"POST", "/v1/embeddings", OpenAiEmbeddings, false, false, "Texts as vectors"},
      {"GET", "/v1/models", OpenAiModels, true, false, "The models of this server"},
      {"GET", "/v1/models/*", OpenAiModel, true, false, "One model"},
      {"GET", "/", Root, true, true, "The page for people; programs learn that a server is here"},
      {"GET", "/ui/*", PageFileOf, true, true, "Files of the page"},
      {"GET", "/api/version", OllamaVersion, true, true, "Version of galen"},
      {"POST", "/api/chat", OllamaChat, false, false, "Answers a conversation"},
      {"POST", "/api/generate", OllamaGenerate, false, false, "Answers a prompt"},
      {"POST", "/api/embed", OllamaEmbed, false, false, "Texts as vectors"},
      {"POST", "/api/embeddings", OllamaEmbeddings, false, false,
       "A text as a vector, the older form"},
      {"GET", "/api/tags", OllamaTags, true, false, "The models of this server"},
      {"POST", "/api/show", OllamaShow, true, false, "What a model's files say"},
      {"GET", "/api/ps", OllamaPs, true, false, "The models that are loaded"},
      {"POST", "/api/pull", OllamaPull, false, false, "Fetches a model into the store", true},
      {"POST", "/api/push", OllamaPush, true, false, "Not implemented"},
      {"POST", "/api/create", OllamaCreate, false, false,
       "A model of another one, or of blobs, with texts and defaults of its own", true},
      {"POST", "/api/copy", OllamaCopy, false, false, "A model under another name, too", true},
      {"DELETE", "/api/delete", OllamaDelete, false, false, "Takes a model out of the store", true},
      {"POST", "/api/blobs/*", OllamaPutBlob, false, false, "Content under its digest", true,
       OllamaBlobSink},
      {"HEAD", "/api/blobs/*", OllamaHasBlob, true, false, "Whether the store has it", true},
      {"POST", "/extract", ExtractDocuments, false, false, "Checked values of a medical document"},
      {"POST", "/analyze", AnalyzeFiles, false, false, "A question about files, answered in words"},
      {"POST", "/look", LookAtFiles, false, false, "What a model would see of files"},
      {"POST", "/pixels", PixelsOfFiles, false, false, "The pictures of files as values"},
      {"POST", "/pixels/order", OrderSlices, false, false, "The order of slices of /pixels"},
      {"POST", "/slides", OpenSlideToSee, false, false, "Takes a whole slide to look at"},
      // Quick: looking around is many small requests, none of them an act for audit log and quotas.
      {"GET", "/slides/*", PartOfSlide, true, false,
       "Of such a slide: ID/overview, or ID/tiles/ZOOM/COLUMN/ROW, as JPEG"},
      {"DELETE", "/slides/*", CloseSlide, false, false, "Lets go of such a slide"},
      {"GET", "/recipes", ListRecipes, true, false, "How files can become a model's input"},
      {"GET", "/jobs/*", ShowJob, false, false,
       "A job: how far it is, its answer; ID/events: the same as it comes"},
      {"DELETE", "/jobs/*", DeleteJob, false, false, "Ends a job and removes its answer"},
      {"POST", "/dicom-web/studies", StowStudies, false, false, "Takes DICOM instances (STOW-RS)"},
      {"POST", "/dicom-web/studies/*", StowStudy, false, false,
       "Takes DICOM instances of one study (STOW-RS)"},
      {"DELETE", "/dicom-web/studies/*", DeleteStudy, false, false,
       "Removes a study that was received"},
      {"GET", "/audit", AuditTail, false, false, "The last records of the audit log"},
      {"GET", "/benchmark", Benchmark, false, false, "Limits of the machine, rates of the models"},
      {"GET", "/health", HealthReady, true, true, "The same as /health/ready"},
      {"GET", "/health/live", HealthLive, true, true, "The process answers"},
      {"GET", "/health/ready", HealthReady, true, true, "Requests will be served"},
      {"GET", "/metrics", MetricsText, true, false, "Counters for Prometheus"},
      {"GET", "/openapi.json", OpenApi, true, false, "This list, for programs"},
  };
}

}  // namespace galen::server
