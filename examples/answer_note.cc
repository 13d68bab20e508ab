// Asks a model about a clinical note and shows the answer as it comes.
//
//   answer_note MODEL NOTE.txt "What is the diagnosis?"
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

#include "galen/galen.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: answer_note MODEL NOTE QUESTION\n";
    return 2;
  }
  std::ifstream file(argv[2]);
  std::stringstream note;
  if (!file || !(note << file.rdbuf())) {
    std::cerr << "cannot read " << argv[2] << "\n";
    return 1;
  }
  std::string error;
  const auto model = galen::api::Model::Open(argv[1], {.context = 8192}, &error);
  galen::api::GenerateRequest request;
  request.prompt = note.str() + "\n\n" + argv[3];
  request.max_tokens = 200;
  request.on_text = [](std::string_view piece) {
    std::cout << piece << std::flush;
    return true;
  };
  galen::api::Answer answer;
  if (!model || !model->Generate(request, &answer, &error)) {
    std::cerr << "answer_note: " << error << "\n";
    return 1;
  }
  std::cout << "\n[" << answer.tokens.size() << " tokens, " << answer.finish_reason << "]\n";
  return 0;
}
