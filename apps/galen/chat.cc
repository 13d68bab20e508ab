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

}  // namespace

Status Converse(Engine& engine, const ModelFiles& files, const std::string& system,
                const TextRequest& base,
                const std::function<Status(const std::function<Status()>& answer)>& guard) {
  ::using_history();
  OrderedJson messages = OrderedJson::array();
  const auto start = [&](const std::string& text) {
    messages = OrderedJson::array();
    if (!text.empty()) messages.push_back({{"role", "system"}, {"content", text}});
  };
  std::string system_text = system;
  start(system_text);
  std::cerr << "Type a question; /help lists the commands.\n";
  while (const std::optional<std::string> message = ReadMessage()) {
    if (message->empty()) continue;
    if (*message == "/exit" || *message == "/quit") break;
    if (*message == "/help") {
      std::cerr << kHelp;
      continue;
    }
    if (*message == "/clear") {
      start(system_text);
      continue;
    }
    if (message->starts_with("/system")) {
      system_text = message->size() > 8 ? message->substr(8) : "";
      start(system_text);
      continue;
    }
    messages.push_back({{"role", "user"}, {"content", *message}});
    std::string answer;
    const Status status = guard([&]() -> Status {
      TextRequest request = base;
      ASSIGN_OR_RETURN(request.prompt, EncodeChat(files, messages));
      request.on_text = [](std::string_view piece) { std::cout << piece << std::flush; };
      ASSIGN_OR_RETURN(TextResult result, Generate(engine, files, request));
      answer = std::move(result.text);
      return OkStatus();
    });
    std::cout << std::endl;
    if (status.ok()) {
      messages.push_back({{"role", "assistant"}, {"content", answer}});
    } else {
      messages.erase(messages.size() - 1);
      std::cerr << "galen: " << status.message() << "\n";
    }
  }
  std::cout << std::endl;
  return OkStatus();
}

}  // namespace galen::cli
