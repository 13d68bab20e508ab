// One training example as a conversation, whatever shape its line of JSON has.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "text/template/chat_template.h"

namespace galen {

struct Conversation {
  // Hugging Face's messages: [{"role": "system" | "user" | "assistant", "content": text or parts}].
  // An image is a part {"type": "image"}.
  OrderedJson messages = OrderedJson::array();
  std::vector<std::string> images;  // paths as the line gives them, in the order of the parts
};

// Understands
//   {"messages": [{"role", "content"}]}                      Hugging Face, content a text or parts
//   {"conversations": [{"from": "human" | "gpt", "value"}]}  LLaVA, "<image>" in a value is a place
//   {"question", "answer"}, {"prompt", "completion" | "response"},
//   {"instruction", "input"?, "output"}, {"input", "output"}; "system" may stand beside them
// with "image" or "images" (a path or a list) where there are pictures: those that no part names
// go before the first user's text. InvalidArgument says what is wrong, never what the line says:
// data may be about patients.
Result<Conversation> ToConversation(const OrderedJson& line);

}  // namespace galen
