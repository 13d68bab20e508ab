// What each kind of file gives to a recipe. The functions append images, warnings and facts to
// *input.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "recipes/files.h"
#include "recipes/media_input.h"
#include "recipes/recipe.h"

namespace galen {

// One image for each file (an image file, or each picture of a DICOM file). Pages of a PDF if it is
// one.
Status AddPhoto(const MediaFile& file, const Recipe& recipe, const MediaOptions& options,
                MediaInput* input);
Status AddPages(const MediaFile& file, const Recipe& recipe, const MediaOptions& options,
                MediaInput* input);
Status AddSlide(const MediaFile& file, const Recipe& recipe, const MediaOptions& options,
                MediaInput* input);
Status AddSeries(const MediaFile& file, const Recipe& recipe, const MediaOptions& options,
                 MediaInput* input);

// Slices with physical values, in the order in which a model sees them.
struct SliceStack {
  struct Slice {
    int64_t width = 0, height = 0;
    std::vector<float> values;
  };
  std::string modality;  // "CT", "MR", or empty where the file does not say
  std::string unit;      // of the values, empty where not stated
  int64_t count = 0;
  std::function<Result<Slice>(int64_t)> read;  // safe from several threads
  std::function<std::string(int64_t)> name;    // "slice 12 of 300"
  std::vector<std::string> warnings;
  std::vector<std::pair<std::string, std::string>> facts;
};
// Whether the values of a volume's middle slice are taken for CT in Hounsfield units, since NIfTI
// does not say: air is -1000 HU, and MR values are not that negative.
bool LooksLikeCt(std::span<const float> values);
Result<SliceStack> OpenVolumeStack(const std::string& path, const MediaOptions& options);
Result<SliceStack> OpenDicomStack(const std::string& path, const MediaOptions& options);

// Pictures of a DICOM file or folder, as its own windows show them.
Status AddDicomPhotos(const std::string& path, const Recipe& recipe, const MediaOptions& options,
                      MediaInput* input);
// Refuses DICOM files and folders of different patients, unless the options allow them.
Status CheckSamePatient(std::span<const MediaFile> files, const MediaOptions& options);
// Modalities of the series in a file or folder, one entry for each.
Result<std::vector<std::string>> DicomModalities(const std::string& path,
                                                 const MediaOptions& options);

// ResourceExhausted where so many pixels are too many beside the images there are.
Status CheckPixels(const MediaInput& input, int64_t pixels, const MediaOptions& options);
Status TooManyPixels(const MediaOptions& options);

// "0.7 x 0.7 mm".
std::string Millimetres(std::initializer_list<double> sizes);
// RGB from grey; RGB stays.
Image ToRgb(Image image);

}  // namespace galen
