#include "core/cuda_device.h"

#include <algorithm>
#include <cstdio>
#include <new>
#include <string_view>
#include <vector>

#if !defined(_WIN32)
#include <dlfcn.h>
#endif

namespace flow {
namespace {

struct Candidate {
  std::string name;  // of the file, for people
  const Plugin* plugin = nullptr;
  int score = 0;
  std::string reason;  // why it cannot be used
};

// The library stays loaded: its threads and atexit handlers are CUDA's own.
const Plugin* load(const std::string& path, std::string& reason) {
#if defined(_WIN32)
  reason = "there is no build for Windows yet (" + path + ")";
  return nullptr;
#else
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    reason = dlerror();
    return nullptr;
  }
  auto entry = reinterpret_cast<PluginEntry>(dlsym(library, plugin_entry_name));
  char text[256] = "it is no plug-in of flow-kernels";
  const Plugin* plugin = entry ? entry(plugin_version, text, sizeof text) : nullptr;
  if (!plugin) reason = path + ": " + text;
  return plugin;
#endif
}

Candidate ask(const std::string& path, uint64_t registry) {
  Candidate own;
  own.name = path.substr(path.rfind('/') + 1);
  own.plugin = load(path, own.reason);
  if (own.plugin && own.plugin->registry != registry) {
    own.plugin = nullptr;
    own.reason = path + ": it was built for another list of ops than the addon: build both from one source";
  }
  if (!own.plugin) {
    own.reason = "library: " + own.reason;
    return own;
  }
  char text[sizeof Failure::message] = "it does not say why";
  own.score = own.plugin->score(text, sizeof text);
  if (own.score <= 0) own.reason = text;
  return own;
}

/** Why none of them can be used. */
std::string reasons_of(const std::vector<Candidate>& candidates) {
  if (candidates.size() == 1) return "[cuda] " + candidates[0].reason;
  std::string all = "[cuda] none of " + std::to_string(candidates.size()) + " plug-ins can be used";
  for (const Candidate& own : candidates) all += "; " + own.name + ": " + own.reason;
  return all;
}

}  // namespace

std::unique_ptr<CudaDevice> CudaDevice::open(const std::vector<std::string>& paths, const OpTable& own, std::string& reason) {
  Fingerprint registry;
  for (int i = 0; i < own.count; ++i) registry.add(own.ops[i]->name);
  std::vector<Candidate> candidates;
  for (const std::string& path : paths) candidates.push_back(ask(path, registry.value()));
  std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
  for (Candidate& best : candidates) {
    if (best.score <= 0) break;
    Failure failure{};
    PluginContext* context = best.plugin->open(&failure);
    if (!context) {
      constexpr std::string_view prefix = "[cuda] ";
      best.reason = failure.message;
      if (best.reason.starts_with(prefix)) best.reason.erase(0, prefix.size());
      continue;
    }
    const std::string description = std::string(best.plugin->describe(context)) + ", " + best.name;
    std::unique_ptr<CudaDevice> device(new CudaDevice(*best.plugin, context, description));
    best.plugin->on_shortage(context, [](void* owner) { static_cast<CudaDevice*>(owner)->pool_.trim(); }, device.get());
    best.plugin->on_question(
        context,
        [](void* owner, const void* data, int64_t count) -> const int32_t* {
          const auto& written = static_cast<CudaDevice*>(owner)->written_;
          const auto found = written.find(data);
          return found != written.end() && static_cast<int64_t>(found->second.size()) >= count ? found->second.data() : nullptr;
        },
        device.get());
    return device;
  }
  reason = reasons_of(candidates);
  return nullptr;
}

CudaDevice::~CudaDevice() {
  for (size_t graph = 0; graph < graphs_.size(); ++graph) drop_graph(graph);
  pool_.trim();
  plugin_.close(context_);
}

bool CudaDevice::upload(void* to, const void* from, size_t bytes, Failure& failure) {
  return bytes == 0 || plugin_.upload(context_, to, from, bytes, &failure);
}

bool CudaDevice::download(void* to, const void* from, size_t bytes, Failure& failure) {
  return bytes == 0 || plugin_.download(context_, to, from, bytes, &failure);
}

void CudaDevice::remember(const void* data, const int32_t* values, int64_t count) {
  constexpr int64_t most = 1 << 16;
  if (count > 0 && count <= most) written_[data].assign(values, values + count);
  else forget(data);
}

bool CudaDevice::run_graph(size_t graph, Failure& failure) {
  if (graph < graphs_.size() && graphs_[graph]) return plugin_.run_graph(context_, graphs_[graph], &failure);
  std::snprintf(failure.message, sizeof failure.message, "[cuda] graph: expected a live one, got %zu", graph);
  return false;
}

void CudaDevice::drop_graph(size_t graph) {
  if (graph >= graphs_.size() || !graphs_[graph]) return;
  plugin_.drop_graph(context_, graphs_[graph]);
  graphs_[graph] = nullptr;
}

void* CudaDevice::take(size_t bytes) {
  void* block = plugin_.take(context_, bytes);
  if (!block) throw std::bad_alloc();
  return block;
}

void CudaDevice::give(void* block) { plugin_.give(context_, block); }

void CudaDevice::fill(void* block, int byte, size_t bytes) {
  const std::vector<char> bytes_of_block(bytes, static_cast<char>(byte));
  Failure failure;
  plugin_.upload(context_, block, bytes_of_block.data(), bytes, &failure);
}

}  // namespace flow
