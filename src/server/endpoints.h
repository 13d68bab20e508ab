// One function for each endpoint; each has its own file. What they take and answer: docs/API.md.
#pragma once

#include "server/http/router.h"

namespace galen::server {

#define GALEN_ENDPOINT(name) \
  void name(const Services&, std::shared_ptr<const HttpRequest>, std::shared_ptr<Reply>)

GALEN_ENDPOINT(OpenAiChatCompletions);
GALEN_ENDPOINT(OpenAiCompletions);
GALEN_ENDPOINT(OpenAiEmbeddings);
GALEN_ENDPOINT(OpenAiModels);
GALEN_ENDPOINT(OpenAiModel);

GALEN_ENDPOINT(OllamaRoot);
GALEN_ENDPOINT(OllamaVersion);
GALEN_ENDPOINT(OllamaChat);
GALEN_ENDPOINT(OllamaGenerate);
GALEN_ENDPOINT(OllamaEmbed);
GALEN_ENDPOINT(OllamaEmbeddings);
GALEN_ENDPOINT(OllamaTags);
GALEN_ENDPOINT(OllamaShow);
GALEN_ENDPOINT(OllamaPs);
GALEN_ENDPOINT(OllamaPull);
GALEN_ENDPOINT(OllamaPush);
GALEN_ENDPOINT(OllamaCreate);
GALEN_ENDPOINT(OllamaCopy);
GALEN_ENDPOINT(OllamaDelete);
GALEN_ENDPOINT(OllamaPutBlob);
GALEN_ENDPOINT(OllamaHasBlob);
std::shared_ptr<BodySink> OllamaBlobSink(const Services&, const HttpRequest&);

GALEN_ENDPOINT(ExtractDocuments);
GALEN_ENDPOINT(AnalyzeFiles);
GALEN_ENDPOINT(LookAtFiles);
GALEN_ENDPOINT(PixelsOfFiles);
GALEN_ENDPOINT(OrderSlices);
GALEN_ENDPOINT(OpenSlideToSee);
GALEN_ENDPOINT(PartOfSlide);
GALEN_ENDPOINT(CloseSlide);
GALEN_ENDPOINT(ListRecipes);
GALEN_ENDPOINT(ShowJob);
GALEN_ENDPOINT(DeleteJob);

GALEN_ENDPOINT(StowStudies);
GALEN_ENDPOINT(StowStudy);
GALEN_ENDPOINT(DeleteStudy);

GALEN_ENDPOINT(Root);
GALEN_ENDPOINT(PageFileOf);

GALEN_ENDPOINT(HealthLive);
GALEN_ENDPOINT(HealthReady);
GALEN_ENDPOINT(MetricsText);
GALEN_ENDPOINT(OpenApi);
GALEN_ENDPOINT(AuditTail);
GALEN_ENDPOINT(Benchmark);

#undef GALEN_ENDPOINT

std::vector<Endpoint> AllEndpoints();

}  // namespace galen::server
