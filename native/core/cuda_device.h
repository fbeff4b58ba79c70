// The GPU of an environment, behind the plug-in.
#pragma once
#include <memory>
#include <vector>

#include "core/memory.h"
#include "core/plugin.h"

namespace flow {

class CudaDevice final : private BlockSource {
 public:
  // Loads the plug-in, once a process, and opens a context. Null: `failure` says why, and what was missing.
  static std::unique_ptr<CudaDevice> open(const char* path, const OpTable& own, Failure& failure);
  ~CudaDevice();

  const OpTable& table() const { return *plugin_.table; }
  MemoryPool& pool() { return pool_; }
  const char* describe() const { return plugin_.describe(context_); }
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
  CudaDevice(const Plugin& plugin, PluginContext* context) : plugin_(plugin), context_(context), pool_(*this) {}
  void* take(size_t bytes) override;
  void give(void* block) override;
  void fill(void* block, int byte, size_t bytes) override;

  const Plugin& plugin_;
  PluginContext* context_;
  MemoryPool pool_;
  std::vector<void*> graphs_;  // null: dropped
};

}  // namespace flow
