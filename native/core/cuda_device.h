// The GPU of an environment, behind the plug-in.
#pragma once
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/memory.h"
#include "core/plugin.h"

namespace flow {

class CudaDevice final : private BlockSource {
 public:
  // Loads the plug-ins at `paths`, each once a process, and opens a context by the one with the highest score, the first of equals; where
  // that cannot be opened, by the next. Null: `reason` says of each why not.
  static std::unique_ptr<CudaDevice> open(const std::vector<std::string>& paths, const OpTable& own, std::string& reason);
  ~CudaDevice();

  const OpTable& table() const { return *plugin_.table; }
  MemoryPool& pool() { return pool_; }
  // Name of the device, versions, and the file of the plug-in.
  const std::string& describe() const { return description_; }
  // Structure, as the extents of a mask, is decided on by the host: what it wrote as int32 is kept here, until something else writes there.
  void remember(const void* data, const int32_t* values, int64_t count);
  void forget(const void* data) { written_.erase(data); }
  void enter() { plugin_.enter(context_); }
  bool upload(void* to, const void* from, size_t bytes, Failure& failure);
  bool download(void* to, const void* from, size_t bytes, Failure& failure);
  // See core/plugin.h; null after filling in the failure.
  void* begin_read(const void* from, size_t bytes, Failure& failure) { return plugin_.begin_read(context_, from, bytes, &failure); }
  bool has_arrived(void* read) const { return plugin_.has_arrived(read); }
  bool finish_read(void* read, void* to, Failure& failure) const { return plugin_.finish_read(read, to, &failure); }
  void drop_read(void* read) { plugin_.drop_read(context_, read); }
  // Writes down the work that `body` (Status()) puts into the stream; the number of the graph, or −1.
  template <class F>
  int capture(Failure& failure, const F& body) {
    enter();
    if (!plugin_.begin_graph(context_, &failure)) return -1;
    const bool done = body();
    Failure second;
    void* graph = plugin_.end_graph(context_, done ? &failure : &second);
    if (!done && graph) plugin_.drop_graph(context_, graph);
    if (!done || !graph) return -1;
    graphs_.push_back(graph);
    return static_cast<int>(graphs_.size()) - 1;
  }
  bool run_graph(size_t graph, Failure& failure);
  void drop_graph(size_t graph);
  bool wait(Failure& failure) { return plugin_.wait(context_, &failure); }
  double get(const char* name) { return plugin_.get(context_, name); }
  bool set(const char* name, double value) { return plugin_.set(context_, name, value); }

 private:
  CudaDevice(const Plugin& plugin, PluginContext* context, std::string description)
      : plugin_(plugin), context_(context), description_(std::move(description)), pool_(*this) {}
  void* take(size_t bytes) override;
  void give(void* block) override;
  void fill(void* block, int byte, size_t bytes) override;

  const Plugin& plugin_;
  PluginContext* context_;
  std::string description_;
  MemoryPool pool_;
  std::vector<void*> graphs_;  // null: dropped
  std::unordered_map<const void*, std::vector<int32_t>> written_;
};

}  // namespace flow
