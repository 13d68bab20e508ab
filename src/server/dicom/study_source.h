// A received study as what other rooms take: pages of documents, and the head of a report.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "dicomnet/inbox.h"
#include "extract/output/output.h"
#include "extract/source/case.h"
#include "server/options.h"

namespace galen::server {

struct StudyPages {
  std::vector<extract::NamedBytes> files;
  std::shared_ptr<const extract::SourceStudy> study;  // with the instances that the files are of
};

// The PDF documents of the study, or where it has none, its pictures (each frame a PNG); reports
// and other objects are passed over. Names are instance UIDs. InvalidArgument: there is neither;
// ResourceExhausted: more than ServerOptions::max_pages pictures or their pixels; DataLoss,
// Unsupported: one cannot be read.
Result<StudyPages> PagesOfStudy(const ServerOptions& options, const dicomnet::Study& study);

}  // namespace galen::server
