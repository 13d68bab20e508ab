#include "dicomnet/web/store.h"

#include <cstdio>
#include <random>
#include <span>

#include "dicomnet/peers.h"
#include "dicomnet/web/dicom_json.h"
#include "media/dicom/part10.h"

namespace galen::dicomnet {
namespace {

constexpr char kReferencedInstance[] = "00081155", kFailureReason[] = "00081197";

// 128 random bits: they do not stand in the instance by chance.
std::string DrawBoundary() {
  std::random_device random;
  std::string text = "galen-";
  for (int i = 0; i < 4; ++i) {
    char word[16];
    std::snprintf(word, sizeof(word), "%08x", random());
    text += word;
  }
  return text;
}

Result<std::string> InstanceOf(const std::string& file) {
  DicomWarnings ignored;
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(file.data()), file.size());
  const Result<dicom::Part10> parsed = dicom::ParsePart10(bytes, DicomOptions(), &ignored);
  if (!parsed.ok()) return InvalidArgument("what is to be sent is no DICOM file");
  std::string instance = parsed->data_set.Text(dicom::kSopInstance);
  if (!IsUid(instance)) return InvalidArgument("what is to be sent has no UID");
  return instance;
}

// The item of a sequence that is of the instance, or null.
const Json* ItemOf(const Json& answer, const char* sequence, const std::string& instance) {
  for (const Json* item : JsonItems(answer, sequence)) {
    if (JsonText(*item, kReferencedInstance) == instance) return item;
  }
  return nullptr;
}

}  // namespace

Status StoreInstance(WebClient* client, const std::string& file) {
  ASSIGN_OR_RETURN(const std::string instance, InstanceOf(file));
  const std::string boundary = DrawBoundary();
  const std::string body = "--" + boundary + "\r\nContent-Type: application/dicom\r\n\r\n" + file +
                           "\r\n--" + boundary + "--\r\n";
  const WebResult result = client->Post(
      "/studies", "multipart/related; type=\"application/dicom\"; boundary=" + boundary,
      "application/dicom+json", body);
  const int code = result.response.code;
  const Result<std::vector<Json>> answers = ParseDicomJson(result.response.body);
  if (answers.ok() && answers->size() == 1 && (code == 200 || code == 202 || code == 409)) {
    const Json& answer = answers->front();
    if (const Json* failed = ItemOf(answer, "00081198", instance); failed != nullptr) {
      return InvalidArgument(client->name() + " refused the instance, failure reason " +
                             std::to_string(JsonCount(*failed, kFailureReason)));
    }
    if (code != 409 && ItemOf(answer, "00081199", instance) != nullptr) return OkStatus();
  }
  RETURN_IF_ERROR(result.status);
  return DataLoss(client->name() + " does not say whether it keeps the instance");
}

}  // namespace galen::dicomnet
