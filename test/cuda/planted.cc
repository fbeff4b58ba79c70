// A plug-in that has no kernels and does what the name of its file says, behind flow_kernels_cuda_, with underscores between the words:
//   score2         its score; 0 gives a reason
//   90-real+120    its score is that of core/score.h for these architectures …
//   cuda12080      … built by this toolkit, on the machine that PLANTED_MACHINE describes, "9.0 13000": compute capability and driver
//   version        it was built for another version of the interface
//   registry       it was built for another list of ops
//   opens          it can be opened; without the word it says that it was asked to
// Every call of it becomes a line of the file PLANTED_LOG.
#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/plugin.h"
#include "cuda/core/score.cc"

namespace {

using namespace flow;

uint64_t fingerprint() {
  Fingerprint registry;
#define FLOW_OP(name) registry.add(#name);
#include "ops/registry.def"
#undef FLOW_OP
  return registry.value();
}

const std::string& file() {
  static const std::string name = [] {
    Dl_info own;
    dladdr(reinterpret_cast<const void*>(&fingerprint), &own);
    const std::string path = own.dli_fname;
    const std::string all = path.substr(path.rfind('/') + 1);
    return all.substr(0, all.size() - 3);
  }();
  return name;
}

bool has(const char* word) { return (file() + "_").find(std::string("_") + word + "_") != std::string::npos; }

/** What stands behind a word's beginning; empty: there is no such word. */
std::string after(const char* begin) {
  const size_t at = file().find(std::string("_") + begin);
  if (at == std::string::npos) return {};
  const size_t from = at + 1 + std::strlen(begin);
  return file().substr(from, file().find('_', from) - from);
}

void log(const char* what) {
  if (const char* path = std::getenv("PLANTED_LOG"))
    if (FILE* to = std::fopen(path, "a")) {
      std::fprintf(to, "%s %s\n", what, file().c_str());
      std::fclose(to);
    }
}

int score(char* reason, size_t bytes) {
  log("score");
  if (const std::string own = after("score"); !own.empty()) {
    std::snprintf(reason, bytes, "device: it was planted: pull it out");
    return std::atoi(own.c_str());
  }
  cuda::Machine machine{"a GPU", 0, 0, 0};
  if (const char* text = std::getenv("PLANTED_MACHINE"))
    std::sscanf(text, "%d.%d %d", &machine.major, &machine.minor, &machine.driver);
  const size_t first = std::strlen("flow_kernels_cuda_");
  std::string architectures = file().substr(first, file().find('_', first) - first);
  std::replace(architectures.begin(), architectures.end(), '+', ',');
  return cuda::score_of(architectures.c_str(), std::atoi(after("cuda1").c_str()) % 10000 + 10000, machine, reason, bytes);
}

PluginContext* open(Failure* failure) {
  log("open");
  static int context;
  if (has("opens")) return reinterpret_cast<PluginContext*>(&context);
  std::snprintf(failure->message, sizeof failure->message, "[cuda] device: it cannot be opened: planted");
  return nullptr;
}

const OpTable table = {"planted", nullptr, 0, nullptr};
Plugin plugin = {};

}  // namespace

extern "C" __attribute__((visibility("default"))) const Plugin* flow_kernels_plugin(int version, char* reason, size_t bytes) {
  if (has("version")) {
    std::snprintf(reason, bytes, "the plug-in has version %d, the addon asks for %d", version - 1, version);
    return nullptr;
  }
  plugin.version = plugin_version;
  plugin.registry = fingerprint() + has("registry");
  plugin.table = &table;
  plugin.score = score;
  plugin.open = open;
  plugin.close = [](PluginContext*) {};
  plugin.describe = [](const PluginContext*) { return "planted"; };
  plugin.on_shortage = [](PluginContext*, void (*)(void*), void*) {};
  plugin.on_question = [](PluginContext*, const int32_t* (*)(void*, const void*, int64_t), void*) {};
  return &plugin;
}
