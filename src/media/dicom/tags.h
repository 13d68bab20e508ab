// The tags that the reader knows (PS3.6), as group << 16 | element.
#pragma once

#include <cstdint>

namespace galen::dicom {

using Tag = uint32_t;

// File meta information (PS3.10 7.1) and directories (PS3.3 F.3).
constexpr Tag kTransferSyntax = 0x00020010;
constexpr Tag kMediaStorageClass = 0x00020002;
constexpr Tag kDirectoryRecords = 0x00041220;
constexpr Tag kReferencedFileId = 0x00041500;

// What the object is.
constexpr Tag kImageType = 0x00080008;
constexpr Tag kSopClass = 0x00080016;
constexpr Tag kSopInstance = 0x00080018;
constexpr Tag kStudyDate = 0x00080020;
constexpr Tag kStudyTime = 0x00080030;
constexpr Tag kModality = 0x00080060;
constexpr Tag kStudyDescription = 0x00081030;
constexpr Tag kSeriesDescription = 0x0008103E;
constexpr Tag kBodyPart = 0x00180015;
constexpr Tag kViewPosition = 0x00185101;
constexpr Tag kLaterality = 0x00200060;
constexpr Tag kImageLaterality = 0x00200062;

// Who it is of.
constexpr Tag kPatientName = 0x00100010;
constexpr Tag kPatientId = 0x00100020;
constexpr Tag kIssuerOfPatientId = 0x00100021;
constexpr Tag kPatientBirthDate = 0x00100030;
constexpr Tag kIdentityRemoved = 0x00120062;
constexpr Tag kAccessionNumber = 0x00080050;

// Place in the series and in space (PS3.3 C.7.6.1, C.7.6.2).
constexpr Tag kStudyInstance = 0x0020000D;
constexpr Tag kSeriesInstance = 0x0020000E;
constexpr Tag kSeriesNumber = 0x00200011;
constexpr Tag kAcquisitionNumber = 0x00200012;
constexpr Tag kInstanceNumber = 0x00200013;
constexpr Tag kImagePosition = 0x00200032;
constexpr Tag kImageOrientation = 0x00200037;
constexpr Tag kFrameOfReference = 0x00200052;
constexpr Tag kTemporalPosition = 0x00200100;
constexpr Tag kPixelSpacing = 0x00280030;
constexpr Tag kImagerPixelSpacing = 0x00181164;
constexpr Tag kScannedPixelSpacing = 0x00182010;
constexpr Tag kSliceThickness = 0x00180050;
constexpr Tag kSpacingBetweenSlices = 0x00180088;

// Image pixel module (PS3.3 C.7.6.3).
constexpr Tag kSamplesPerPixel = 0x00280002;
constexpr Tag kPhotometric = 0x00280004;
constexpr Tag kPlanarConfiguration = 0x00280006;
constexpr Tag kNumberOfFrames = 0x00280008;
constexpr Tag kRows = 0x00280010;
constexpr Tag kColumns = 0x00280011;
constexpr Tag kBitsAllocated = 0x00280100;
constexpr Tag kBitsStored = 0x00280101;
constexpr Tag kHighBit = 0x00280102;
constexpr Tag kPixelRepresentation = 0x00280103;
constexpr Tag kPixelPadding = 0x00280120;
constexpr Tag kPixelPaddingLimit = 0x00280121;
constexpr Tag kBurnedIn = 0x00280301;
constexpr Tag kRecognizableFeatures = 0x00280302;
constexpr Tag kLossyCompression = 0x00282110;
constexpr Tag kLossyRatio = 0x00282112;
constexpr Tag kPixelData = 0x7FE00010;
constexpr Tag kFloatPixelData = 0x7FE00008;
constexpr Tag kDoublePixelData = 0x7FE00009;
constexpr Tag kExtendedOffsets = 0x7FE00001;
constexpr Tag kExtendedLengths = 0x7FE00002;

// Grey-scale and colour transformations (PS3.3 C.11, C.7.9).
constexpr Tag kWindowCenter = 0x00281050;
constexpr Tag kWindowWidth = 0x00281051;
constexpr Tag kWindowExplanation = 0x00281055;
constexpr Tag kVoiFunction = 0x00281056;
constexpr Tag kRescaleIntercept = 0x00281052;
constexpr Tag kRescaleSlope = 0x00281053;
constexpr Tag kRescaleType = 0x00281054;
constexpr Tag kPixelPresentation = 0x00089205;
constexpr Tag kModalityLuts = 0x00283000;
constexpr Tag kVoiLuts = 0x00283010;
constexpr Tag kLutDescriptor = 0x00283002;
constexpr Tag kLutData = 0x00283006;
constexpr Tag kPresentationLuts = 0x20500010;
constexpr Tag kPresentationShape = 0x20500020;
constexpr Tag kRedDescriptor = 0x00281101;  // green and blue follow
constexpr Tag kRedData = 0x00281201;        // green and blue follow
constexpr Tag kSegmentedRedData = 0x00281221;

// Overlays (PS3.3 C.9.2), in groups 6000, 6002 .. 601E.
constexpr Tag kOverlayRows = 0x60000010;
constexpr Tag kOverlayColumns = 0x60000011;
constexpr Tag kOverlayType = 0x60000040;
constexpr Tag kOverlayOrigin = 0x60000050;
constexpr Tag kOverlayBitsAllocated = 0x60000100;
constexpr Tag kOverlayData = 0x60003000;

// Functional groups of multi-frame objects (PS3.3 C.7.6.16).
constexpr Tag kSharedGroups = 0x52009229;
constexpr Tag kPerFrameGroups = 0x52009230;
constexpr Tag kPlanePositions = 0x00209113;
constexpr Tag kPlaneOrientations = 0x00209116;
constexpr Tag kPixelMeasures = 0x00289110;
constexpr Tag kValueTransformations = 0x00289145;
constexpr Tag kFrameVoiLuts = 0x00289132;
constexpr Tag kFrameContents = 0x00209111;
constexpr Tag kTemporalPositionIndex = 0x00209128;
constexpr Tag kInStackPosition = 0x00209057;

// Whole slides (PS3.3 C.8.12).
constexpr Tag kDimensionOrganization = 0x00209311;
constexpr Tag kTotalColumns = 0x00480006;
constexpr Tag kTotalRows = 0x00480007;
constexpr Tag kFocalPlanes = 0x00480303;
constexpr Tag kOpticalPaths = 0x00480302;
constexpr Tag kPlanePositionsSlide = 0x0048021A;
constexpr Tag kTileColumn = 0x0048021E;
constexpr Tag kTileRow = 0x0048021F;

// Encapsulated documents (PS3.3 C.24).
constexpr Tag kDocument = 0x00420011;
constexpr Tag kDocumentMime = 0x00420012;
constexpr Tag kDocumentLength = 0x00420015;

// Structure (PS3.5 7.5).
constexpr Tag kItem = 0xFFFEE000;
constexpr Tag kItemEnd = 0xFFFEE00D;
constexpr Tag kSequenceEnd = 0xFFFEE0DD;

}  // namespace galen::dicom
