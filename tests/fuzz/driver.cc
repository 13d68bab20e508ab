// The fuzz driver for compilers without libFuzzer: replays a corpus, then mutates it for some
// seconds.
//
//   X_fuzz [--seconds N] [--seed S] [--max-len BYTES] [--timeout SECONDS] [--artifact FILE] [--save
//   DIR] FILE|DIRECTORY...
//
// Each input lies in a heap block of its exact size, so that AddressSanitizer sees a read of one
// byte too many. An input that crashes, takes more processor time than --timeout or throws is
// written to --artifact (default: crash-X_fuzz.bin). When the tree is compiled with
// -DCMAKE_CXX_FLAGS=-fsanitize-coverage=trace-pc, inputs that reach new code join the pool, and
// --save writes them to a directory.
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
// Present when a sanitizer is linked; it reports and exits without raising a signal.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));
// A length that was taken from the input and allocated unchecked becomes a report instead of an
// out-of-memory kill. The sanitizer's memmem looks at the whole rest of a text each time, which
// makes a search quadratic.
extern "C" const char* __asan_default_options() {
  return "max_allocation_size_mb=1024:intercept_memmem=0";
}

namespace {

using Input = std::vector<uint8_t>;
using Random = std::mt19937_64;

struct Options {
  double seconds = 0;
  uint64_t seed = 1;
  size_t max_len = 1 << 20;
  unsigned timeout = 20;
  std::string artifact;
  std::string save;
  std::vector<std::string> paths;
};

// Read by the crash handlers, hence plain globals.
const uint8_t* g_data = nullptr;
size_t g_size = 0;
const char* g_artifact = nullptr;

// Edge coverage, filled by code compiled with -fsanitize-coverage=trace-pc.
// Plain arrays: the callback below must call nothing that is itself instrumented.
constexpr size_t kMapSize = 1 << 16;
uint8_t g_hits[kMapSize];
uintptr_t g_previous = 0;
bool g_covered = false;

void DumpInput() {
  if (g_artifact == nullptr || g_data == nullptr) return;
  FILE* file = std::fopen(g_artifact, "wb");
  if (file == nullptr) return;
  std::fwrite(g_data, 1, g_size, file);
  std::fclose(file);
  std::fprintf(stderr, "the input of %zu bytes was written to %s\n", g_size, g_artifact);
  g_artifact = nullptr;
}

void OnSignal(int signal) {
  const bool timeout = signal == SIGPROF || signal == SIGALRM;
  std::fprintf(stderr, timeout ? "fuzz: timeout\n" : "fuzz: signal %d\n", signal);
  DumpInput();
  _exit(1);
}

void InstallHandlers() {
  // AddressSanitizer reports bad accesses itself, with a stack; the rest is ours, SIGABRT being an
  // exception that escapes.
  const bool sanitized = __sanitizer_set_death_callback != nullptr;
  if (sanitized) __sanitizer_set_death_callback(DumpInput);
  for (const int signal : {SIGILL, SIGABRT, SIGPROF, SIGALRM}) ::signal(signal, OnSignal);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE}) {
    if (!sanitized) ::signal(signal, OnSignal);
  }
}

// Bounds the processor time, which does not depend on what else the machine does. An input that
// waits for ever takes none: for it there is a bound on the clock that no busy machine reaches.
// Zero seconds: no bound.
void Limit(unsigned seconds) {
  itimerval timer{};
  timer.it_value.tv_sec = seconds;
  ::setitimer(ITIMER_PROF, &timer, nullptr);
  ::alarm(seconds * 30);
}

void Run(const Input& input, unsigned timeout) {
  const std::unique_ptr<uint8_t[]> exact(new uint8_t[input.size()]);
  if (!input.empty()) std::memcpy(exact.get(), input.data(), input.size());
  g_data = exact.get();
  g_size = input.size();
  g_previous = 0;
  Limit(timeout);
  LLVMFuzzerTestOneInput(exact.get(), input.size());
  Limit(0);
  g_data = nullptr;
}

// Adds what the last run reached to `seen`; true when it reached anything new (hit counts in powers
// of two).
bool MergeCoverage(std::array<uint8_t, kMapSize>* seen) {
  if (!g_covered) return false;
  bool grown = false;
  for (size_t i = 0; i < kMapSize; ++i) {
    uint64_t eight;
    std::memcpy(&eight, g_hits + i / 8 * 8, 8);
    if (eight == 0) i = i / 8 * 8 + 7;
    if (g_hits[i] == 0) continue;
    const uint8_t bucket = static_cast<uint8_t>(1u << (31 - __builtin_clz(g_hits[i])));
    if ((bucket & ~(*seen)[i]) != 0) {
      (*seen)[i] |= bucket;
      grown = true;
    }
    g_hits[i] = 0;
  }
  return grown;
}

size_t Below(Random& random, size_t bound) { return bound == 0 ? 0 : random() % bound; }

void OverwriteInteger(Input* input, Random& random) {
  static constexpr uint64_t kExtremes[] = {0,
                                           1,
                                           2,
                                           0x7f,
                                           0x80,
                                           0xff,
                                           0x7fff,
                                           0x8000,
                                           0xffff,
                                           0x7fffffff,
                                           0x80000000,
                                           0xffffffff,
                                           0x100000000,
                                           0x7fffffffffffffff,
                                           0x8000000000000000,
                                           0xfffffffffffffff8,
                                           0xffffffffffffffff,
                                           0x3fffffffffffffff,
                                           0x0fffffffffffffff};
  const size_t width = size_t{1} << Below(random, 4);
  if (input->size() < width) return;
  const size_t at = Below(random, input->size() - width + 1);
  uint64_t value = kExtremes[Below(random, std::size(kExtremes))];
  switch (Below(random, 4)) {
    case 0:
      value = input->size() - Below(random, 16);
      break;  // a length near the end
    case 1: {
      value = 0;
      std::memcpy(&value, input->data() + at, width);
      value += Below(random, 33) - 16;
      break;
    }
    default:
      break;
  }
  std::memcpy(input->data() + at, &value, width);
}

// Replaces a run of ASCII digits, which is how text formats spell sizes.
void OverwriteNumber(Input* input, Random& random) {
  static constexpr const char* kNumbers[] = {"0",
                                             "-1",
                                             "1",
                                             "2147483647",
                                             "2147483648",
                                             "4294967295",
                                             "4294967296",
                                             "9223372036854775807",
                                             "9223372036854775808",
                                             "18446744073709551615",
                                             "1e400",
                                             "0.5",
                                             "-9223372036854775808",
                                             "1e-320"};
  const auto digit = [](uint8_t c) { return c >= '0' && c <= '9'; };
  auto begin = std::find_if(input->begin() + Below(random, input->size()), input->end(), digit);
  if (begin == input->end()) return;
  const auto end = std::find_if_not(begin, input->end(), digit);
  const char* number = kNumbers[Below(random, std::size(kNumbers))];
  begin = input->erase(begin, end);
  input->insert(begin, number, number + std::strlen(number));
}

void MutateOnce(Input* input, const std::vector<Input>& pool, Random& random) {
  const size_t size = input->size();
  const size_t at = Below(random, size);
  const size_t length = Below(random, std::min<size_t>(size - at, size_t{1} << Below(random, 12))) +
                        (size > at ? 1 : 0);
  switch (Below(random, 10)) {
    case 0:
      if (size > 0) (*input)[at] ^= static_cast<uint8_t>(1u << Below(random, 8));
      break;
    case 1:
      if (size > 0) (*input)[at] = static_cast<uint8_t>(random());
      break;
    case 2:
    case 3:
      OverwriteInteger(input, random);
      break;
    case 4:
      if (size > 0) OverwriteNumber(input, random);
      break;
    case 5:
      input->resize(at);
      break;
    case 6:
      input->erase(input->begin() + at, input->begin() + at + length);
      break;
    case 7: {  // duplicate a stretch somewhere else
      const Input chunk(input->begin() + at, input->begin() + at + length);
      input->insert(input->begin() + Below(random, size + 1), chunk.begin(), chunk.end());
      break;
    }
    case 8: {  // splice: a stretch of another input, inserted or written over
      const Input& other = pool[Below(random, pool.size())];
      if (other.empty()) break;
      const size_t from = Below(random, other.size());
      const size_t n =
          Below(random, std::min<size_t>(other.size() - from, size_t{1} << Below(random, 12))) + 1;
      if (random() % 2 == 0) {
        input->insert(input->begin() + at, other.begin() + from,
                      other.begin() + from + std::min(n, other.size() - from));
      } else {
        std::copy_n(other.begin() + from, std::min({n, other.size() - from, size - at}),
                    input->begin() + at);
      }
      break;
    }
    default: {  // a run of one byte: deep nesting, long strings
      const uint8_t value = size > 0 ? (*input)[at] : static_cast<uint8_t>(random());
      input->insert(input->begin() + at, Below(random, 600), value);
      break;
    }
  }
}

bool ReadCorpus(const Options& options, std::vector<Input>* pool) {
  std::vector<std::filesystem::path> files;
  for (const std::string& path : options.paths) {
    if (std::filesystem::is_directory(path)) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
        if (entry.is_regular_file()) files.push_back(entry.path());
      }
    } else {
      files.push_back(path);
    }
  }
  std::sort(files.begin(),
            files.end());  // same order on every machine, so that a seed means one run
  for (const auto& path : files) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream) {
      std::fprintf(stderr, "fuzz: cannot read %s\n", path.c_str());
      return false;
    }
    pool->emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  }
  return true;
}

bool ParseOptions(int argc, char** argv, Options* options) {
  options->artifact = "crash-" + std::filesystem::path(argv[0]).filename().string() + ".bin";
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind("--", 0) != 0) {
      options->paths.push_back(argument);
      continue;
    }
    if (i + 1 >= argc) return false;
    const char* value = argv[++i];
    if (argument == "--seconds")
      options->seconds = std::atof(value);
    else if (argument == "--seed")
      options->seed = std::strtoull(value, nullptr, 10);
    else if (argument == "--max-len")
      options->max_len = std::strtoull(value, nullptr, 10);
    else if (argument == "--timeout")
      options->timeout = static_cast<unsigned>(std::atoi(value));
    else if (argument == "--artifact")
      options->artifact = value;
    else if (argument == "--save")
      options->save = value;
    else
      return false;
  }
  return !options->paths.empty();
}

void Save(const Input& input, const Options& options, size_t number) {
  if (options.save.empty()) return;
  std::ofstream stream(options.save + "/" + std::to_string(number), std::ios::binary);
  stream.write(reinterpret_cast<const char*>(input.data()),
               static_cast<std::streamsize>(input.size()));
}

}  // namespace

extern "C" __attribute__((no_sanitize_coverage, no_sanitize("address", "undefined"))) void
__sanitizer_cov_trace_pc() {
  if (g_data == nullptr) return;
  const uintptr_t here = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
  const uintptr_t edge = ((here >> 2) ^ (here >> 18) ^ g_previous) & (kMapSize - 1);
  if (g_hits[edge] != 255) ++g_hits[edge];
  g_covered = true;
  g_previous = (here >> 3) & (kMapSize - 1);
}

int main(int argc, char** argv) {
  Options options;
  if (!ParseOptions(argc, argv, &options)) {
    std::fprintf(stderr,
                 "usage: %s [--seconds N] [--seed S] [--max-len N] [--timeout S] [--artifact FILE] "
                 "[--save DIR] CORPUS...\n",
                 argv[0]);
    return 2;
  }
  g_artifact = options.artifact.c_str();
  InstallHandlers();
  std::vector<Input> pool;
  if (!ReadCorpus(options, &pool)) return 1;
  if (pool.empty()) {
    std::fprintf(stderr, "fuzz: the corpus is empty\n");
    return 1;
  }
  auto seen = std::make_unique<std::array<uint8_t, kMapSize>>();
  for (const Input& input : pool) {
    Run(input, options.timeout);
    MergeCoverage(seen.get());
  }
  Run({}, options.timeout);
  const size_t replayed = pool.size();

  Random random(options.seed);
  uint64_t mutations = 0;
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::duration<double>(options.seconds);
  while (std::chrono::steady_clock::now() < end) {
    // Half of the picks go to the newest inputs, which lie deepest.
    const size_t newest = std::min<size_t>(pool.size(), 64);
    const size_t pick =
        random() % 2 == 0 ? Below(random, pool.size()) : pool.size() - 1 - Below(random, newest);
    Input input = pool[pick];
    for (size_t n = 1 + Below(random, 6); n > 0; --n) MutateOnce(&input, pool, random);
    if (input.size() > options.max_len) input.resize(options.max_len);
    Run(input, options.timeout);
    ++mutations;
    if (MergeCoverage(seen.get()) && pool.size() < 20000) {
      Save(input, options, pool.size());
      pool.push_back(std::move(input));
    }
  }
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  std::printf("replayed %zu inputs, ran %llu mutations, found %zu new paths, peak memory %ld MB\n",
              replayed, static_cast<unsigned long long>(mutations), pool.size() - replayed,
              usage.ru_maxrss / 1024);
  return 0;
}
