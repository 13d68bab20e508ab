// volume_slices FILE: one line of JSON (shape, spacing, orientation, affine), then the float values
// of all slices of the first frame: axial, coronal, sagittal, each in ascending order.
#include <cstdio>
#include <iostream>

#include "base/json.h"
#include "media/volume/volume.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto volume = galen::Volume::Open(argv[1]);
  if (!volume.ok()) {
    std::cerr << volume.status().message() << "\n";
    return 1;
  }
  std::cout << galen::Json{{"shape", volume->shape()},
                           {"spacing", volume->spacing_mm()},
                           {"orientation", volume->stored_orientation()},
                           {"affine", volume->header().affine}}
                   .dump()
            << "\n";
  for (const auto plane : {galen::Plane::kAxial, galen::Plane::kCoronal, galen::Plane::kSagittal}) {
    for (int64_t i = 0; i < volume->num_slices(plane); ++i) {
      const auto slice = volume->Slice(plane, i);
      if (!slice.ok()) return 1;
      std::cout.write(reinterpret_cast<const char*>(slice->values.data()),
                      static_cast<std::streamsize>(slice->values.size() * sizeof(float)));
    }
  }
  return std::cout.good() ? 0 : 1;
}
