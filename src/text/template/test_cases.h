// The declarative cases of tests/cases/templates, for unit tests.
#pragma once

#include <string>
#include <vector>

#include "text/template/chat_template.h"

namespace galen {

struct TemplateCase {
  std::string name;
  std::string source;  // Jinja
  ChatInput input;
  bool error = false;  // rendering must fail, with `text` in the message where that is not empty
  std::string text;
  std::vector<TextSpan> generation;
};

// Reads NAME.json. A file that is missing or of a wrong form is a failed check.
std::vector<TemplateCase> LoadTemplateCases(const std::string& name);

}  // namespace galen
