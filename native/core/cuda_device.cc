#include "core/cuda_device.h"

#include <cstdio>
#include <new>
#include <vector>

#if !defined(_WIN32)
#include <dlfcn.h>
#endif

namespace flow {
namespace {

// The library stays loaded: its threads and atexit handlers are CUDA's own.
const Plugin* load(const char* path, Failure& failure) {
#if defined(_WIN32)
  std::snprintf(failure.message, sizeof failure.message, "[cuda] library: there is no build for Windows yet (%s)", path);
  return nullptr;
#else
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    std::snprintf(failure.message, sizeof failure.message, "[cuda] library: %s", dlerror());
    return nullptr;
  }
  auto entry = reinterpret_cast<PluginEntry>(dlsym(library, plugin_entry_name));
  char reason[256] = "it is no plug-in of flow-kernels";
  const Plugin* plugin = entry ? entry(plugin_version, reason, sizeof reason) : nullptr;
  if (!plugin) std::snprintf(failure.message, sizeof failure.message, "[cuda] library %s: %s", path, reason);
  return plugin;
#endif
}

}  // namespace

std::unique_ptr<CudaDevice> CudaDevice::open(const char* path, const OpTable& own, Failure& failure) {
  const Plugin* plugin = load(path, failure);
  if (!plugin) return nullptr;
  Fingerprint registry;
  for (int i = 0; i < own.count; ++i) registry.add(own.ops[i]->name);
  if (plugin->registry != registry.value()) {
    std::snprintf(failure.message, sizeof failure.message,
                  "[cuda] library %s: it was built for another list of ops than the addon: build both from one source", path);
    return nullptr;
  }
  PluginContext* context = plugin->open(&failure);
  if (!context) return nullptr;
  std::unique_ptr<CudaDevice> device(new CudaDevice(*plugin, context));
  plugin->on_shortage(context, [](void* owner) { static_cast<CudaDevice*>(owner)->pool_.trim(); }, device.get());
  return device;
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
