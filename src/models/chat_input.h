// What a model's chat template sees beside the messages.
#pragma once

#include "models/open_model.h"
#include "text/template/chat_template.h"

namespace galen {

// BOS and EOS as the tokenizer spells them, and every control token, so that a message that spells
// one stays text; images' placeholders are among them. files.tokenizer must be there.
ChatInput ChatInputFor(const ModelFiles& files);

}  // namespace galen
