#include "data/conversation.h"

#include <array>
#include <string_view>
#include <utility>

namespace galen {
namespace {

constexpr std::string_view kImageMark = "<image>";

Status Wrong(const std::string& what) { return InvalidArgument(what); }

Result<std::string> Text(const OrderedJson& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end()) return Wrong(std::string("has no \"") + key + "\"");
  if (!it->is_string()) return Wrong(std::string("\"") + key + "\" is no text");
  return it->get<std::string>();
}

OrderedJson Message(std::string_view role, OrderedJson content) {
  OrderedJson message = OrderedJson::object();
  message["role"] = role;
  message["content"] = std::move(content);
  return message;
}

OrderedJson TextPart(std::string text) {
  OrderedJson part = OrderedJson::object();
  part["type"] = "text";
  part["text"] = std::move(text);
  return part;
}

OrderedJson ImagePart() {
  OrderedJson part = OrderedJson::object();
  part["type"] = "image";
  return part;
}

// A path, or an object that holds one.
Result<std::string> ImagePath(const OrderedJson& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object()) {
    for (const char* key : {"path", "image", "url"}) {
      const auto it = value.find(key);
      if (it != value.end() && it->is_string()) return it->get<std::string>();
    }
  }
  return Wrong("an image is no path");
}

// The parts of a message; images that name their file are added to `images`.
Result<OrderedJson> ReadContent(const OrderedJson& content, std::vector<std::string>* images) {
  if (content.is_string()) return content;
  if (!content.is_array())
    return Wrong("a message's content is neither a text nor a list of parts");
  OrderedJson parts = OrderedJson::array();
  for (const OrderedJson& part : content) {
    if (!part.is_object()) return Wrong("a part of a message is no object");
    ASSIGN_OR_RETURN(const std::string type, Text(part, "type"));
    if (type == "text") {
      ASSIGN_OR_RETURN(std::string text, Text(part, "text"));
      parts.push_back(TextPart(std::move(text)));
    } else if (type == "image" || type == "image_url") {
      parts.push_back(ImagePart());
      for (const char* key : {"image", "path", "url", "image_url"}) {
        const auto it = part.find(key);
        if (it == part.end() || it->is_null()) continue;
        ASSIGN_OR_RETURN(std::string path, ImagePath(*it));
        images->push_back(std::move(path));
        break;
      }
    } else {
      return Wrong("a part of a message has a type that galen does not know");
    }
  }
  return parts;
}

Status FromMessages(const OrderedJson& messages, Conversation* out) {
  if (!messages.is_array() || messages.empty()) return Wrong("\"messages\" is no list of messages");
  for (const OrderedJson& message : messages) {
    if (!message.is_object()) return Wrong("a message is no object");
    ASSIGN_OR_RETURN(const std::string role, Text(message, "role"));
    const auto content = message.find("content");
    if (content == message.end()) return Wrong("a message has no \"content\"");
    OrderedJson copy = message;
    ASSIGN_OR_RETURN(copy["content"], ReadContent(*content, &out->images));
    out->messages.push_back(std::move(copy));
  }
  return OkStatus();
}

// "<image>" marks become parts; a text without any stays a text.
OrderedJson SplitAtMarks(const std::string& text) {
  if (text.find(kImageMark) == std::string::npos) return text;
  OrderedJson parts = OrderedJson::array();
  size_t at = 0;
  while (true) {
    const size_t mark = text.find(kImageMark, at);
    std::string piece = text.substr(at, mark == std::string::npos ? mark : mark - at);
    // LLaVA's data put the mark on a line of its own.
    if (piece.starts_with('\n') && at > 0) piece.erase(0, 1);
    if (mark != std::string::npos && piece.ends_with('\n')) piece.pop_back();
    if (!piece.empty()) parts.push_back(TextPart(std::move(piece)));
    if (mark == std::string::npos) return parts;
    parts.push_back(ImagePart());
    at = mark + kImageMark.size();
  }
}

Status FromLlava(const OrderedJson& turns, Conversation* out) {
  if (!turns.is_array() || turns.empty()) return Wrong("\"conversations\" is no list of turns");
  for (const OrderedJson& turn : turns) {
    if (!turn.is_object()) return Wrong("a turn is no object");
    ASSIGN_OR_RETURN(const std::string from, Text(turn, "from"));
    ASSIGN_OR_RETURN(const std::string value, Text(turn, "value"));
    std::string_view role;
    if (from == "human" || from == "user") role = "user";
    if (from == "gpt" || from == "assistant") role = "assistant";
    if (from == "system") role = "system";
    if (role.empty()) return Wrong("a turn's \"from\" is neither human, gpt nor system");
    out->messages.push_back(
        Message(role, role == "user" ? SplitAtMarks(value) : OrderedJson(value)));
  }
  return OkStatus();
}

// Keys of a question and its answer.
constexpr std::array<std::pair<const char*, const char*>, 6> kPairs = {{
    {"question", "answer"},
    {"prompt", "completion"},
    {"prompt", "response"},
    {"instruction", "output"},
    {"instruction", "response"},
    {"input", "output"},
}};

Status FromPair(const OrderedJson& line, Conversation* out) {
  for (const auto& [question_key, answer_key] : kPairs) {
    if (!line.contains(question_key) || !line.contains(answer_key)) continue;
    ASSIGN_OR_RETURN(std::string question, Text(line, question_key));
    ASSIGN_OR_RETURN(std::string answer, Text(line, answer_key));
    if (std::string_view(question_key) == "instruction" && line.contains("input")) {
      ASSIGN_OR_RETURN(const std::string input, Text(line, "input"));
      if (!input.empty()) question += "\n\n" + input;
    }
    if (line.contains("system") && !line["system"].is_null()) {
      ASSIGN_OR_RETURN(std::string system, Text(line, "system"));
      if (!system.empty()) out->messages.push_back(Message("system", std::move(system)));
    }
    out->messages.push_back(Message("user", SplitAtMarks(question)));
    out->messages.push_back(Message("assistant", std::move(answer)));
    return OkStatus();
  }
  return Wrong(
      "is none of the known shapes (messages, conversations, question and answer, prompt and "
      "completion, instruction and output)");
}

int64_t CountImageParts(const OrderedJson& messages) {
  int64_t n = 0;
  for (const OrderedJson& message : messages) {
    if (!message["content"].is_array()) continue;
    for (const OrderedJson& part : message["content"]) n += part["type"] == "image";
  }
  return n;
}

// Puts a part for each picture that has none before the first user's text.
void PlaceImages(int64_t missing, Conversation* c) {
  for (OrderedJson& message : c->messages) {
    if (message["role"] != "user") continue;
    OrderedJson parts = OrderedJson::array();
    for (int64_t i = 0; i < missing; ++i) parts.push_back(ImagePart());
    OrderedJson& content = message["content"];
    if (content.is_string()) {
      parts.push_back(TextPart(content.get<std::string>()));
    } else {
      for (OrderedJson& part : content) parts.push_back(std::move(part));
    }
    content = std::move(parts);
    return;
  }
}

Status AddImages(const OrderedJson& line, Conversation* out) {
  for (const char* key : {"image", "images"}) {
    const auto it = line.find(key);
    if (it == line.end() || it->is_null()) continue;
    OrderedJson list = OrderedJson::array();
    if (it->is_array()) {
      list = *it;
    } else {
      list.push_back(*it);
    }
    for (const OrderedJson& value : list) {
      ASSIGN_OR_RETURN(std::string path, ImagePath(value));
      out->images.push_back(std::move(path));
    }
  }
  const int64_t parts = CountImageParts(out->messages);
  const auto images = static_cast<int64_t>(out->images.size());
  if (parts > images) {
    return Wrong("has places for " + std::to_string(parts) + " images and names " +
                 std::to_string(images));
  }
  if (images > parts) PlaceImages(images - parts, out);
  return OkStatus();
}

}  // namespace

Result<Conversation> ToConversation(const OrderedJson& line) {
  if (!line.is_object()) return Wrong("is no JSON object");
  Conversation conversation;
  if (const auto it = line.find("messages"); it != line.end()) {
    RETURN_IF_ERROR(FromMessages(*it, &conversation));
  } else if (const auto turns = line.find("conversations"); turns != line.end()) {
    RETURN_IF_ERROR(FromLlava(*turns, &conversation));
  } else {
    RETURN_IF_ERROR(FromPair(line, &conversation));
  }
  RETURN_IF_ERROR(AddImages(line, &conversation));
  bool answered = false;
  for (const OrderedJson& message : conversation.messages) {
    if (message["role"] != "assistant") continue;
    answered = true;
    const OrderedJson& content = message["content"];
    const bool blank =
        content.is_string() &&
        content.get_ref<const std::string&>().find_first_not_of(" \t\r\n") == std::string::npos;
    if (!blank && !content.empty()) return conversation;
  }
  return Wrong(answered ? "its answer is empty"
                        : "has no answer (no message of the role \"assistant\")");
}

}  // namespace galen
