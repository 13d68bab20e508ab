#include "http/header_value.h"

#include <algorithm>
#include <cctype>

namespace galen {
namespace {

constexpr size_t kMostBoundary = 70;

bool IsAlnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

bool TakeParameter(std::string_view* text, std::string* value) {
  if (!text->starts_with('"')) {
    const std::string_view token = Trimmed(text->substr(0, text->find(';')));
    if (token.empty() || token.find_first_of(" \t\"") != token.npos) return false;
    *value = token;
    text->remove_prefix(token.size());
    return true;
  }
  for (size_t i = 1; i < text->size(); ++i) {
    const char c = (*text)[i];
    if (c == '"') {
      text->remove_prefix(i + 1);
      return true;
    }
    // Only these two are escaped: browsers send a backslash of a name as it is.
    if (c == '\\' && i + 1 < text->size() && ((*text)[i + 1] == '"' || (*text)[i + 1] == '\\')) {
      *value += (*text)[++i];
    } else {
      *value += c;
    }
  }
  return false;
}

}  // namespace

std::string Lowered(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return lower;
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool IsHeaderToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return IsAlnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool IsMultipartBoundary(std::string_view text) {
  return !text.empty() && text.size() <= kMostBoundary && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return IsAlnum(c) || std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos;
         });
}

bool HeaderValue::Parse(std::string_view text, HeaderValue* value) {
  const size_t end = text.find(';');
  value->word_ = Lowered(Trimmed(text.substr(0, end)));
  text.remove_prefix(std::min(end, text.size()));
  while (!(text = Trimmed(text)).empty()) {
    if (text.front() != ';') return false;
    text = Trimmed(text.substr(1));
    if (text.empty()) return true;  // a last semicolon
    const size_t equals = text.find('=');
    if (equals == text.npos) return false;
    const std::string name = Lowered(text.substr(0, equals));
    text.remove_prefix(equals + 1);
    std::string parameter;
    if (!IsHeaderToken(name) || !TakeParameter(&text, &parameter)) return false;
    if (value->Find(name) != nullptr) return false;
    value->parameters_.emplace_back(name, std::move(parameter));
  }
  return true;
}

const std::string* HeaderValue::Find(std::string_view name) const {
  for (const auto& [key, value] : parameters_) {
    if (key == name) return &value;
  }
  return nullptr;
}

}  // namespace galen
