// The plug-in's entry: contexts, memory, copies, graphs. Compiled by the host compiler; no kernel is here.
#include "core/plugin.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cuda/core/blas.h"
#include "cuda/core/clock.h"
#include "cuda/core/context.h"
#include "cuda/core/launch.h"
#include "cuda/core/score.h"
#include "cuda/core/staging.h"
#include "cuda/core/strips.h"
#if defined(FLOW_CUDA_EMULATION)
#include "emulation_control.h"
#endif

namespace flow {

/** What an environment holds of the device. Kernels' files know the questions of context.h only. */
struct PluginContext {
  cudaStream_t stream = nullptr;
  cuda::Blas* blas = nullptr;
  void* workspace = nullptr;  // on the device; grows
  size_t workspace_bytes = 0;
  std::vector<void*> retired;  // workspaces that graphs may still use
  int64_t graphs = 0;          // that are alive
  bool capturing = false;
  std::shared_ptr<cuda::Staging> staging;
  unsigned* counters = nullptr;  // on the device
  int multiprocessors = 1;
  size_t shared_bytes = 48 << 10;  // of a block, at most
  int64_t launches = 0;
  std::string description;
};

namespace cuda {

extern const OpTable op_table;
uint64_t registry_fingerprint();
cudaError_t find_kernel_image();

namespace {
thread_local PluginContext* entered = nullptr;
// Of this thread's environment, which has one context.
thread_local void (*release_kept)(void*) = nullptr;
thread_local void* owner_of_kept = nullptr;
thread_local const int32_t* (*written)(void*, const void*, int64_t) = nullptr;
thread_local void* owner_of_written = nullptr;
}  // namespace

Blas* current_blas() { return entered->blas; }
unsigned* counters() { return entered->counters; }
int multiprocessors() { return entered->multiprocessors; }
size_t shared_bytes() { return entered->shared_bytes; }
void* workspace(size_t bytes) {
  PluginContext& context = *entered;
  if (bytes <= context.workspace_bytes) return context.workspace;
  if (context.capturing) return nullptr;  // an allocation would end the capture; what is captured has run before, with as much
  // Twice what was there: a handful of growths in the life of a context.
  const size_t wanted = std::max(bytes, 2 * context.workspace_bytes);
  if (context.graphs == 0 && context.workspace) {
    // Work that uses the old one comes first.
    cudaStreamSynchronize(context.stream);
    cudaFree(context.workspace);
    context.workspace = nullptr;
    context.workspace_bytes = 0;
  }
  for (const size_t size : {wanted, bytes, bytes}) {
    void* block = nullptr;
    if (cudaMalloc(&block, size) != cudaSuccess) {
      cudaGetLastError();
      if (size == bytes && release_kept) release_kept(owner_of_kept);
      continue;
    }
    if (context.workspace) context.retired.push_back(context.workspace);
    context.workspace = block;
    context.workspace_bytes = size;
    return block;
  }
  return nullptr;
}

namespace {
cudaError_t clear_counters(const PluginContext& context) {
  return cudaMemsetAsync(context.counters, 0, static_cast<size_t>(block_counters) * sizeof(unsigned), context.stream);
}
}  // namespace

const int32_t* written_by_host(const Operand& operand) {
  return written && operand.dtype == DType::i32 ? written(owner_of_written, operand.data, operand.count()) : nullptr;
}

cudaStream_t current_stream() { return entered->stream; }
void count_launch() { ++entered->launches; }

bool launched(const Call& call) {
  const cudaError_t error = cudaGetLastError();
  if (error == cudaSuccess) return true;
  clear_counters(*entered);  // of an op in several launches: the last block that was waited for may not come
  cudaGetLastError();
  return call.fail("the GPU refused the work: %s (%s)", cudaGetErrorString(error), cudaGetErrorName(error));
}

unsigned blocks_for(int64_t items, int64_t items_per_block) {
  const int64_t wanted = ceil_div(items, items_per_block);
  return static_cast<unsigned>(max_of(1, min_of(wanted, int64_t{16} * entered->multiprocessors)));
}

}  // namespace cuda

namespace {

bool fail(Failure* failure, const char* what, cudaError_t error) {
  cudaGetLastError();  // told here; the next launch must not hear of it
  std::snprintf(failure->message, sizeof failure->message, "[cuda] %s: %s (%s)", what, cudaGetErrorString(error),
                cudaGetErrorName(error));
  return false;
}

/** The device is that of the thread, and another addon may have changed it. */
void use_device() { cudaSetDevice(0); }

void free_retired(PluginContext* context) {
  for (void* block : context->retired) cudaFree(block);
  context->retired.clear();
}

void close(PluginContext* context) {
  use_device();
  if (context->stream) cudaStreamSynchronize(context->stream);  // what still reads or writes pinned memory
  context->staging.reset();
  cuda::close_clock();
  cuda::close_blas(context->blas);
  if (context->stream) cudaStreamDestroy(context->stream);
  free_retired(context);
  if (context->workspace) cudaFree(context->workspace);
  if (context->counters) cudaFree(context->counters);
  cudaGetLastError();
  if (cuda::entered == context) cuda::entered = nullptr;
  cuda::release_kept = nullptr;
  cuda::written = nullptr;
  delete context;
}

#if !defined(FLOW_CUDA_ARCHITECTURES)
#define FLOW_CUDA_ARCHITECTURES "80"
#endif

/** As in core/plugin.h: what the driver tells of the device without a context. */
int score(char* reason, size_t reason_bytes) {
  int count = 0, driver = 0, toolkit = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&toolkit);
  cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count == 0) error = cudaErrorNoDevice;
  cudaDeviceProp properties{};
  if (error == cudaSuccess) error = cudaGetDeviceProperties(&properties, 0);
  if (error == cudaSuccess)
    return cuda::score_of(FLOW_CUDA_ARCHITECTURES, toolkit, {properties.name, properties.major, properties.minor, driver}, reason,
                          reason_bytes);
  cudaGetLastError();
  // The runtime says of a driver that is missing that it is insufficient, too.
  const char* remedy = error == cudaErrorNoDevice              ? ": there is none, or CUDA_VISIBLE_DEVICES hides it"
                       : error != cudaErrorInsufficientDriver ? ""
                       : driver == 0                          ? ": there is no driver: install that of the GPU"
                                                              : ": update the driver of the GPU";
  std::snprintf(reason, reason_bytes, "device: none was found: %s (%s)%s", cudaGetErrorString(error), cudaGetErrorName(error), remedy);
  return 0;
}

/** False after filling in why: what was asked for its score may still have no kernel that the driver takes. */
bool has_kernels(Failure* failure, const cudaDeviceProp& properties) {
  const cudaError_t error = cuda::find_kernel_image();
  if (error == cudaSuccess) return true;
  fail(failure, "device: the plug-in has no kernels that it can run", error);
  const size_t used = std::strlen(failure->message);
  std::snprintf(failure->message + used, sizeof failure->message - used,
                ": %s has compute capability %d.%d: build the plug-in for it, or update the driver", properties.name,
                properties.major, properties.minor);
  return false;
}

PluginContext* open(Failure* failure) {
  auto context = std::make_unique<PluginContext>();
  cudaDeviceProp properties;
  cudaError_t error = cudaSetDevice(0);
  if (error == cudaSuccess) error = cudaGetDeviceProperties(&properties, 0);
  if (error == cudaSuccess && !has_kernels(failure, properties)) return nullptr;
  if (error == cudaSuccess) error = cudaStreamCreateWithFlags(&context->stream, cudaStreamNonBlocking);
  if (error != cudaSuccess) {
    fail(failure, "device: it cannot be opened", error);
    close(context.release());
    return nullptr;
  }
  context->blas = cuda::open_blas(context->stream, properties.major, failure);
  if (!context->blas) {
    close(context.release());
    return nullptr;
  }
  error = cudaMalloc(reinterpret_cast<void**>(&context->counters), static_cast<size_t>(cuda::block_counters) * sizeof(unsigned));
  if (error == cudaSuccess) error = cuda::clear_counters(*context);
  if (error != cudaSuccess) {
    fail(failure, "device: it cannot be opened", error);
    close(context.release());
    return nullptr;
  }
  context->multiprocessors = properties.multiProcessorCount;
  context->shared_bytes = properties.sharedMemPerBlockOptin;
  cuda::set_strips_device(properties.major, properties.minor);
  context->staging = {cuda::open_staging(context->stream), cuda::close_staging};
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  char text[400];
  std::snprintf(text, sizeof text, "%s, compute capability %d.%d, %.1f GiB, driver for CUDA %d.%d, runtime %d.%d, cuBLAS %d.%d",
                properties.name, properties.major, properties.minor,
                static_cast<double>(properties.totalGlobalMem) / (1 << 30), driver / 1000, driver % 1000 / 10,
                runtime / 1000, runtime % 1000 / 10, cuda::blas_version(context->blas) / 10000,
                cuda::blas_version(context->blas) % 10000 / 100);
  context->description = text;
  return context.release();
}

const char* describe(const PluginContext* context) { return context->description.c_str(); }

void* take(PluginContext*, size_t bytes) {
  use_device();
  void* block = nullptr;
  if (cudaMalloc(&block, bytes ? bytes : 1) != cudaSuccess) {
    cudaGetLastError();  // told by the null; the next launch must not hear of it
    return nullptr;
  }
  return block;
}

void give(PluginContext* context, void* block) {
  use_device();
  cudaStreamSynchronize(context->stream);  // work that still uses it
  cudaFree(block);
  cudaGetLastError();
}

void on_shortage(PluginContext*, void (*release)(void*), void* owner) {
  cuda::release_kept = release;
  cuda::owner_of_kept = owner;
}

void on_question(PluginContext*, const int32_t* (*ask)(void*, const void*, int64_t), void* owner) {
  cuda::written = ask;
  cuda::owner_of_written = owner;
}

void enter(PluginContext* context) {
  use_device();
  cuda::entered = context;
}

bool wait(PluginContext* context, Failure* failure) {
  use_device();
  const cudaError_t error = cudaStreamSynchronize(context->stream);
  return error == cudaSuccess || fail(failure, "the device stopped", error);
}

bool upload(PluginContext* context, void* to, const void* from, size_t bytes, Failure* failure) {
  use_device();
  const cudaError_t error = cuda::stage_upload(*context->staging, to, from, bytes);
  return error == cudaSuccess || fail(failure, "copy to the device", error);
}

bool download(PluginContext* context, void* to, const void* from, size_t bytes, Failure* failure) {
  use_device();
  const cudaError_t error = cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, context->stream);
  if (error != cudaSuccess) return fail(failure, "copy from the device", error);
  return wait(context, failure);
}

void* begin_read(PluginContext* context, const void* from, size_t bytes, Failure* failure) {
  use_device();
  cudaError_t error = cudaSuccess;
  void* read = cuda::begin_read(*context->staging, from, bytes, error);
  if (!read) fail(failure, "copy from the device", error == cudaSuccess ? cudaErrorMemoryAllocation : error);
  return read;
}

bool has_arrived(void* read) {
  const cudaError_t state = cuda::poll_read(*static_cast<cuda::PendingRead*>(read));
  if (state != cudaSuccess) cudaGetLastError();
  return state != cudaErrorNotReady;
}

bool finish_read(void* read, void* to, Failure* failure) {
  use_device();
  const cudaError_t error = cuda::finish_read(*static_cast<cuda::PendingRead*>(read), to);
  return error == cudaSuccess || fail(failure, "the device stopped", error);
}

void drop_read(PluginContext* context, void* read) { cuda::drop_read(*context->staging, static_cast<cuda::PendingRead*>(read)); }

bool begin_graph(PluginContext* context, Failure* failure) {
  use_device();
  const cudaError_t error = cudaStreamBeginCapture(context->stream, cudaStreamCaptureModeThreadLocal);
  context->capturing = error == cudaSuccess;
  return context->capturing || fail(failure, "graph", error);
}

void* end_graph(PluginContext* context, Failure* failure) {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  context->capturing = false;
  cudaError_t error = cudaStreamEndCapture(context->stream, &graph);
  if (error == cudaSuccess) error = cudaGraphInstantiate(&executable, graph, 0);
  if (graph) cudaGraphDestroy(graph);
  if (error == cudaSuccess) return ++context->graphs, executable;
  fail(failure, "graph", error);
  return nullptr;
}

bool run_graph(PluginContext* context, void* graph, Failure* failure) {
  use_device();
  const cudaError_t error = cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), context->stream);
  return error == cudaSuccess || fail(failure, "graph", error);
}

void drop_graph(PluginContext* context, void* graph) {
  use_device();
  cudaStreamSynchronize(context->stream);
  cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph));
  if (--context->graphs == 0) free_retired(context);
  cudaGetLastError();
}

double get(PluginContext* context, const char* name) {
#if defined(FLOW_CUDA_EMULATION)
  double value;
  if (emulation::get(name, value)) return value;
#endif
  if (double ms; cuda::get_clock(name, ms)) return ms;
  if (std::strcmp(name, "tf32") == 0) return cuda::allows_tf32(context->blas);
  if (std::strcmp(name, "strips") == 0) return cuda::strips_set();
  return std::strcmp(name, "launches") == 0 ? static_cast<double>(context->launches) : std::nan("");
}

bool set(PluginContext* context, const char* name, double value) {
  if (std::strcmp(name, "tf32") == 0) return cuda::set_tf32(context->blas, value != 0), true;
  if (std::strcmp(name, "strips") == 0) return cuda::set_strips(static_cast<int>(value)), true;
  if (cuda::set_clock(context->stream, name, value)) return true;
#if defined(FLOW_CUDA_EMULATION)
  if (!emulation::set(name, value)) return false;
  cudaDeviceProp properties;  // it may be another device now
  cudaGetDeviceProperties(&properties, 0);
  context->multiprocessors = properties.multiProcessorCount;
  context->shared_bytes = properties.sharedMemPerBlockOptin;
  return true;
#else
  return false;
#endif
}

const Plugin plugin = {plugin_version, cuda::registry_fingerprint(), &cuda::op_table,
                       score,          open,       close,        describe,
                       take,           give,       on_shortage,  on_question,
                       enter,          upload,     download,     begin_read,
                       has_arrived,    finish_read, drop_read,   wait,
                       begin_graph,    end_graph,  run_graph,    drop_graph,
                       get,            set};

}  // namespace
}  // namespace flow

extern "C" __attribute__((visibility("default"))) const flow::Plugin* flow_kernels_plugin(int version, char* reason,
                                                                                         size_t reason_bytes) {
  if (version == flow::plugin_version) return &flow::plugin;
  std::snprintf(reason, reason_bytes, "the plug-in has version %d, the addon asks for %d: install both from one package",
                flow::plugin_version, version);
  return nullptr;
}
