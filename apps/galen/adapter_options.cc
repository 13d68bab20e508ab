#include "adapter_options.h"

namespace galen::cli {

void AddAdapterOptions(CLI::App& verb, AdapterCliOptions* o) {
  verb.add_option("--adapter", o->paths,
                  "A low-rank adapter: a directory of PEFT or a GGUF adapter; may be repeated")
      ->type_name("PATH")
      ->allow_extra_args(false);
  verb.add_option("--adapter-scale", o->scales,
                  "How much the adapter before it counts (1: as it was trained)")
      ->allow_extra_args(false);
  verb.add_flag("--allow-unmatched", o->allow_unmatched,
                "Skip tensors of an adapter that fit nothing in the model, and say which");
}

Status ReadAdapterOptions(const CLI::App& verb, AdapterCliOptions* o) {
  o->chosen.clear();
  size_t scale = 0;
  bool scaled = true;  // the last adapter has its scale
  for (const CLI::Option* option : verb.parse_order()) {
    if (option->check_name("--adapter")) {
      o->chosen.push_back({o->paths[o->chosen.size()], 1.0});
      scaled = false;
    } else if (option->check_name("--adapter-scale")) {
      if (scaled) return InvalidArgument("--adapter-scale belongs behind the --adapter it weighs");
      o->chosen.back().scale = o->scales[scale++];
      scaled = true;
    }
  }
  return OkStatus();
}

Json AdapterRecord(const ModelAdapters& adapters) {
  Json list = Json::array();
  for (const AttachedAdapter& a : adapters.adapters()) {
    Json entry = {{"name", a.name},
                  {"digest", a.digest},
                  {"scale", a.scale},
                  {"modules", a.modules},
                  {"changes_nothing", a.changes_nothing}};
    if (!a.skipped.empty()) entry["skipped"] = a.skipped;
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace galen::cli
