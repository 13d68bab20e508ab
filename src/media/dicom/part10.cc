#include "media/dicom/part10.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace galen::dicom {
namespace {

constexpr size_t kPreamble = 128;

bool HasPrefix(std::span<const uint8_t> bytes) {
  return bytes.size() >= kPreamble + 4 && std::memcmp(bytes.data() + kPreamble, "DICM", 4) == 0;
}

// Raw deflate (RFC 1951), as PS3.5 A.5 has it; the result is bounded by the option.
Result<std::vector<uint8_t>> Inflate(std::span<const uint8_t> bytes, int64_t limit) {
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return ResourceExhausted("zlib cannot start");
  std::vector<uint8_t> out;
  int code = Z_OK;
  size_t fed = 0;
  uint8_t piece[1 << 16];
  while (code == Z_OK) {
    if (stream.avail_in == 0) {
      const size_t n = std::min<size_t>(bytes.size() - fed, size_t{1} << 30);
      stream.next_in = const_cast<Bytef*>(bytes.data() + fed);
      stream.avail_in = static_cast<uInt>(n);
      fed += n;
    }
    stream.next_out = piece;
    stream.avail_out = sizeof(piece);
    code = inflate(&stream, Z_NO_FLUSH);
    const size_t made = sizeof(piece) - stream.avail_out;
    if (static_cast<int64_t>(out.size() + made) > limit) {
      inflateEnd(&stream);
      return ResourceExhausted("deflated DICOM data set grows beyond the limit of " +
                               std::to_string(limit) + " bytes");
    }
    out.insert(out.end(), piece, piece + made);
  }
  inflateEnd(&stream);
  if (code != Z_STREAM_END) return DataLoss("the deflated DICOM data set is truncated or corrupt");
  return out;
}

// The encoding that the first element shows, where it contradicts the meta information.
Encoding CheckEncoding(std::span<const uint8_t> bytes, Encoding said, DicomWarnings* warnings) {
  const Result<Encoding> seen = GuessEncoding(bytes);
  if (!seen.ok() || (seen->explicit_vr == said.explicit_vr && seen->big_endian == said.big_endian))
    return said;
  warnings->push_back(
      {"encoding-mismatch",
       "the data set is not written as its transfer syntax says; read as it is written"});
  return *seen;
}

}  // namespace

bool LooksLikeDicom(std::span<const uint8_t> bytes) {
  return HasPrefix(bytes) || GuessEncoding(bytes).ok();
}

Result<Part10> ParsePart10(std::span<const uint8_t> bytes, const DicomOptions& options,
                           DicomWarnings* warnings) {
  if (HasPrefix(bytes)) {
    bytes = bytes.subspan(kPreamble + 4);
  } else {
    ASSIGN_OR_RETURN([[maybe_unused]] const Encoding guess, GuessEncoding(bytes));
    warnings->push_back({"no-preamble", "the file lacks the DICM prefix"});
  }
  size_t end = 0;
  ASSIGN_OR_RETURN(const DataSet meta, ParseMetaInformation(bytes, options, &end));
  bytes = bytes.subspan(end);
  Part10 file;
  const std::string uid = meta.Text(kTransferSyntax);
  if (uid.empty()) {
    const Result<Encoding> guess = GuessEncoding(bytes);
    if (!guess.ok())
      return DataLoss("DICOM file that names no transfer syntax and holds no data set");
    file.syntax = &NativeSyntax(*guess);
    warnings->push_back({"no-transfer-syntax", "the file names no transfer syntax; taken to be " +
                                                   std::string(file.syntax->name)});
  } else {
    file.syntax = FindTransferSyntax(uid);
    // Not the UID itself: the field may hold anything.
    if (file.syntax == nullptr)
      return Unsupported("DICOM file in a transfer syntax that galen does not know");
  }
  if (file.syntax->deflated) {
    ASSIGN_OR_RETURN(std::vector<uint8_t> inflated, Inflate(bytes, options.max_inflated_bytes));
    file.inflated = std::make_shared<const std::vector<uint8_t>>(std::move(inflated));
    bytes = *file.inflated;
  }
  const Encoding encoding = CheckEncoding(bytes, file.syntax->encoding, warnings);
  ASSIGN_OR_RETURN(file.data_set, ParseDataSet(bytes, encoding, options, warnings));
  if (file.data_set.elements().empty()) return DataLoss("DICOM file without a data set");
  return file;
}

}  // namespace galen::dicom
