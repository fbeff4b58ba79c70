// The small C interface between the addon and the CUDA plug-in, a shared library that is loaded where a GPU is wanted. Plain data and
// function pointers: neither side links to the other, and each has its own C++ runtime.
#pragma once
#include <stdint.h>

#include "core/op.h"

namespace flow {

// Both sides must have been built with the same number.
inline constexpr int plugin_version = 5;

/** Of a list of names (FNV-1a, 64 bits): opcodes are places in it, so both sides must have been built from one. */
class Fingerprint {
 public:
  void add(const char* name) {
    do {
      value_ = (value_ ^ static_cast<unsigned char>(*name)) * 0x100000001b3u;
    } while (*name++);
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325u;
};

struct PluginContext;  // one an environment: a stream, a cuBLAS handle, an arena

struct Plugin {
  int version;
  uint64_t registry;     // Fingerprint of the names of native/ops/registry.def that it was built from
  const OpTable* table;  // in the order of native/ops/registry.def; null for an op without a kernel

  // How well it would run on this machine: of several plug-ins the one with the highest number is opened. 0: not at all, after writing
  // the reason with its remedy. Makes no context on the device and takes no memory of it.
  int (*score)(char* reason, size_t reason_bytes);

  // Opens the device; null after filling in the failure.
  PluginContext* (*open)(Failure* failure);
  void (*close)(PluginContext* context);
  // Name of the device and versions, for people.
  const char* (*describe)(const PluginContext* context);

  // Memory of the device; null where there is none. Blocks given back may be taken again at once: work is ordered by the stream.
  void* (*take)(PluginContext* context, size_t bytes);
  void (*give)(PluginContext* context, void* block);

  // What to call where the device is short of memory: the owner gives back blocks that it only keeps.
  void (*on_shortage)(PluginContext* context, void (*release)(void* owner), void* owner);

  // What the addon knows of the device's memory: the int32 that the host wrote to `data`, so many or more, and that no op has changed;
  // null where it knows of none. Valid during the call of an op.
  void (*on_question)(PluginContext* context, const int32_t* (*written)(void* owner, const void* data, int64_t count), void* owner);

  // Makes the context the one that kernels of this thread use.
  void (*enter)(PluginContext* context);
  // `upload` has read `from` when it returns; `download` has written `to`.
  bool (*upload)(PluginContext* context, void* to, const void* from, size_t bytes, Failure* failure);
  bool (*download)(PluginContext* context, void* to, const void* from, size_t bytes, Failure* failure);
  // A read in the stream's order that nobody waits for: begin_read (null after filling in the failure), then finish_read, which waits and
  // writes to `to`, then drop_read. has_arrived: finish_read will not wait. These two may be called by any thread.
  void* (*begin_read)(PluginContext* context, const void* from, size_t bytes, Failure* failure);
  bool (*has_arrived)(void* read);
  bool (*finish_read)(void* read, void* to, Failure* failure);
  void (*drop_read)(PluginContext* context, void* read);
  // Waits for all work. False: something failed since the last wait.
  bool (*wait)(PluginContext* context, Failure* failure);

  // Between begin and end, work is written down instead of being run; null on failure.
  bool (*begin_graph)(PluginContext* context, Failure* failure);
  void* (*end_graph)(PluginContext* context, Failure* failure);
  bool (*run_graph)(PluginContext* context, void* graph, Failure* failure);
  void (*drop_graph)(PluginContext* context, void* graph);

  // A number for tests and benches by its name ("launches"), NaN for an unknown one; `set` of the emulation's switches.
  double (*get)(PluginContext* context, const char* name);
  bool (*set)(PluginContext* context, const char* name, double value);
};

// The only symbol of the library. Null after writing the reason.
using PluginEntry = const Plugin* (*)(int version, char* reason, size_t reason_bytes);
inline constexpr const char* plugin_entry_name = "flow_kernels_plugin";

}  // namespace flow
