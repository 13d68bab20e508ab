// The frames of files as one piece of bytes: "GPX1", the length of a JSON header (32 bits, little
// endian), the header with spaces up to a multiple of 8, the values of the frames, each from a
// multiple of 8 on. docs/API.md lists the header.
#pragma once

#include <stop_token>
#include <string>

#include "server/documents/media_folder.h"

namespace galen::server {

// Frames of all files are numbered through; those from `from` on are given until the values are
// 32 MiB, at least one. What cannot be read is a warning; where nothing can, its error is returned.
Result<std::string> PackPixels(const ServerOptions& options, const MediaFolder& folder,
                               int64_t from, const std::stop_token& stop);

}  // namespace galen::server
