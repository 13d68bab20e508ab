// A conversation at a terminal.
#pragma once

#include <functional>
#include <string>

#include "engine/generation.h"
#include "engine/image_encoder.h"
#include "media_options.h"
#include "prompt_media.h"

namespace galen::cli {

struct ChatContext {
  Engine& engine;
  const ModelFiles& files;
  ImageEncoder* encoder;  // null: no images
  std::string system;
  MediaCliOptions media;  // files of the first message; the recipe of all
  ImageOptions image;
  TextRequest request;  // sampling, limits, where text goes
  int64_t context = 0;
};

// Reads lines (libedit: editing and history, in memory only, since what is typed may be about
// patients), answers, until /exit or end of input. Images stay part of the conversation. `guard`
// runs one answer so that Ctrl-C ends it alone.
Status Converse(const ChatContext& chat,
                const std::function<Status(const std::function<Status()>& answer)>& guard);

}  // namespace galen::cli
