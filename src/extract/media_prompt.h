// From files as a recipe lays them out to a model's prompt and to what its image part takes.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "engine/chat_prompt.h"
#include "models/open_model.h"
#include "recipes/media_input.h"

namespace galen {

// What the model sees of each image of the input; adds "views", "tokens" and "preprocessing" to the
// entries of (*report)["images"].
Result<std::vector<PreparedViews>> PrepareImages(const ModelFiles& files, ImageOptions options,
                                                 const MediaInput& input, Json* report);

// The content of a user's message as chat templates take it: the parts of the input, in which
// {"type": "image"} stands for the next image; a plain string where there are no images.
OrderedJson MessageContent(const MediaInput& input);
OrderedJson MessageContent(const std::string& text);

// One user message, after a system message where there is a system text.
OrderedJson MessagesOf(const std::string& system, const OrderedJson& content);

}  // namespace galen
