#include "media/dicom/dicom_info.h"

#include <algorithm>

#include "media/dicom/transfer_syntax.h"

namespace galen::dicom {
namespace {

constexpr uint16_t kWord = Vr('U', 'S');

std::vector<DicomOverlay> ReadOverlays(const DataSet& data_set) {
  std::vector<DicomOverlay> overlays;
  for (int group = 0x6000; group <= 0x601E; group += 2) {
    const Tag base = static_cast<Tag>(group - 0x6000) << 16;
    const std::optional<int64_t> rows = data_set.Integer(kOverlayRows + base, kWord);
    const std::optional<int64_t> columns = data_set.Integer(kOverlayColumns + base, kWord);
    if (!rows || !columns) continue;
    DicomOverlay overlay;
    overlay.group = group;
    overlay.rows = *rows;
    overlay.columns = *columns;
    overlay.type = data_set.Text(kOverlayType + base);
    const std::vector<double> origin = data_set.Numbers(kOverlayOrigin + base, Vr('S', 'S'));
    if (origin.size() == 2) {
      overlay.first_row = static_cast<int64_t>(std::clamp(origin[0], -32768.0, 32767.0));
      overlay.first_column = static_cast<int64_t>(std::clamp(origin[1], -32768.0, 32767.0));
    }
    overlay.embedded = !data_set.Has(kOverlayData + base);
    overlays.push_back(overlay);
  }
  return overlays;
}

}  // namespace

DicomInfo DescribeDataSet(const DataSet& data_set, const TransferSyntax& syntax,
                          bool keep_identity) {
  DicomInfo info;
  info.sop_class = data_set.Text(kSopClass);
  info.transfer_syntax = syntax.uid;
  info.transfer_syntax_name = syntax.name;
  info.modality = data_set.Text(kModality);
  info.body_part = data_set.Text(kBodyPart);
  info.view_position = data_set.Text(kViewPosition);
  info.laterality = data_set.Text(kImageLaterality);
  if (info.laterality.empty()) info.laterality = data_set.Text(kLaterality);
  info.image_type = data_set.Texts(kImageType);
  info.series_number = data_set.Integer(kSeriesNumber, Vr('I', 'S'));
  info.acquisition_number = data_set.Integer(kAcquisitionNumber, Vr('I', 'S'));
  info.instance_number = data_set.Integer(kInstanceNumber, Vr('I', 'S'));
  info.overlays = ReadOverlays(data_set);
  info.burned_in = data_set.Text(kBurnedIn);
  info.recognizable_features = data_set.Text(kRecognizableFeatures);
  info.lossy = data_set.Text(kLossyCompression) == "01" || syntax.always_lossy;
  info.lossy_ratios = data_set.Numbers(kLossyRatio, Vr('D', 'S'));
  if (data_set.Has(kDocument)) info.document_type = data_set.Text(kDocumentMime);
  info.identity_removed = data_set.Text(kIdentityRemoved) == "YES";
  info.identity = ReadIdentity(data_set, keep_identity);
  return info;
}

void DescribePadding(const DataSet& data_set, DicomInfo* info) {
  const uint16_t vr = info->format.is_signed ? Vr('S', 'S') : kWord;
  const std::optional<int64_t> value = data_set.Integer(kPixelPadding, vr);
  if (!value) return;
  const int64_t limit = data_set.Integer(kPixelPaddingLimit, vr).value_or(*value);
  info->padding_low = std::min(*value, limit);
  info->padding_high = std::max(*value, limit);
}

}  // namespace galen::dicom
