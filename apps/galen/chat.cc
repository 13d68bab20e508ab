#include "chat.h"

#include <editline/readline.h>

#include <cstdlib>
#include <iostream>
#include <optional>

namespace galen::cli {
namespace {

constexpr const char* kHelp =
    "  \"\"\"          begins and ends a text of several lines; a \\ at the end of a line goes on, "
    "too\n"
    "  /clear       forgets the conversation\n"
    "  /image FILE  shows an image with the next question\n"
    "  /system ...  sets the system text and forgets the conversation\n"
    "  /exit        ends (so does Ctrl-D); Ctrl-C stops an answer\n";

std::optional<std::string> ReadLine(const char* prompt) {
  char* line = ::readline(prompt);
  if (line == nullptr) return std::nullopt;
  std::string text = line;
  std::free(line);
  return text;
}

// One message, of one or several lines.
std::optional<std::string> ReadMessage() {
  std::optional<std::string> line = ReadLine(">>> ");
  if (!line) return std::nullopt;
  if (line->starts_with("\"\"\"")) {
    std::string text = line->substr(3);
    if (text.size() >= 3 && text.ends_with("\"\"\"")) return text.substr(0, text.size() - 3);
    while (true) {
      line = ReadLine("... ");
      if (!line) return text;
      text += "\n" + *line;
      if (text.ends_with("\"\"\"")) return text.substr(0, text.size() - 3);
    }
  }
  std::string text = *line;
  while (text.ends_with("\\")) {
    text.back() = '\n';
    line = ReadLine("... ");
    if (!line) break;
    text += *line;
  }
  if (!text.empty()) ::add_history(text.c_str());
  return text;
}

// The messages so far and all images in their order.
class Conversation {
 public:
  explicit Conversation(const ChatContext& chat) : chat_(chat), system_(chat.system) { Clear(); }

  void Clear() {
    messages_ = OrderedJson::array();
    images_.clear();
    if (!system_.empty()) messages_.push_back({{"role", "system"}, {"content", system_}});
  }
  void SetSystem(std::string text) {
    system_ = std::move(text);
    Clear();
  }
  // Images for the next question.
  Status Attach(const std::vector<std::string>& paths) {
    if (paths.empty()) return OkStatus();
    MediaOptions options = chat_.media;
    options.images = paths;
    ASSIGN_OR_RETURN(MediaContent content, ReadMedia(options));
    ASSIGN_OR_RETURN(std::vector<PreparedViews> views,
                     PrepareImages(chat_.files, options.image, content.images, &content.report));
    ShowWarnings(content.report);
    for (PreparedViews& view : views) attached_.push_back(std::move(view));
    return OkStatus();
  }
  Status Ask(const std::string& text) {
    OrderedJson parts = OrderedJson::array();
    for (size_t i = 0; i < attached_.size(); ++i) parts.push_back({{"type", "image"}});
    const size_t before = images_.size();
    images_.insert(images_.end(), attached_.begin(), attached_.end());
    messages_.push_back({{"role", "user"}, {"content", MessageContent(parts, text)}});
    const Result<std::string> answer = Answer();
    if (!answer.ok()) {
      messages_.erase(messages_.size() - 1);
      images_.resize(before);
      return answer.status();
    }
    attached_.clear();
    messages_.push_back({{"role", "assistant"}, {"content", *answer}});
    return OkStatus();
  }

 private:
  Result<std::string> Answer() {
    ASSIGN_OR_RETURN(const EncodedPrompt prompt, EncodeChat(chat_.files, messages_, images_));
    RETURN_IF_ERROR(
        CheckContext(prompt, images_, chat_.context, chat_.files.config.max_position_embeddings));
    TextRequest request = chat_.request;
    request.prompt = prompt.tokens;
    if (!prompt.places.empty()) {
      ASSIGN_OR_RETURN(request.media, chat_.encoder->EncodePrompt(prompt, images_));
    }
    ASSIGN_OR_RETURN(TextResult result, Generate(chat_.engine, chat_.files, request));
    return std::move(result.text);
  }

  const ChatContext& chat_;
  std::string system_;
  OrderedJson messages_;
  std::vector<PreparedViews> images_;    // of all messages
  std::vector<PreparedViews> attached_;  // of the next one
};

void Report(const Status& status) {
  if (!status.ok()) std::cerr << "galen: " << status.message() << "\n";
}

}  // namespace

Status Converse(const ChatContext& chat,
                const std::function<Status(const std::function<Status()>& answer)>& guard) {
  ::using_history();
  Conversation conversation(chat);
  RETURN_IF_ERROR(conversation.Attach(chat.media.images));
  std::cerr << "Type a question; /help lists the commands.\n";
  while (const std::optional<std::string> message = ReadMessage()) {
    if (message->empty()) continue;
    if (*message == "/exit" || *message == "/quit") break;
    if (*message == "/help") {
      std::cerr << kHelp;
    } else if (*message == "/clear") {
      conversation.Clear();
    } else if (message->starts_with("/system")) {
      conversation.SetSystem(message->size() > 8 ? message->substr(8) : "");
    } else if (message->starts_with("/image ")) {
      Report(conversation.Attach({message->substr(7)}));
    } else {
      const Status status = guard([&] { return conversation.Ask(*message); });
      std::cout << std::endl;
      Report(status);
    }
  }
  std::cout << std::endl;
  return OkStatus();
}

}  // namespace galen::cli
