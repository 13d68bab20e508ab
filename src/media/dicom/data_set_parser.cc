#include "media/dicom/data_set_parser.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "media/dicom/byte_order.h"

namespace galen::dicom {
namespace {

constexpr uint32_t kUndefined = 0xFFFFFFFF;

// Sequences whose items are kept; others are stepped over.
constexpr Tag kKeptSequences[] = {kDirectoryRecords, kModalityLuts,         kVoiLuts,
                                  kSharedGroups,     kPerFrameGroups,       kPlanePositions,
                                  kPixelMeasures,    kPlaneOrientations,    kFrameVoiLuts,
                                  kFrameContents,    kValueTransformations, kPlanePositionsSlide};

bool IsKept(Tag tag) {
  return std::find(std::begin(kKeptSequences), std::end(kKeptSequences), tag) !=
         std::end(kKeptSequences);
}

// VRs whose explicit form has a 32-bit length (PS3.5 table 7.1-1).
bool HasLongLength(uint16_t vr) {
  constexpr uint16_t kLong[] = {Vr('O', 'B'), Vr('O', 'D'), Vr('O', 'F'), Vr('O', 'L'),
                                Vr('O', 'V'), Vr('O', 'W'), Vr('S', 'Q'), Vr('S', 'V'),
                                Vr('U', 'C'), Vr('U', 'N'), Vr('U', 'R'), Vr('U', 'T'),
                                Vr('U', 'V')};
  return std::find(std::begin(kLong), std::end(kLong), vr) != std::end(kLong);
}

bool LooksLikeVr(const uint8_t* p) {
  return p[0] >= 'A' && p[0] <= 'Z' && p[1] >= 'A' && p[1] <= 'Z';
}

struct Header {
  Tag tag = 0;
  uint16_t vr = 0;
  uint32_t length = 0;
  size_t value = 0;  // offset of the value
};

class Parser {
 public:
  Parser(std::span<const uint8_t> bytes, Encoding encoding, const DicomOptions& options,
         DicomWarnings* warnings)
      : bytes_(bytes), encoding_(encoding), options_(options), warnings_(warnings) {}

  Status ParseTop(DataSet* out) {
    const Status status = ParseBody(bytes_.size(), false, 0, encoding_, out);
    // What follows the pixels is padding or a signature; the image is whole without it.
    if (!status.ok() && pixels_seen_) {
      Warn("trailing-data", "what follows the pixel data cannot be read and was ignored");
      return OkStatus();
    }
    return status;
  }

  Status ParseMeta(DataSet* out, size_t* end) {
    while (bytes_.size() - position_ >= 8 && Load<uint16_t>(bytes_.data() + position_) == 0x0002) {
      RETURN_IF_ERROR(ParseElement(bytes_.size(), 0, encoding_, out));
    }
    *end = position_;
    return OkStatus();
  }

 private:
  Status Error(const std::string& what, size_t at) const {
    return DataLoss("DICOM data set: " + what + " at byte " + std::to_string(at));
  }

  void Warn(const char* code, const char* text) {
    if (warnings_ != nullptr) warnings_->push_back({code, text});
  }

  // Reads the header at position_ and moves to its value.
  Status ReadHeader(size_t end, Encoding encoding, Header* header) {
    const size_t at = position_;
    if (end - at < 8) return Error("the file ends inside an element", at);
    const uint8_t* p = bytes_.data() + at;
    const bool big = encoding.big_endian;
    header->tag = static_cast<Tag>(Load<uint16_t>(p, big)) << 16 | Load<uint16_t>(p + 2, big);
    header->vr = 0;
    position_ = at + 8;
    const bool structural = header->tag >> 16 == 0xFFFE;
    // Some writers put implicit elements into explicit data sets; no VR there means a 32-bit
    // length.
    if (structural || !encoding.explicit_vr || !LooksLikeVr(p + 4)) {
      header->length = Load<uint32_t>(p + 4, big);
    } else {
      header->vr = static_cast<uint16_t>(p[4] << 8 | p[5]);
      if (HasLongLength(header->vr)) {
        if (end - at < 12) return Error("the file ends inside an element", at);
        header->length = Load<uint32_t>(p + 8, big);
        position_ = at + 12;
      } else {
        header->length = Load<uint16_t>(p + 6, big);
      }
    }
    header->value = position_;
    return OkStatus();
  }

  Status ParseBody(size_t end, bool until_item_end, int depth, Encoding encoding, DataSet* out) {
    while (!stop_ && position_ < end) {
      if (end - position_ < 8) {
        const std::span<const uint8_t> rest = bytes_.subspan(position_, end - position_);
        const bool padding =
            std::all_of(rest.begin(), rest.end(), [](uint8_t b) { return b == 0; });
        if (depth == 0 && padding) return OkStatus();
        return Error("the data ends inside an element", position_);
      }
      if (until_item_end) {
        const uint8_t* p = bytes_.data() + position_;
        const Tag tag = static_cast<Tag>(Load<uint16_t>(p, encoding.big_endian)) << 16 |
                        Load<uint16_t>(p + 2, encoding.big_endian);
        if (tag == kItemEnd) {
          position_ += 8;
          return OkStatus();
        }
      }
      RETURN_IF_ERROR(ParseElement(end, depth, encoding, out));
    }
    if (until_item_end && !stop_) return Error("an item of undefined length has no end", position_);
    return OkStatus();
  }

  Status ParseElement(size_t end, int depth, Encoding encoding, DataSet* out) {
    if (++count_ > options_.max_elements) {
      return ResourceExhausted("DICOM data set has more than " +
                               std::to_string(options_.max_elements) + " elements");
    }
    const size_t at = position_;
    Header header;
    RETURN_IF_ERROR(ReadHeader(end, encoding, &header));
    if (header.tag >> 16 == 0xFFFE) return Error("an item delimiter outside of a sequence", at);
    Element element;
    element.tag = header.tag;
    element.vr = header.vr;
    element.undefined_length = header.length == kUndefined;
    const size_t rest = end - header.value;
    const bool pixels = depth == 0 && (header.tag == kPixelData || header.tag == kFloatPixelData ||
                                       header.tag == kDoublePixelData);
    if (pixels) {
      pixels_seen_ = true;
      element.truncated = !element.undefined_length && header.length > rest;
      const size_t length = std::min<size_t>(header.length, rest);
      element.value = bytes_.subspan(header.value, length);
      stop_ = element.undefined_length;
      position_ = header.value + length;
    } else if (element.undefined_length || header.vr == Vr('S', 'Q') || IsKept(header.tag)) {
      if (!element.undefined_length && header.length > rest) return TooLong(header, rest, at);
      const size_t limit = element.undefined_length ? end : header.value + header.length;
      // PS3.5 6.2.2 note 1: a UN of undefined length is a sequence in implicit little endian.
      const Encoding inner = header.vr == Vr('U', 'N') ? Encoding{false, false} : encoding;
      const bool fragments = header.vr == Vr('O', 'B') || header.vr == Vr('O', 'W');
      const bool keep = out != nullptr && IsKept(header.tag) && !fragments;
      RETURN_IF_ERROR(ParseItems(limit, element.undefined_length, fragments, depth, inner,
                                 keep ? &element.items : nullptr));
    } else {
      if (header.length > rest) return TooLong(header, rest, at);
      element.value = bytes_.subspan(header.value, header.length);
      position_ = header.value + header.length;
    }
    if (out != nullptr) out->mutable_elements().push_back(std::move(element));
    return OkStatus();
  }

  Status TooLong(const Header& header, size_t rest, size_t at) const {
    return Error("an element says " + std::to_string(header.length) + " bytes where " +
                     std::to_string(rest) + " are left",
                 at);
  }

  Status ParseItems(size_t end, bool until_sequence_end, bool fragments, int depth,
                    Encoding encoding, std::vector<DataSet>* items) {
    if (depth >= options_.max_depth) {
      return ResourceExhausted("DICOM data set nests sequences deeper than " +
                               std::to_string(options_.max_depth));
    }
    while (position_ < end) {
      const size_t at = position_;
      Header header;
      RETURN_IF_ERROR(ReadHeader(end, encoding, &header));
      if (header.tag == kSequenceEnd) {
        if (until_sequence_end) return OkStatus();
        continue;  // superfluous, some writers add it
      }
      if (header.tag != kItem) return Error("something other than an item in a sequence", at);
      if (++count_ > options_.max_elements) {
        return ResourceExhausted("DICOM data set has more than " +
                                 std::to_string(options_.max_elements) + " elements");
      }
      const bool undefined = header.length == kUndefined;
      const size_t rest = end - position_;
      if (!undefined && header.length > rest) return TooLong(header, rest, at);
      if (fragments) {
        if (undefined) return Error("a fragment of undefined length", at);
        position_ += header.length;
        continue;
      }
      DataSet* item = nullptr;
      if (items != nullptr) item = &items->emplace_back(encoding.big_endian);
      const size_t limit = undefined ? end : position_ + header.length;
      RETURN_IF_ERROR(ParseBody(limit, undefined, depth + 1, encoding, item));
    }
    if (until_sequence_end) return Error("a sequence of undefined length has no end", position_);
    return OkStatus();
  }

  const std::span<const uint8_t> bytes_;
  const Encoding encoding_;
  const DicomOptions& options_;
  DicomWarnings* const warnings_;
  size_t position_ = 0;
  int64_t count_ = 0;
  bool pixels_seen_ = false;
  bool stop_ = false;
};

}  // namespace

Result<DataSet> ParseDataSet(std::span<const uint8_t> bytes, Encoding encoding,
                             const DicomOptions& options, DicomWarnings* warnings) {
  DataSet data_set(encoding.big_endian);
  RETURN_IF_ERROR(Parser(bytes, encoding, options, warnings).ParseTop(&data_set));
  return data_set;
}

Result<DataSet> ParseMetaInformation(std::span<const uint8_t> bytes, const DicomOptions& options,
                                     size_t* end) {
  DataSet meta;
  RETURN_IF_ERROR(Parser(bytes, {true, false}, options, nullptr).ParseMeta(&meta, end));
  return meta;
}

Result<Encoding> GuessEncoding(std::span<const uint8_t> bytes) {
  const Status none =
      InvalidArgument("not a DICOM file: no DICM prefix, and no data set starts at its first byte");
  if (bytes.size() < 8) return none;
  const uint8_t* p = bytes.data();
  // Data sets start in a low even group: 0002 (meta), 0004 (directory), 0008 (identification), up
  // to 0028 for bare images.
  const auto plausible = [](uint16_t group) {
    return group >= 0x0002 && group <= 0x0028 && group % 2 == 0;
  };
  const bool little = plausible(Load<uint16_t>(p));
  const bool big = plausible(Load<uint16_t>(p, true));
  if (!little && !big) return none;
  if (LooksLikeVr(p + 4)) return Encoding{true, !little};
  // Without a VR nothing but the length tells data from chance.
  if (!little || Load<uint32_t>(p + 4) > bytes.size() - 8) return none;
  return Encoding{false, false};
}

}  // namespace galen::dicom
