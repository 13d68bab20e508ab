#include "chat.h"

#include <editline/readline.h>

#include <cstdlib>
#include <iostream>
#include <optional>

#include "media_report.h"

namespace galen::cli {
namespace {

constexpr const char* kHelp =
    "  \"\"\"          begins and ends a text of several lines; a \\ at the end of a line goes on, "
    "too\n"
    "  /clear       forgets the conversation\n"
    "  /image FILE  shows an image, page, series or slide with the next question (more for "
    "several)\n"
    "  /system ...  sets the system text and forgets the conversation\n"
    "  /exit        ends (so does Ctrl-D); Ctrl-C stops an answer\n";

std::optional<std::string> ReadLine(const char* prompt) {
  char* line = ::readline(prompt);
  if (line == nullptr) return std::nullopt;
  std::string text = line;
  std::free(line);
  return text;
}

// A Ctrl-D typed before the prompt was there reaches the line editor as NUL; its own binding of
// that key ("insert the next key as it is"), which it sets anew for each line, would swallow the
// end.
int EndAlsoOnTypedAhead() {
  char command[] = "bind ^@ em-delete-or-list";
  return ::rl_parse_and_bind(command);
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
    shown_.clear();
    remote_.clear();
    if (!system_.empty()) messages_.push_back({{"role", "system"}, {"content", system_}});
  }
  void SetSystem(std::string text) {
    system_ = std::move(text);
    Clear();
  }
  // Forgets what the next question was to bring.
  void Detach() {
    attached_.reset();
    views_.clear();
  }
  // Files for the next question; all of them are laid out by one recipe.
  Status Attach(MediaCliOptions files) {
    RETURN_IF_ERROR(FetchRemote(&files));
    MediaCliOptions probe = files;
    probe.media.question = "?";  // a recipe may have none of its own; Ask sets the true one
    std::vector<MediaFile> all = shown_;
    for (const MediaFile& file : MediaFilesOf(files)) all.push_back(file);
    const Status one = CheckOnePatient(all, files.media);
    if (one.code() == StatusCode::kInvalidArgument)
      return one.WithContext("in this conversation (/clear begins another)");
    RETURN_IF_ERROR(one);
    ASSIGN_OR_RETURN(MediaInput input, BuildInput(probe));
    Json report = MediaReport(input);
    ASSIGN_OR_RETURN(std::vector<PreparedViews> views,
                     PrepareImages(chat_.files, chat_.image, input, &report));
    ShowWarnings(input);
    remote_.insert(remote_.end(), files.remote.begin(), files.remote.end());
    attached_ = std::move(files);
    input_ = std::move(input);
    views_ = std::move(views);
    return OkStatus();
  }
  Status Attach(const std::string& path) {
    MediaCliOptions files = attached_.value_or(chat_.media);
    if (!attached_) {
      for (auto* paths :
           {&files.files, &files.images, &files.dicom, &files.pdf, &files.volumes, &files.slides}) {
        paths->clear();
      }
    }
    files.files.push_back(path);
    return Attach(files);
  }
  Status Ask(const std::string& text) {
    OrderedJson content = MessageContent(text);
    if (attached_) {
      ASSIGN_OR_RETURN(const Recipe recipe,
                       FindRecipe(attached_->recipe.empty() ? input_.recipe : attached_->recipe));
      RETURN_IF_ERROR(LayOutWords(recipe, text, &input_));
      content = MessageContent(input_);
    }
    const OrderedJson messages_before = messages_;
    const size_t images_before = images_.size();
    if (attached_ && messages_.empty() && !input_.system.empty())
      messages_.push_back({{"role", "system"}, {"content", input_.system}});
    images_.insert(images_.end(), views_.begin(), views_.end());
    messages_.push_back({{"role", "user"}, {"content", content}});
    const Result<std::string> answer = Answer();
    if (!answer.ok()) {
      messages_ = messages_before;
      images_.resize(images_before);
      return answer.status();
    }
    if (attached_) {
      for (const MediaFile& file : MediaFilesOf(*attached_)) shown_.push_back(file);
    }
    Detach();
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
  std::vector<PreparedViews> images_;  // of all messages
  std::vector<MediaFile> shown_;       // they are made from
  // Of the next question.
  std::optional<MediaCliOptions> attached_;
  // What was fetched for this conversation: later files are compared with it.
  std::vector<std::shared_ptr<const RemoteStudy>> remote_;
  MediaInput input_;
  std::vector<PreparedViews> views_;
};

void Report(const Status& status) {
  if (!status.ok()) std::cerr << "galen: " << status.message() << "\n";
}

}  // namespace

Status Converse(const ChatContext& chat,
                const std::function<Status(const std::function<Status()>& answer)>& guard) {
  ::rl_pre_input_hook = EndAlsoOnTypedAhead;
  ::using_history();
  Conversation conversation(chat);
  if (chat.media.any()) RETURN_IF_ERROR(conversation.Attach(chat.media));
  std::cerr << "Type a question; /help lists the commands.\n";
  while (const std::optional<std::string> message = ReadMessage()) {
    if (message->empty()) continue;
    if (*message == "/exit" || *message == "/quit") break;
    if (*message == "/help") {
      std::cerr << kHelp;
    } else if (*message == "/clear") {
      conversation.Clear();
      conversation.Detach();
    } else if (message->starts_with("/system")) {
      conversation.SetSystem(message->size() > 8 ? message->substr(8) : "");
    } else if (message->starts_with("/image ")) {
      Report(conversation.Attach(message->substr(7)));
    } else if (message->starts_with("/")) {
      std::cerr << kHelp;
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
