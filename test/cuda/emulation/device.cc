// The device as a whole: what it is, what a launch may ask of it, and what has gone wrong.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "emulation.h"

namespace emulation {
namespace {

cudaError_t pending = cudaSuccess;
cudaError_t last = cudaSuccess;
std::string sentence;  // of `pending`
std::string said;      // of an error that is none of the device

constexpr size_t usual_shared_bytes = size_t{48} << 10;
/** What every driver takes; since CUDA 12.1 it may be 32,764. */
constexpr size_t most_argument_bytes = 4096;
std::map<const void*, size_t> allowed_shared;  // kernel → bytes

/** What a kernel may ask for. */
size_t shared_limit(const void* kernel) {
  const auto found = allowed_shared.find(kernel);
  return std::min(settings().shared_bytes, found == allowed_shared.end() ? usual_shared_bytes : found->second);
}

/** The most threads of a block that the kernel was compiled for: __launch_bounds__ of cuda_runtime.h. */
uint64_t thread_limit(const void* kernel) {
  const auto* code = static_cast<const unsigned char*>(kernel);
  if (code[0] == 0xf3 && code[1] == 0x0f && code[2] == 0x1e) code += 4;  // where jumps are guarded
  uint64_t warps = 0;
#if defined(__x86_64__)
  while (code[warps] == 0x90) ++warps;
#endif
  return warps == 0 ? 1024 : 32 * warps;
}

/** What CUDA says of a launch that no device could run. */
cudaError_t refuse(const Kernel& kernel, dim3 grid, dim3 block, size_t shared) {
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  const bool grid_fits = grid.x >= 1 && grid.y >= 1 && grid.z >= 1 && grid.x <= 0x7fffffffu && grid.y <= 65535 && grid.z <= 65535;
  const bool block_fits = threads >= 1 && threads <= 1024 && block.z <= 64;
  char why[160] = "";
  cudaError_t error = cudaErrorInvalidConfiguration;
  if (!grid_fits) {
    snprintf(why, sizeof why, "a grid of %u × %u × %u", grid.x, grid.y, grid.z);
  } else if (!block_fits || threads > thread_limit(kernel.function)) {
    snprintf(why, sizeof why, "a block of %u × %u × %u, of %llu threads by __launch_bounds__", block.x, block.y, block.z,
             static_cast<unsigned long long>(thread_limit(kernel.function)));
  } else if (shared > shared_limit(kernel.function)) {
    error = cudaErrorInvalidValue;
    snprintf(why, sizeof why, "%zu bytes of shared memory, of %zu that are allowed", shared, shared_limit(kernel.function));
  } else if (kernel.argument_bytes > most_argument_bytes) {
    error = cudaErrorInvalidValue;
    snprintf(why, sizeof why, "%zu bytes of arguments", kernel.argument_bytes);
  } else {
    return cudaSuccess;
  }
  say(std::string(cudaGetErrorName(error)) + ": " + kernel.name + " cannot be launched with " + why);
  return error;
}

}  // namespace

Settings& settings() {
  static Settings instance;
  return instance;
}
Counters counted;
std::map<std::string, Counters>& counters_of_kernels() {
  static auto* instance = new std::map<std::string, Counters>;
  return *instance;
}

cudaError_t note(cudaError_t error) {
  if (error != cudaSuccess) last = error;
  return error;
}
void say(const std::string& what) { said = what; }
void report(cudaError_t error, const std::string& what) {
  if (pending != cudaSuccess) return;
  pending = error;
  sentence = what;
}
bool failed() { return pending != cudaSuccess; }
cudaError_t pending_error() { return pending; }
const std::string& error_sentence() { return sentence; }
void clear_error() {
  pending = cudaSuccess;
  last = cudaSuccess;
  sentence.clear();
}

bool opens_with(cudaError_t error) {
  const char* wanted = getenv("FLOW_EMULATION_OPEN");
  return wanted && strcmp(wanted, cudaGetErrorName(error)) == 0;
}

void make_context(const char* call) {
  static bool made = false;
  const char* path = getenv("PLANTED_LOG");
  if (made || !path) return;
  made = true;
  if (FILE* to = fopen(path, "a")) {
    fprintf(to, "context %s\n", call);
    fclose(to);
  }
}

void launch(const Kernel& kernel, dim3 grid, dim3 block, size_t shared, cudaStream_t stream, const char* arguments) {
  const Turn turn;
  if (const cudaError_t error = refuse(kernel, grid, block, shared); error != cudaSuccess) {
    note(error);
    return;
  }
  if (settings().fail_launch == 0) {
    settings().fail_launch = -1;
    note(cudaErrorLaunchFailure);
    return;
  }
  if (settings().fail_launch > 0) --settings().fail_launch;
  // What new gives is aligned for every type that is not over-aligned.
  static_assert(__STDCPP_DEFAULT_NEW_ALIGNMENT__ >= argument_alignment);
  std::shared_ptr<char[]> copy(new char[kernel.argument_bytes]);
  memcpy(copy.get(), arguments, kernel.argument_bytes);
  put(
      stream,
      [launch = Launch{kernel.name, grid, block, shared, kernel, std::move(copy)}] {
        if (failed()) return;
        const Counters before = counters();
        open_device(true);
        run_grid(launch);
        open_device(false);
        const Counters& after = counters();
        Counters& own = counters_of_kernels()[launch.name];
        ++own.launches;
        own.loaded += after.loaded - before.loaded;
        own.stored += after.stored - before.stored;
        own.wide += after.wide - before.wide;
        own.accesses += after.accesses - before.accesses;
        if (failed()) sentence = launch.name + ": " + sentence;
      },
      true);
}

cudaError_t allow_shared(const void* kernel, int bytes) {
  const Turn turn;
  if (bytes < 0 || static_cast<size_t>(bytes) > settings().shared_bytes) return note(cudaErrorInvalidValue);
  allowed_shared[kernel] = static_cast<size_t>(bytes);
  return cudaSuccess;
}
cudaError_t attributes_of(const void* kernel, cudaFuncAttributes& attributes) {
  const Turn turn;
  make_context("cudaFuncGetAttributes");
  if (opens_with(cudaErrorNoKernelImageForDevice)) return note(cudaErrorNoKernelImageForDevice);
  attributes = {static_cast<int>(shared_limit(kernel))};
  return cudaSuccess;
}

}  // namespace emulation

using namespace emulation;

cudaError_t cudaGetDeviceCount(int* count) {
  const Turn turn;
  if (opens_with(cudaErrorInsufficientDriver)) return note(cudaErrorInsufficientDriver);
  if (opens_with(cudaErrorNoDevice)) settings().devices = 0;
  *count = settings().devices;
  return note(*count > 0 ? cudaSuccess : cudaErrorNoDevice);
}
cudaError_t cudaSetDevice(int device) {
  const Turn turn;
  make_context("cudaSetDevice");
  return note(device >= 0 && device < settings().devices ? cudaSuccess : cudaErrorInvalidValue);
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  const Turn turn;
  *properties = {};
  snprintf(properties->name, sizeof properties->name, "host emulation");
  const char* capability = getenv("FLOW_EMULATION_CAPABILITY");  // 75: 7.5
  const int both = capability ? atoi(capability) : 80;
  properties->major = both / 10;
  properties->minor = both % 10;
  properties->multiProcessorCount = settings().multiprocessors;
  properties->totalGlobalMem = settings().memory;
  properties->sharedMemPerBlockOptin = settings().shared_bytes;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  const Turn turn;
  const char* driver = getenv("FLOW_EMULATION_DRIVER");  // 0: there is none
  *version = driver ? atoi(driver) : 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  const Turn turn;
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaGetLastError() {
  const Turn turn;
  const cudaError_t error = last;
  if (pending == cudaSuccess) last = cudaSuccess;
  return error;
}
cudaError_t cudaPeekAtLastError() { return last; }

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define FLOW_CASE(name) \
  case name: return #name;
    FLOW_CASE(cudaSuccess)
    FLOW_CASE(cudaErrorInvalidValue)
    FLOW_CASE(cudaErrorMemoryAllocation)
    FLOW_CASE(cudaErrorInvalidConfiguration)
    FLOW_CASE(cudaErrorInsufficientDriver)
    FLOW_CASE(cudaErrorNoDevice)
    FLOW_CASE(cudaErrorNoKernelImageForDevice)
    FLOW_CASE(cudaErrorNotReady)
    FLOW_CASE(cudaErrorIllegalAddress)
    FLOW_CASE(cudaErrorLaunchFailure)
    FLOW_CASE(cudaErrorStreamCaptureUnsupported)
    FLOW_CASE(cudaErrorStreamCaptureInvalidated)
    FLOW_CASE(cudaErrorCapturedEvent)
#undef FLOW_CASE
  }
  return "unknown";
}
const char* cudaGetErrorString(cudaError_t error) {
  if (error == pending && !sentence.empty()) return sentence.c_str();
  return said.starts_with(cudaGetErrorName(error)) ? said.c_str() : cudaGetErrorName(error);
}
