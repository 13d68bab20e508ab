// POST /pixels/order: the order of slices that were read over several requests, by the code that
// sorts a folder for a model.
#include <algorithm>
#include <limits>
#include <map>

#include "media/dicom/patients.h"
#include "server/api/write_json.h"
#include "server/documents/run_on_documents.h"
#include "server/documents/slice_header.h"
#include "server/documents/upload.h"
#include "server/endpoints.h"

namespace galen::server {
namespace {

constexpr size_t kMostSlices = 20000;

struct OrderCall {
  std::vector<PlacedSlice> slices;
  bool allow_mixed_patients = false;
};

Status ReadCall(const OrderedJson& body, std::string* failed, OrderCall* call) {
  Fields fields(body, "", failed);
  RETURN_IF_ERROR(fields.Check());
  RETURN_IF_ERROR(fields.Bool("allow_mixed_patients", &call->allow_mixed_patients));
  Status status;
  const OrderedJson* slices = fields.Array("slices", &status);
  RETURN_IF_ERROR(status);
  if (slices == nullptr || slices->empty()) return fields.Fail("slices", "is missing or empty");
  if (slices->size() > kMostSlices) {
    return fields.Fail("slices", "has " + std::to_string(slices->size()) + " entries; at most " +
                                     std::to_string(kMostSlices) + " can be sorted together");
  }
  RETURN_IF_ERROR(fields.Finish());
  for (size_t i = 0; i < slices->size(); ++i) {
    PlacedSlice& slice = call->slices.emplace_back();
    RETURN_IF_ERROR(
        ReadSliceHeader((*slices)[i], "slices[" + std::to_string(i) + "]", failed, &slice));
    slice.header.slice.file = static_cast<int64_t>(i);
  }
  return OkStatus();
}

Json SeriesJson(DicomSeries series) {
  const bool backwards = RunsBackwards(series);
  if (backwards) std::reverse(series.slices.begin(), series.slices.end());
  Json slices = Json::array(), locations = Json::array(), times = Json::array();
  for (const DicomSlice& slice : series.slices) {
    slices.push_back(slice.file);
    locations.push_back(slice.location ? Json(*slice.location) : Json());
    times.push_back(slice.time_point);
  }
  Json warnings = Json::array();
  for (const DicomWarning& warning : series.warnings) {
    warnings.push_back({{"code", warning.code}, {"text", warning.text}});
  }
  return {{"slices", slices},
          {"locations", locations},
          {"time_points", times},
          {"order", series.order},
          {"normal", series.normal ? Json(*series.normal) : Json()},
          {"slice_spacing", series.slice_spacing ? Json(*series.slice_spacing) : Json()},
          {"warnings", warnings}};
}

Result<Json> Order(const OrderCall& call) {
  dicom::Patients patients;
  std::map<std::string, size_t> index;
  struct Parts {
    DicomSeries series;
    std::vector<dicom::SliceHeader> headers;
  };
  std::vector<Parts> all;
  for (const PlacedSlice& slice : call.slices) {
    patients.Number(slice.identity);
    const auto [entry, is_new] = index.emplace(slice.series, all.size());
    if (is_new) all.emplace_back().series.series_number = slice.series_number;
    all[entry->second].headers.push_back(slice.header);
  }
  if (patients.count() > 1 && !call.allow_mixed_patients) {
    return InvalidArgument("the files are of " + std::to_string(patients.count()) +
                           " patients; give those of one");
  }
  std::stable_sort(all.begin(), all.end(), [](const Parts& a, const Parts& b) {
    constexpr int64_t kLast = std::numeric_limits<int64_t>::max();
    return a.series.series_number.value_or(kLast) < b.series.series_number.value_or(kLast);
  });
  Json list = Json::array();
  for (Parts& parts : all) {
    dicom::OrderSeries(std::move(parts.headers), &parts.series);
    list.push_back(SeriesJson(std::move(parts.series)));
  }
  return Json{{"series", list}, {"patients", patients.count()}};
}

}  // namespace

void OrderSlices(const Services& services, std::shared_ptr<const HttpRequest> request,
                 std::shared_ptr<Reply> reply) {
  const Result<OrderedJson> body =
      ParseBody(request->body.Reveal(), services.options.max_json_depth);
  if (!body.ok()) return reply->Send(ErrorResponse(Dialect::kOpenAi, ErrorOf(body.status())));
  const auto call = std::make_shared<OrderCall>();
  std::string failed;
  const Status read = ReadCall(*body, &failed, call.get());
  if (!read.ok()) return reply->Send(ErrorResponse(Dialect::kOpenAi, ErrorOfField(read, failed)));
  RunOnDocuments(services, *request, reply, std::stop_source(), [call, reply] {
    const Result<Json> order = Order(*call);
    if (!order.ok())
      return reply->Send(ErrorResponse(Dialect::kOpenAi, ErrorOf(order.status(), "slices")));
    HttpResponse response;
    response.body = WriteJson(*order);
    reply->Send(std::move(response));
  });
}

}  // namespace galen::server
