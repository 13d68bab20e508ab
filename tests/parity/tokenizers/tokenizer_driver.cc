// Encodes and decodes for run.py.
//   tokenizer_driver json|gguf|spm FILE < requests > replies
// request: u8 flags (1 parse_special, 2 add_bos, 4 add_eos), u32 size, bytes. reply: u32 count, the
// ids, u32 size, the text decoded with control tokens, u32 size, the text decoded without.
// Little-endian. The text of the streaming detokenizer is compared here. `--bench FILE` instead of
// requests prints the time to load and the rate of encoding FILE.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <iostream>

#include "base/files.h"
#include "formats/gguf.h"
#include "text/tokenizer.h"

namespace galen {
namespace {

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Unlike the clock, this does not count what other processes of a busy machine took.
double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

Result<GgufVocab> ReadVocab(const std::shared_ptr<MappedFile>& file, const GgufFile& gguf) {
  GgufVocab v;
  v.owner = file;
  const std::string p = "tokenizer.ggml.";
  ASSIGN_OR_RETURN(const std::string_view model, gguf.GetString(p + "model"));
  v.model = model;
  if (gguf.Has(p + "pre")) v.pre = gguf.GetString(p + "pre").value();
  ASSIGN_OR_RETURN(v.tokens, gguf.GetStrings(p + "tokens"));
  if (gguf.Has(p + "scores")) v.scores = gguf.GetFloats(p + "scores").value();
  if (gguf.Has(p + "merges")) v.merges = gguf.GetStrings(p + "merges").value();
  if (gguf.Has(p + "token_type")) {
    const auto types = gguf.GetInts(p + "token_type").value();
    v.token_types.assign(types.begin(), types.end());
  }
  const auto id = [&](const char* name, std::optional<TokenId>* out) {
    if (gguf.Has(p + name)) *out = static_cast<TokenId>(gguf.GetInt(p + name).value());
  };
  id("bos_token_id", &v.bos);
  id("eos_token_id", &v.eos);
  id("eot_token_id", &v.eot);
  id("unknown_token_id", &v.unk);
  id("padding_token_id", &v.pad);
  const auto flag = [&](const char* name, std::optional<bool>* out) {
    if (gguf.Has(p + name)) *out = gguf.GetBool(p + name).value();
  };
  flag("add_bos_token", &v.add_bos);
  flag("add_eos_token", &v.add_eos);
  flag("add_space_prefix", &v.add_space_prefix);
  return v;
}

Result<std::shared_ptr<const Tokenizer>> Load(const std::string& kind, const std::string& path) {
  if (kind == "gguf") {
    ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path));
    ASSIGN_OR_RETURN(const GgufFile gguf, GgufFile::Parse(file->bytes(), path));
    ASSIGN_OR_RETURN(GgufVocab vocab, ReadVocab(file, gguf));
    const double start = Seconds(), cpu = CpuSeconds();
    auto tokenizer = Tokenizer::FromGguf(std::move(vocab));
    std::fprintf(stderr, "FromGguf %.1f ms (%.1f ms of CPU)\n", (Seconds() - start) * 1e3,
                 (CpuSeconds() - cpu) * 1e3);
    return tokenizer;
  }
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  return kind == "spm" ? Tokenizer::FromSentencePiece(bytes) : Tokenizer::FromJson(bytes);
}

bool Read(void* to, size_t size) { return std::fread(to, 1, size, stdin) == size; }
void Write(const void* from, size_t size) { std::fwrite(from, 1, size, stdout); }
void WriteText(const std::string& text) {
  const auto size = static_cast<uint32_t>(text.size());
  Write(&size, 4);
  Write(text.data(), text.size());
}

int Serve(const std::shared_ptr<const Tokenizer>& tokenizer) {
  uint8_t flags;
  while (Read(&flags, 1)) {
    uint32_t size;
    if (!Read(&size, 4)) return 1;
    std::string text(size, '\0');
    if (!Read(text.data(), size)) return 1;
    const auto ids = tokenizer->Encode(text, {.add_bos = (flags & 2) != 0,
                                              .add_eos = (flags & 4) != 0,
                                              .parse_special = (flags & 1) != 0});
    if (!ids.ok()) {
      std::fprintf(stderr, "Encode: %s\n", ids.status().message().c_str());
      return 1;
    }
    const auto count = static_cast<uint32_t>(ids->size());
    Write(&count, 4);
    Write(ids->data(), ids->size() * sizeof(TokenId));
    for (const bool skip : {false, true}) {
      const std::string whole = tokenizer->Decode(*ids, skip);
      StreamingDetokenizer stream(tokenizer, skip);
      std::string parts;
      for (const TokenId id : *ids) parts += stream.Add(id);
      parts += stream.Flush();
      if (parts != whole) {
        std::fprintf(stderr, "the streaming detokenizer gives '%s', Decode '%s'\n", parts.c_str(),
                     whole.c_str());
        return 1;
      }
      WriteText(whole);
    }
  }
  return 0;
}

int Main(int argc, char** argv) {
  if (argc < 3) return 2;
  double start = Seconds(), cpu = CpuSeconds();
  const auto tokenizer = Load(argv[1], argv[2]);
  if (!tokenizer.ok()) {
    std::fprintf(stderr, "%s: %s\n", argv[2], tokenizer.status().message().c_str());
    return 1;
  }
  std::fprintf(stderr, "loaded in %.1f ms (%.1f ms of CPU)\n", (Seconds() - start) * 1e3,
               (CpuSeconds() - cpu) * 1e3);
  if (argc == 5 && std::strcmp(argv[3], "--bench") == 0) {
    const auto text = ReadFile(argv[4]);
    if (!text.ok()) return 1;
    for (int i = 0; i < 3; ++i) {
      cpu = CpuSeconds();
      const auto ids = (*tokenizer)->Encode(*text);
      const double seconds = CpuSeconds() - cpu;
      if (!ids.ok()) return 1;
      std::printf("%zu bytes, %zu ids, %.1f MB/s\n", text->size(), ids->size(),
                  text->size() / seconds / 1e6);
    }
    return 0;
  }
  return Serve(*tokenizer);
}

}  // namespace
}  // namespace galen

int main(int argc, char** argv) { return galen::Main(argc, argv); }
