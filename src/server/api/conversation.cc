#include "server/api/conversation.h"

#include <algorithm>

#include "base/sha256.h"
#include "media/image/decode.h"
#include "server/api/tools.h"

namespace galen::server {
namespace {

Status Bad(std::string* failed, std::string field, const std::string& what) {
  *failed = std::move(field);
  return InvalidArgument("'" + *failed + "' " + what);
}

Status DecodeInto(std::string_view url, const std::string& where, const ServerOptions& options,
                  std::vector<RequestImage>* out, std::string* failed) {
  if (static_cast<int64_t>(out->size()) >= options.max_images) {
    return Bad(failed, where,
               "is one image too many; this server takes " + std::to_string(options.max_images) +
                   " in a request");
  }
  const Result<std::vector<uint8_t>> bytes = DecodeDataUrl(url, options.http.max_body_bytes);
  if (!bytes.ok()) return Bad(failed, where, "is no image: " + bytes.status().message());
  DecodeOptions decode;
  decode.max_pixels = options.max_image_pixels;
  Result<Image> image = DecodeImage(*bytes, decode);
  if (!image.ok()) return Bad(failed, where, "is no image: " + image.status().message());
  out->push_back({*std::move(image), options.audit.empty() ? "" : Sha256Hex(*bytes)});
  return OkStatus();
}

OrderedJson TextPart(const std::string& text) { return {{"type", "text"}, {"text", text}}; }

// Without images, content is a string as every template knows it.
OrderedJson Simplified(OrderedJson parts) {
  const bool sees = std::any_of(parts.begin(), parts.end(),
                                [](const OrderedJson& part) { return part["type"] == "image"; });
  if (sees) return parts;
  std::string text;
  for (const OrderedJson& part : parts) {
    if (!text.empty()) text += "\n";
    text += part["text"].get_ref<const std::string&>();
  }
  return text;
}

Result<OrderedJson> OpenAiContent(const OrderedJson& content, const std::string& where,
                                  const ServerOptions& options, std::vector<RequestImage>* images,
                                  std::string* failed) {
  if (content.is_string()) return content;
  if (!content.is_array()) return Bad(failed, where, "must be a string or an array of parts");
  OrderedJson parts = OrderedJson::array();
  for (size_t i = 0; i < content.size(); ++i) {
    const std::string name = where + "[" + std::to_string(i) + "]";
    Fields part(content[i], name, failed);
    RETURN_IF_ERROR(part.Check());
    std::string type, text;
    RETURN_IF_ERROR(part.String("type", &type));
    if (type == "text") {
      RETURN_IF_ERROR(part.String("text", &text));
      parts.push_back(TextPart(text));
    } else if (type == "image_url") {
      const OrderedJson* image = part.Any("image_url");
      std::string url;
      if (image != nullptr && image->is_string()) {
        url = image->get<std::string>();
      } else {
        if (image == nullptr) return part.Fail("image_url", "is missing");
        Fields inner(*image, part.Name("image_url"), failed);
        RETURN_IF_ERROR(inner.Check());
        RETURN_IF_ERROR(inner.String("url", &url));
        inner.Accept({"detail"});
        RETURN_IF_ERROR(inner.Finish());
      }
      if (!url.starts_with("data:")) {
        return part.Fail("image_url",
                         "must be a data URL (data:image/png;base64,...): this server fetches "
                         "nothing from elsewhere");
      }
      RETURN_IF_ERROR(DecodeInto(url, part.Name("image_url"), options, images, failed));
      parts.push_back({{"type", "image"}});
    } else {
      return part.Fail("type", "is not one that galen reads; it reads text and image_url");
    }
    RETURN_IF_ERROR(part.Finish());
  }
  return Simplified(std::move(parts));
}

// Role and whatever of tools a template may want to see.
Status CommonFields(Fields* fields, bool openai, OrderedJson* out) {
  std::string role;
  RETURN_IF_ERROR(fields->String("role", &role));
  if (role == "developer") role = "system";
  if (role != "system" && role != "user" && role != "assistant" && role != "tool")
    return fields->Fail("role", "must be system, user, assistant or tool");
  (*out)["role"] = role;
  RETURN_IF_ERROR(ReadToolCalls(fields, openai, out));
  for (const char* key : {"tool_call_id", "name", "tool_name"}) {
    std::string text;
    RETURN_IF_ERROR(fields->String(key, &text));
    if (!text.empty()) (*out)[key] = text;
  }
  return OkStatus();
}

Status CheckList(const OrderedJson& messages, const ServerOptions& options, std::string* failed) {
  if (!messages.is_array()) return Bad(failed, "messages", "must be an array");
  if (static_cast<int64_t>(messages.size()) > options.max_messages) {
    return Bad(failed, "messages",
               "has more entries than the " + std::to_string(options.max_messages) + " allowed");
  }
  return OkStatus();
}

Status PrepareViews(const ModelFiles& files, const std::vector<RequestImage>& images,
                    PreparedPrompt* prepared) {
  if (images.empty()) return OkStatus();
  if (!files.vision_status.ok())
    return InvalidArgument("this model sees no images: " + files.vision_status.message());
  for (const RequestImage& image : images) {
    ASSIGN_OR_RETURN(PreparedViews views, files.image_processor->Prepare(image.image, {}));
    prepared->images.push_back(std::move(views));
    prepared->image_digests.push_back(image.digest);
  }
  return OkStatus();
}

// A template that knows no functions gets them, and what earlier turns did with them, in words.
Status PutToolsInWords(const ModelHost& host, Conversation* conversation) {
  const bool used = std::any_of(
      conversation->messages.begin(), conversation->messages.end(),
      [](const OrderedJson& m) { return m["role"] == "tool" || m.contains("tool_calls"); });
  if (conversation->tools.empty() && !used) return OkStatus();
  const Result<ToolConvention> convention = ToolConvention::Of(host.files().chat_template);
  if (!convention.ok() || convention->in_template) return OkStatus();
  ASSIGN_OR_RETURN(conversation->messages,
                   WithToolsInWords(conversation->messages, conversation->tools));
  conversation->tools = OrderedJson();
  return OkStatus();
}

}  // namespace

Result<Conversation> OpenAiConversation(const OrderedJson& messages, const ServerOptions& options,
                                        std::string* failed) {
  RETURN_IF_ERROR(CheckList(messages, options, failed));
  if (messages.empty()) return Bad(failed, "messages", "is empty");
  Conversation conversation;
  for (size_t i = 0; i < messages.size(); ++i) {
    const std::string where = "messages[" + std::to_string(i) + "]";
    Fields fields(messages[i], where, failed);
    RETURN_IF_ERROR(fields.Check());
    OrderedJson message;
    RETURN_IF_ERROR(CommonFields(&fields, true, &message));
    const OrderedJson* content = fields.Any("content");
    if (content != nullptr) {
      ASSIGN_OR_RETURN(message["content"], OpenAiContent(*content, where + ".content", options,
                                                         &conversation.images, failed));
    } else if (message["role"] == "assistant") {
      message["content"] = "";  // calls alone
    } else {
      return fields.Fail("content", "is missing");
    }
    fields.Accept(
        {"reasoning_content", "reasoning", "refusal", "annotations", "audio", "function_call"});
    // Histories kept in other forms carry it; "text" and "message" say nothing that matters here.
    RETURN_IF_ERROR(fields.Refuse("type",
                                  "it names what a message is made of, which its content does",
                                  {OrderedJson("text"), OrderedJson("message")}));
    RETURN_IF_ERROR(fields.Finish());
    conversation.messages.push_back(std::move(message));
  }
  return conversation;
}

Status AddImages(const OrderedJson* images, const std::string& where, const ServerOptions& options,
                 std::vector<RequestImage>* out, std::string* failed) {
  if (images == nullptr) return OkStatus();
  for (size_t i = 0; i < images->size(); ++i) {
    const std::string name = where + "[" + std::to_string(i) + "]";
    if (!(*images)[i].is_string()) return Bad(failed, name, "must be a base64 string");
    const auto& text = (*images)[i].get_ref<const std::string&>();
    RETURN_IF_ERROR(DecodeInto(text.starts_with("data:") ? text : "data:;base64," + text, name,
                               options, out, failed));
  }
  return OkStatus();
}

Result<Conversation> OllamaConversation(const OrderedJson& messages, const ServerOptions& options,
                                        std::string* failed) {
  RETURN_IF_ERROR(CheckList(messages, options, failed));
  Conversation conversation;
  for (size_t i = 0; i < messages.size(); ++i) {
    const std::string where = "messages[" + std::to_string(i) + "]";
    Fields fields(messages[i], where, failed);
    RETURN_IF_ERROR(fields.Check());
    OrderedJson message;
    RETURN_IF_ERROR(CommonFields(&fields, false, &message));
    std::string text;
    RETURN_IF_ERROR(fields.String("content", &text));
    Status status;
    const OrderedJson* images = fields.Array("images", &status);
    RETURN_IF_ERROR(status);
    const size_t before = conversation.images.size();
    RETURN_IF_ERROR(AddImages(images, where + ".images", options, &conversation.images, failed));
    OrderedJson parts = OrderedJson::array();
    for (size_t k = before; k < conversation.images.size(); ++k)
      parts.push_back({{"type", "image"}});
    parts.push_back(TextPart(text));
    message["content"] = Simplified(std::move(parts));
    fields.Accept({"thinking"});
    RETURN_IF_ERROR(fields.Finish());
    conversation.messages.push_back(std::move(message));
  }
  return conversation;
}

Result<PreparedPrompt> PreparePrompt(const ModelHost& host, Conversation conversation,
                                     const std::string& system) {
  if (host.chat() == nullptr) return host.chat_status();
  const bool has_system =
      std::any_of(conversation.messages.begin(), conversation.messages.end(),
                  [](const OrderedJson& message) { return message["role"] == "system"; });
  if (!system.empty() && !has_system) {
    OrderedJson all = OrderedJson::array();
    all.push_back({{"role", "system"}, {"content", system}});
    for (OrderedJson& message : conversation.messages) all.push_back(std::move(message));
    conversation.messages = std::move(all);
  }
  RETURN_IF_ERROR(PutToolsInWords(host, &conversation));
  PreparedPrompt prepared;
  RETURN_IF_ERROR(PrepareViews(host.files(), conversation.images, &prepared));
  ASSIGN_OR_RETURN(prepared.prompt,
                   host.chat()->Encode(conversation.messages, prepared.images, conversation.tools));
  RETURN_IF_ERROR(CheckContext(prepared.prompt, prepared.images, host.context(),
                               host.files().config.max_position_embeddings));
  return prepared;
}

Result<PreparedPrompt> PrepareRaw(const ModelHost& host, const std::string& text,
                                  const std::vector<RequestImage>& images) {
  PreparedPrompt prepared;
  RETURN_IF_ERROR(PrepareViews(host.files(), images, &prepared));
  ASSIGN_OR_RETURN(prepared.prompt, EncodeRaw(host.files(), text, prepared.images));
  RETURN_IF_ERROR(CheckContext(prepared.prompt, prepared.images, host.context(),
                               host.files().config.max_position_embeddings));
  return prepared;
}

}  // namespace galen::server
