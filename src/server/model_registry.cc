#include "server/model_registry.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/builtin_files.h"
#include "base/sha256.h"
#include "engine/memory_plan.h"
#include "engine/tool_use.h"
#include "formats/adapter_file.h"
#include "formats/quantization_level.h"
#include "server/library/model_names.h"
#include "server/security/file_digest.h"
#include "store/resolve.h"

namespace galen::server {
namespace {

namespace fs = std::filesystem;

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._-:/@+").find(c) != std::string_view::npos;
}

bool IsName(const std::string& name) {
  return !name.empty() && name.size() <= 200 && name[0] != '/' &&
         name.find("..") == std::string::npos &&
         std::all_of(name.begin(), name.end(), IsNameCharacter);
}

std::string NameOf(const std::string& path) {
  if (IsOllamaName(path) || IsHubName(path)) return path.substr(path.find(':') + 1);
  fs::path p = fs::path(path).lexically_normal();
  if (p.filename().empty()) p = p.parent_path();
  return p.extension() == ".gguf" || p.extension() == ".safetensors" ? p.stem().string()
                                                                     : p.filename().string();
}

std::string_view WithoutTag(std::string_view name) {
  constexpr std::string_view kLatest = ":latest";
  if (name.ends_with(kLatest)) name.remove_suffix(kLatest.size());
  return name;
}

// Levenshtein distance of short texts.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t corner = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, corner + (a[i - 1] == b[j - 1] ? 0 : 1)});
      corner = above;
    }
  }
  return row[b.size()];
}

void AddFileFacts(const std::string& path, ModelInfo* info) {
  std::error_code error;
  const auto add = [&](const fs::path& file) {
    struct stat st;
    if (::stat(file.c_str(), &st) != 0) return;
    info->file_bytes += st.st_size;
    info->modified = std::max<int64_t>(info->modified, st.st_mtime);
  };
  if (IsBuiltinPath(path)) {
    for (const BuiltinFile& file : BuiltinFilesIn(path)) {
      if (file.path.ends_with(".safetensors"))
        info->file_bytes += static_cast<int64_t>(file.bytes.size());
    }
  } else if (!fs::is_directory(path, error)) {
    add(path);
  } else {
    for (const auto& entry : fs::directory_iterator(path, error)) {
      if (entry.path().extension() == ".safetensors") add(entry.path());
    }
  }
  const std::string text =
      path + "|" + std::to_string(info->file_bytes) + "|" + std::to_string(info->modified);
  info->identity = Sha256Hex({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

ModelRef FindNamed(const std::vector<ModelRef>& models, std::string_view name) {
  const auto found = std::find_if(models.begin(), models.end(), [&](const ModelRef& info) {
    return WithoutTag(info->spec.name) == WithoutTag(name);
  });
  return found == models.end() ? nullptr : *found;
}

// Loaded, with nothing to do and nobody about to give it something.
bool Idle(const std::shared_ptr<ModelHost>& host) {
  return host != nullptr && host.use_count() == 1 && !host->busy();
}

Result<ModelInfo> ReadInfo(const ModelSpec& spec) {
  ModelInfo info;
  info.spec = spec;
  ReadModelOptions read;
  read.mmproj = spec.mmproj;
  ASSIGN_OR_RETURN(info.files, ReadModel(spec.path, read));  // its template comes with a tokenizer
  info.files.tokenizer = nullptr;
  AddFileFacts(spec.path, &info);
  for (const TensorInfo& tensor : info.files.checkpoint->tensors())
    info.parameters += tensor.NumElements();
  info.quantisation = QuantizationLevel(*info.files.checkpoint);
  return info;
}

}  // namespace

std::string ModelInfo::projector() const {
  if (!sees() || files.vision_checkpoint == nullptr || files.vision_checkpoint == files.checkpoint)
    return spec.mmproj;
  return files.vision_checkpoint->path();
}

std::vector<std::string> ModelInfo::capabilities() const {
  std::vector<std::string> list = {"completion"};
  if (sees()) list.emplace_back("vision");
  if (!reads_lines() && !files.chat_template.empty() &&
      ToolConvention::Of(files.chat_template).ok())
    list.emplace_back("tools");
  return list;
}

Result<ModelSpec> ParseModelSpec(const std::string& argument) {
  ModelSpec spec;
  spec.path = argument;
  const size_t equals = argument.find('=');
  // A path may hold '=' itself: what is there as it stands is no NAME=PATH.
  std::error_code error;
  if (equals != std::string::npos && equals > 0 && !fs::exists(argument, error)) {
    spec.name = argument.substr(0, equals);
    spec.path = argument.substr(equals + 1);
  }
  if (spec.name.empty()) spec.name = NameOf(spec.path);
  if (!IsName(spec.name)) {
    return InvalidArgument("'" + spec.name +
                           "' cannot be the name of a model (letters, digits and . _ - : / @ +); "
                           "give one as NAME=" +
                           spec.path);
  }
  ASSIGN_OR_RETURN(const ModelLocation found, LocateModel(spec.path));
  spec.path = found.path;
  spec.mmproj = found.projector;
  spec.system = found.system;
  spec.parameters = found.parameters;
  spec.license = found.license;
  spec.stored = found.name;
  return spec;
}

Status AddAdapterSpec(const std::string& argument, std::vector<ModelSpec>* models) {
  const size_t equals = argument.find('=');
  if (equals == std::string::npos || equals == 0)
    return InvalidArgument("'" + argument + "' is no adapter; it is [MODEL:]NAME=PATH");
  const std::string whole = argument.substr(0, equals);
  AdapterSpec adapter{whole, argument.substr(equals + 1)};
  ModelSpec* model = models->size() == 1 ? &models->front() : nullptr;
  for (ModelSpec& one : *models) {
    if (!whole.starts_with(one.name + ":") || whole.size() <= one.name.size() + 1) continue;
    model = &one;
    adapter.name = whole.substr(one.name.size() + 1);
    break;
  }
  if (model == nullptr) {
    return InvalidArgument("which model is the adapter '" + whole +
                           "' of? Say --adapter MODEL:NAME=PATH");
  }
  if (!IsName(adapter.name) || adapter.name == "latest")
    return InvalidArgument("'" + adapter.name + "' cannot be the name of an adapter");
  model->adapters.push_back(std::move(adapter));
  return OkStatus();
}

ModelRegistry::ModelRegistry(const RegistryOptions& options) : options_(options) {}

Result<ModelRegistry::EntryRef> ModelRegistry::ReadEntry(const ModelSpec& spec) const {
  if (spec.adapters.size() > 32)
    return InvalidArgument("model '" + spec.name + "' has more than 32 adapters");
  auto entry = std::make_shared<Entry>();
  ASSIGN_OR_RETURN(ModelInfo read, ReadInfo(spec));
  if (options_.hash_content) {
    ASSIGN_OR_RETURN(read.content, ContentOf(spec.path));
  }
  entry->info = std::make_shared<ModelInfo>(std::move(read));
  entry->keep_alive = options_.keep_alive;
  for (size_t i = 0; i < spec.adapters.size(); ++i) {
    const AdapterSpec& adapter = spec.adapters[i];
    auto info = std::make_shared<ModelInfo>(*entry->info);
    info->spec.name = spec.name + ":" + adapter.name;
    info->spec.stored.clear();
    ASSIGN_OR_RETURN(const AdapterFile file, OpenAdapter(adapter.path));
    info->adapters = uint64_t{1} << i;
    info->adapter_digest = file.digest;
    const std::string text = info->identity + "|" + file.digest;
    info->identity = Sha256Hex({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    entry->adapted.push_back(std::move(info));
  }
  return entry;
}

Result<std::unique_ptr<ModelRegistry>> ModelRegistry::Create(const RegistryOptions& options,
                                                             const std::vector<ModelSpec>& specs) {
  std::unique_ptr<ModelRegistry> registry(new ModelRegistry(options));
  for (const ModelSpec& spec : specs) {
    ASSIGN_OR_RETURN(const EntryRef entry, registry->ReadEntry(spec));
    std::vector<std::string_view> names = {entry->info->spec.name};
    for (const auto& adapted : entry->adapted) names.push_back(adapted->spec.name);
    for (size_t i = 0; i < names.size(); ++i) {
      const auto same = [&](std::string_view one) {
        return WithoutTag(one) == WithoutTag(names[i]);
      };
      if (FindNamed(registry->models(), names[i]) != nullptr ||
          std::any_of(names.begin(), names.begin() + static_cast<ptrdiff_t>(i), same)) {
        return InvalidArgument("two models have the name '" + std::string(names[i]) +
                               "'; give one of them another with NAME=" + spec.path);
      }
    }
    registry->entries_.push_back(entry);
  }
  registry->sweeper_ = std::thread([r = registry.get()] { r->Sweep(); });
  return registry;
}

ModelRegistry::~ModelRegistry() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  if (sweeper_.joinable()) sweeper_.join();
}

std::vector<ModelRef> ModelRegistry::models() const {
  const std::lock_guard lock(mutex_);
  std::vector<ModelRef> all;
  for (const EntryRef& entry : entries_) {
    all.push_back(entry->info);
    all.insert(all.end(), entry->adapted.begin(), entry->adapted.end());
  }
  return all;
}

ModelRef ModelRegistry::Find(std::string_view name) const {
  if (ModelRef named = FindNamed(models(), name); named != nullptr) return named;
  if (!SaysItsStore(name)) return nullptr;
  const Result<std::string> stored = StoreNameOf(name);
  if (!stored.ok()) return nullptr;
  const std::vector<ModelRef> found = FindStored(*stored);
  return found.empty() ? nullptr : found[0];
}

ModelRef ModelRegistry::Only() const {
  std::vector<ModelRef> all = models();
  if (all.size() > 1) std::erase_if(all, [](const ModelRef& info) { return info->reads_lines(); });
  return all.size() == 1 ? all[0] : nullptr;
}

ModelRef ModelRegistry::FindLineReader(std::string_view kind) const {
  for (const ModelRef& info : models()) {
    if (!info->reads_lines()) continue;
    const std::vector<std::string>& kinds = info->files.vision.page_lines->kinds;
    if (kind == "auto" || std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) return info;
  }
  return nullptr;
}

std::vector<ModelRef> ModelRegistry::FindStored(const std::string& stored) const {
  std::vector<ModelRef> all = models();
  std::erase_if(all, [&](const ModelRef& info) { return info->spec.stored != stored; });
  return all;
}

Result<std::string> ModelRegistry::ContentOf(const std::string& path) const {
  ASSIGN_OR_RETURN(const std::string state, StateOfWeights(path));
  {
    const std::lock_guard lock(digests_mutex_);
    if (const auto known = digests_.find(state); known != digests_.end()) return known->second;
  }
  ASSIGN_OR_RETURN(std::string digest, DigestOfWeights(path));
  // What changed while it was read is read again the next time.
  const Result<std::string> after = StateOfWeights(path);
  const std::lock_guard lock(digests_mutex_);
  if (after.ok() && *after == state) digests_[state] = digest;
  return digest;
}

Status ModelRegistry::ReadContent(const std::string& path) const {
  return options_.hash_content ? ContentOf(path).status() : OkStatus();
}

Status ModelRegistry::Check(const ModelSpec& spec) const { return ReadInfo(spec).status(); }

Status ModelRegistry::Put(const ModelSpec& spec) {
  ASSIGN_OR_RETURN(EntryRef entry, ReadEntry(spec));
  const std::lock_guard lock(mutex_);
  for (const EntryRef& other : entries_) {
    for (const auto& adapted : other->adapted) {
      if (WithoutTag(adapted->spec.name) == WithoutTag(spec.name))
        return InvalidArgument("'" + spec.name + "' is the name of a model with an adapter");
    }
  }
  for (EntryRef& other : entries_) {
    if (WithoutTag(other->info->spec.name) != WithoutTag(spec.name)) continue;
    removed_.push_back(std::exchange(other, std::move(entry)));
    return OkStatus();
  }
  entries_.push_back(std::move(entry));
  return OkStatus();
}

void ModelRegistry::Remove(const ModelInfo& info) {
  const std::lock_guard lock(mutex_);
  const EntryRef entry = EntryOf(info);
  if (std::erase(entries_, entry) > 0) removed_.push_back(entry);
}

std::string ModelRegistry::Unknown(std::string_view name) const {
  const std::string_view asked = WithoutTag(name.substr(0, 200));
  ModelRef best;
  size_t least = asked.size() / 2 + 2;
  const std::vector<ModelRef> all = models();
  for (const ModelRef& info : all) {
    const std::string_view known = WithoutTag(info->spec.name);
    const size_t distance = known.find(asked) != known.npos || asked.find(known) != asked.npos
                                ? 1
                                : Distance(asked, known);
    if (distance < least) {
      least = distance;
      best = info;
    }
  }
  std::string text = "model '" + std::string(name.substr(0, 200)) + "' not found";
  if (best != nullptr && !asked.empty()) return text + "; did you mean '" + best->spec.name + "'?";
  text += all.empty() ? "; this server offers none" : "; this server offers";
  for (size_t i = 0; i < all.size() && i < 20; ++i)
    text += (i == 0 ? " '" : ", '") + all[i]->spec.name + "'";
  return text;
}

ModelRegistry::EntryRef ModelRegistry::EntryOf(const ModelInfo& info) const {
  for (const EntryRef& entry : entries_) {
    if (entry->info.get() == &info) return entry;
    for (const auto& adapted : entry->adapted) {
      if (adapted.get() == &info) return entry;
    }
  }
  return nullptr;
}

std::shared_ptr<ModelHost> ModelRegistry::TakeIdle(const EntryRef& except) {
  const std::lock_guard lock(mutex_);
  EntryRef oldest;
  for (const EntryRef& entry : entries_) {
    if (entry == except || !Idle(entry->host)) continue;
    if (oldest == nullptr || entry->used < oldest->used) oldest = entry;
  }
  return oldest == nullptr ? nullptr : std::exchange(oldest->host, nullptr);
}

Result<std::shared_ptr<ModelHost>> ModelRegistry::Acquire(const ModelInfo& info,
                                                          double* load_seconds) {
  *load_seconds = 0;
  EntryRef entry;
  const auto present = [&]() -> std::shared_ptr<ModelHost> {
    const std::lock_guard lock(mutex_);
    entry = EntryOf(info);
    if (entry == nullptr) return nullptr;
    if (entry->host != nullptr && entry->host->failed()) entry->host = nullptr;
    if (entry->host != nullptr) entry->used = Clock::now();
    return entry->host;
  };
  if (auto host = present()) return host;
  const std::lock_guard one_load(loading_);
  if (auto host = present()) return host;
  if (entry == nullptr)
    return NotFound("model '" + info.spec.name + "' was removed or replaced; ask again");
  const Clock::time_point begin = Clock::now();
  HostOptions host = options_.host;
  host.session.model = info.spec.path;
  host.session.read.mmproj = info.spec.mmproj;
  host.session.images = info.sees();
  for (const AdapterSpec& adapter : info.spec.adapters)
    host.session.adapters.push_back({adapter.path, 1.0});
  while (true) {
    if (options_.memory > 0) {
      int64_t used = 0;
      for (const Loaded& loaded : this->loaded()) used += loaded.host->reserved_bytes();
      host.session.memory = std::max<int64_t>(1, options_.memory - used);
    }
    Result<std::unique_ptr<ModelHost>> opened = ModelHost::Open(host, &turns_);
    if (opened.ok()) {
      const std::lock_guard lock(mutex_);
      entry->host = *std::move(opened);
      entry->keep_alive = options_.keep_alive;
      entry->used = Clock::now();
      // Removed while it was loaded: who waited for it is served yet.
      if (EntryOf(info) == nullptr &&
          std::find(removed_.begin(), removed_.end(), entry) == removed_.end()) {
        removed_.push_back(entry);
      }
      *load_seconds = std::chrono::duration<double>(Clock::now() - begin).count();
      return entry->host;
    }
    if (opened.status().code() != StatusCode::kResourceExhausted) return opened.status();
    const std::shared_ptr<ModelHost> idle = TakeIdle(entry);
    if (idle == nullptr) return opened.status();
  }
}

void ModelRegistry::Unload(const ModelInfo& info) {
  std::shared_ptr<ModelHost> gone;  // ends outside of the lock
  const std::lock_guard lock(mutex_);
  const EntryRef entry = EntryOf(info);
  if (entry == nullptr || entry->host == nullptr) return;
  if (!Idle(entry->host)) {
    entry->keep_alive = std::chrono::seconds(0);
    return;
  }
  gone = std::exchange(entry->host, nullptr);
}

void ModelRegistry::KeepAlive(const ModelInfo& info, std::chrono::seconds time) {
  const std::lock_guard lock(mutex_);
  if (const EntryRef entry = EntryOf(info)) entry->keep_alive = time;
}

std::vector<ModelRegistry::Loaded> ModelRegistry::loaded() const {
  const std::lock_guard lock(mutex_);
  std::vector<Loaded> all;
  std::vector<EntryRef> entries = entries_;
  entries.insert(entries.end(), removed_.begin(), removed_.end());
  for (const EntryRef& entry : entries) {
    if (entry->host == nullptr) continue;
    Loaded loaded{entry->info, entry->host, 0};
    if (entry->keep_alive.count() >= 0) {
      const auto left = entry->used + entry->keep_alive - Clock::now();
      loaded.expires = std::chrono::duration_cast<std::chrono::seconds>(
                           (std::chrono::system_clock::now() + left).time_since_epoch())
                           .count();
    }
    all.push_back(std::move(loaded));
  }
  return all;
}

void ModelRegistry::Sweep() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    stopping_.wait_for(lock, std::chrono::milliseconds(500));
    std::vector<std::shared_ptr<ModelHost>> gone;
    for (const EntryRef& entry : removed_) {
      if (Idle(entry->host)) gone.push_back(std::exchange(entry->host, nullptr));
    }
    std::erase_if(removed_, [](const EntryRef& entry) { return entry->host == nullptr; });
    for (const EntryRef& entry : entries_) {
      if (entry->host == nullptr) continue;
      if (!Idle(entry->host)) {
        entry->used = Clock::now();
      } else if (entry->keep_alive.count() >= 0 &&
                 Clock::now() - entry->used >= entry->keep_alive) {
        gone.push_back(std::exchange(entry->host, nullptr));
      }
    }
    if (gone.empty()) continue;
    lock.unlock();
    gone.clear();
    lock.lock();
  }
}

}  // namespace galen::server
