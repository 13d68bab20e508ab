// What scanners, fax machines and phones do to a page.
#pragma once

#include <cstdint>

#include "data/synth/random.h"
#include "data/synth/transform.h"
#include "media/image/image.h"

namespace galen {

// Grey or RGB, in place; the geometry is the caller's (skew is drawn, not resampled).

// Toned paper, pale or blurred ink, uneven light, noise, specks, a shadow along an edge.
void Scan(Image* image, Random* random);
// Black and white only: noise before the threshold, lost and doubled rows, streaks.
void Fax(Image* image, Random* random);

// Where a phone sees a page of width x height pixels, in a photo of photo_width x photo_height: the
// whole page, in perspective.
Transform PhotoView(double width, double height, double photo_width, double photo_height,
                    Random* random);
// The photo: the page lying on a table, with light, shadow, blur, a cast and noise.
Image Photo(const Image& page, const Transform& view, int64_t width, int64_t height,
            Random* random);

}  // namespace galen
