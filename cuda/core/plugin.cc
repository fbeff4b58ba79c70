// The plug-in's entry: contexts, memory, copies, graphs. Compiled by the host compiler; no kernel is here.
#include "core/plugin.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>

#include "cuda/core/blas.h"
#include "cuda/core/context.h"
#include "cuda/core/launch.h"
#if defined(FLOW_CUDA_EMULATION)
#include "emulation_control.h"
#endif

namespace flow {

namespace cuda {

extern const OpTable op_table;
uint64_t registry_fingerprint();

namespace {
thread_local PluginContext* entered = nullptr;
}  // namespace

PluginContext& current() { return *entered; }
void* workspace(size_t bytes) {
  PluginContext& context = *entered;
  if (bytes <= context.workspace_bytes) return context.workspace;
  // Twice what was there: a handful of growths in the life of a context. Work that uses the old one comes first.
  const size_t wanted = std::max(bytes, 2 * context.workspace_bytes);
  cudaStreamSynchronize(context.stream);
  cudaFree(context.workspace);
  context.workspace = nullptr;
  context.workspace_bytes = 0;
  if (cudaMalloc(&context.workspace, wanted) != cudaSuccess) {
    cudaGetLastError();
    context.workspace = nullptr;
    return nullptr;
  }
  context.workspace_bytes = wanted;
  return context.workspace;
}

cudaStream_t current_stream() { return entered->stream; }
void count_launch() { ++entered->launches; }

bool launched(const Call& call) {
  const cudaError_t error = cudaGetLastError();
  if (error == cudaSuccess) return true;
  return call.fail("the GPU refused the work: %s (%s)", cudaGetErrorString(error), cudaGetErrorName(error));
}

unsigned blocks_for(int64_t items, int64_t items_per_block) {
  const int64_t wanted = ceil_div(items, items_per_block);
  return static_cast<unsigned>(max_of(1, min_of(wanted, int64_t{16} * entered->multiprocessors)));
}

}  // namespace cuda

namespace {

using cuda::current;

constexpr size_t staging_bytes = size_t{4} << 20;

bool fail(Failure* failure, const char* what, cudaError_t error) {
  std::snprintf(failure->message, sizeof failure->message, "[cuda] %s: %s (%s)", what, cudaGetErrorString(error),
                cudaGetErrorName(error));
  return false;
}

void close(PluginContext* context) {
  cuda::close_blas(context->blas);
  if (context->stream) cudaStreamDestroy(context->stream);
  if (context->workspace) cudaFree(context->workspace);
  if (context->staging) cudaFreeHost(context->staging);
  delete context;
}

PluginContext* open(Failure* failure) {
  int count = 0;
  cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0) {
    if (error == cudaSuccess) error = cudaErrorNoDevice;
    fail(failure, "device: none was found", error);
    if (error == cudaErrorInsufficientDriver) {
      const size_t used = std::strlen(failure->message);
      std::snprintf(failure->message + used, sizeof failure->message - used, ": update the driver of the GPU");
    }
    return nullptr;
  }
  auto context = std::make_unique<PluginContext>();
  cudaDeviceProp properties;
  error = cudaGetDeviceProperties(&properties, 0);
  if (error == cudaSuccess) error = cudaStreamCreateWithFlags(&context->stream, cudaStreamNonBlocking);
  if (error == cudaSuccess) error = cudaMallocHost(&context->staging, staging_bytes);
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
  context->staging_bytes = staging_bytes;
  context->multiprocessors = properties.multiProcessorCount;
  context->shared_bytes = properties.sharedMemPerBlockOptin;
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
  void* block = nullptr;
  if (cudaMalloc(&block, bytes ? bytes : 1) != cudaSuccess) {
    cudaGetLastError();  // told by the null; the next launch must not hear of it
    return nullptr;
  }
  return block;
}

void give(PluginContext* context, void* block) {
  cudaStreamSynchronize(context->stream);  // work that still uses it
  cudaFree(block);
}

void enter(PluginContext* context) { cuda::entered = context; }

bool wait(PluginContext* context, Failure* failure) {
  const cudaError_t error = cudaStreamSynchronize(context->stream);
  return error == cudaSuccess || fail(failure, "the device stopped", error);
}

bool upload(PluginContext* context, void* to, const void* from, size_t bytes, Failure* failure) {
  // Pageable memory: CUDA stages it itself before it returns.
  const cudaError_t error = cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, context->stream);
  return error == cudaSuccess || fail(failure, "copy to the device", error);
}

bool download(PluginContext* context, void* to, const void* from, size_t bytes, Failure* failure) {
  const cudaError_t error = cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, context->stream);
  if (error != cudaSuccess) return fail(failure, "copy from the device", error);
  return wait(context, failure);
}

bool begin_graph(PluginContext* context, Failure* failure) {
  const cudaError_t error = cudaStreamBeginCapture(context->stream, cudaStreamCaptureModeThreadLocal);
  return error == cudaSuccess || fail(failure, "graph", error);
}

void* end_graph(PluginContext* context, Failure* failure) {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  cudaError_t error = cudaStreamEndCapture(context->stream, &graph);
  if (error == cudaSuccess) error = cudaGraphInstantiate(&executable, graph, 0);
  if (graph) cudaGraphDestroy(graph);
  if (error == cudaSuccess) return executable;
  fail(failure, "graph", error);
  return nullptr;
}

bool run_graph(PluginContext* context, void* graph, Failure* failure) {
  const cudaError_t error = cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), context->stream);
  return error == cudaSuccess || fail(failure, "graph", error);
}

void drop_graph(PluginContext* context, void* graph) {
  cudaStreamSynchronize(context->stream);
  cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph));
}

double get(PluginContext* context, const char* name) {
#if defined(FLOW_CUDA_EMULATION)
  double value;
  if (emulation::get(name, value)) return value;
#endif
  if (std::strcmp(name, "tf32") == 0) return cuda::allows_tf32(context->blas);
  return std::strcmp(name, "launches") == 0 ? static_cast<double>(context->launches) : std::nan("");
}

bool set(PluginContext* context, const char* name, double value) {
  if (std::strcmp(name, "tf32") == 0) return cuda::set_tf32(context->blas, value != 0), true;
#if defined(FLOW_CUDA_EMULATION)
  return emulation::set(name, value);
#else
  return false;
#endif
}

const Plugin plugin = {plugin_version, cuda::registry_fingerprint(), &cuda::op_table, open,     close,       describe,  take,      give,       enter, upload,
                       download,       wait,            begin_graph, end_graph, run_graph, drop_graph, get,   set};

}  // namespace
}  // namespace flow

extern "C" __attribute__((visibility("default"))) const flow::Plugin* flow_kernels_plugin(int version, char* reason,
                                                                                         size_t reason_bytes) {
  if (version == flow::plugin_version) return &flow::plugin;
  std::snprintf(reason, reason_bytes, "the plug-in has version %d, the addon asks for %d: install both from one package",
                flow::plugin_version, version);
  return nullptr;
}
