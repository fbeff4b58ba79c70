// The part of the CUDA language and runtime that cuda/ uses, for a host compiler (docs/adr/0008).
//
// A kernel is an ordinary function that runs once a thread: grid.cc schedules the threads, memory.cc knows the addresses that a
// device may touch, stream.cc orders the work.
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Every .cu reads this file, with all that it includes: no more than the one part of the standard library.
#include <utility>

#define FLOW_CUDA_EMULATION 1
#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
// As many instructions that do nothing, at the start of the kernel, as it may have warps: device.cc counts them where it is launched.
#define __launch_bounds__(threads, ...) __attribute__((patchable_function_entry((threads) / 32)))
#define __align__(n) __attribute__((aligned(n)))

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct uint3 {
  unsigned x, y, z;
};

#define FLOW_VECTOR(name, type, ...) \
  struct __align__(sizeof(type) * FLOW_COUNT(__VA_ARGS__)) name { \
    type __VA_ARGS__; \
  };
#define FLOW_COUNT(...) FLOW_COUNT_(__VA_ARGS__, 4, 3, 2, 1)
#define FLOW_COUNT_(a, b, c, d, n, ...) n
FLOW_VECTOR(float2, float, x, y)
FLOW_VECTOR(float4, float, x, y, z, w)
FLOW_VECTOR(double2, double, x, y)
FLOW_VECTOR(int2, int, x, y)
FLOW_VECTOR(int4, int, x, y, z, w)
#undef FLOW_VECTOR
#undef FLOW_COUNT
#undef FLOW_COUNT_

// Where the running thread stands.
extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;
inline constexpr int warpSize = 32;

// --- Threads together: grid.cc ---
void __syncthreads();
void __syncwarp(unsigned mask = 0xffffffffu);
unsigned __ballot_sync(unsigned mask, int predicate);
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) == mask; }
inline void __threadfence() {}
inline void __threadfence_block() {}

namespace emulation {
/** Gives `value` to the warp and takes that of lane `from`; every thread of the mask must come. */
uint64_t exchange(unsigned mask, uint64_t value, unsigned from);
/** The dynamic shared memory of the block. */
void* shared_memory();
/** An atomic operation on `bytes` at an address of global or shared memory, checked like an access. */
void check_atomic(const void* address, size_t bytes);
/** A load of what other blocks may have written: not from the cache of the multiprocessor. */
void check_fresh(const void* address, size_t bytes);

template <class T>
T shuffle(unsigned mask, T value, unsigned from) {
  static_assert(sizeof(T) <= 8);
  uint64_t word = 0;
  memcpy(&word, &value, sizeof(T));
  word = exchange(mask, word, from);
  memcpy(&value, &word, sizeof(T));
  return value;
}
inline unsigned lane() {
  return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % warpSize;
}
}  // namespace emulation

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = warpSize) {
  const unsigned own = emulation::lane();
  return emulation::shuffle(mask, value, own / width * width + static_cast<unsigned>(lane) % width);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = warpSize) {
  const unsigned own = emulation::lane(), from = own ^ static_cast<unsigned>(lane_mask);
  return emulation::shuffle(mask, value, from / width <= own / width ? from : own);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize) {
  const unsigned own = emulation::lane();
  return emulation::shuffle(mask, value, own % width + delta < static_cast<unsigned>(width) ? own + delta : own);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize) {
  const unsigned own = emulation::lane();
  return emulation::shuffle(mask, value, own % width >= delta ? own - delta : own);
}

#define FLOW_ATOMIC(name, expression)                    \
  template <class T>                                     \
  __attribute__((no_sanitize("kernel-address"))) T name(T* address, T value) { \
    emulation::check_atomic(address, sizeof(T));         \
    const T old = *address;                              \
    *address = (expression);                             \
    return old;                                          \
  }
FLOW_ATOMIC(atomicAdd, old + value)
FLOW_ATOMIC(atomicMax, old > value ? old : value)
FLOW_ATOMIC(atomicMin, old < value ? old : value)
FLOW_ATOMIC(atomicExch, value)
#undef FLOW_ATOMIC

template <class T>
__forceinline__ T __ldg(const T* address) {
  return *address;
}
template <class T>
__attribute__((no_sanitize("kernel-address"))) T __ldcg(const T* address) {
  emulation::check_fresh(address, sizeof(T));
  return *address;
}
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline double normcdf(double x) { return 0.5 * erfc(-x * 0.70710678118654752440); }
inline float normcdff(float x) { return static_cast<float>(normcdf(x)); }
/** By halves: the tail that p is nearer to is computed without cancellation. */
inline double normcdfinv(double p) {
  if (!(p >= 0 && p <= 1)) return NAN;
  if (p == 0 || p == 1) return p == 0 ? -INFINITY : INFINITY;
  double low = -40, high = 40;
  for (int i = 0; i < 80; ++i) {
    const double middle = 0.5 * (low + high);
    (p < 0.5 ? normcdf(middle) < p : 1 - p < normcdf(-middle) ) ? low = middle : high = middle;
  }
  return 0.5 * (low + high);
}
inline float normcdfinvf(float p) { return static_cast<float>(normcdfinv(p)); }

inline void sincospi(double x, double* sine, double* cosine) {
  const double q = rint(2 * x), r = x - 0.5 * q;  // exactly
  const double s = sin(3.14159265358979323846 * r), c = cos(3.14159265358979323846 * r);
  const int quadrant = static_cast<int>(q - 4 * floor(0.25 * q));
  *sine = quadrant == 0 ? s : quadrant == 1 ? c : quadrant == 2 ? -s : -c;
  *cosine = quadrant == 0 ? c : quadrant == 1 ? -s : quadrant == 2 ? -c : s;
}
inline void sincospif(float x, float* sine, float* cosine) {
  double s, c;
  sincospi(static_cast<double>(x), &s, &c);
  *sine = static_cast<float>(s);
  *cosine = static_cast<float>(c);
}
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float __int_as_float(int x) { float y; memcpy(&y, &x, 4); return y; }
inline int __float_as_int(float x) { int y; memcpy(&y, &x, 4); return y; }

// --- Runtime: stream.cc, memory.cc ---
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorNoKernelImageForDevice = 209,
  cudaErrorNotReady = 600,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchFailure = 719,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901,
  cudaErrorCapturedEvent = 907,
};
enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal, cudaStreamCaptureModeRelaxed };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
inline constexpr unsigned cudaStreamNonBlocking = 1;
inline constexpr unsigned cudaHostAllocDefault = 0;
inline constexpr unsigned cudaEventBlockingSync = 1;
inline constexpr unsigned cudaEventDisableTiming = 2;

namespace emulation {
struct Stream;
struct Event;
struct Graph;
}  // namespace emulation
using cudaStream_t = emulation::Stream*;
using cudaEvent_t = emulation::Event*;
using cudaGraph_t = emulation::Graph*;
using cudaGraphExec_t = emulation::Graph*;

struct cudaDeviceProp {
  char name[256];
  int major, minor, multiProcessorCount;
  size_t totalGlobalMem, sharedMemPerBlockOptin;
};
struct cudaFuncAttributes {
  int maxDynamicSharedSizeBytes;
};

cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t cudaMalloc(void** pointer, size_t bytes);
cudaError_t cudaFree(void* pointer);
cudaError_t cudaMallocHost(void** pointer, size_t bytes);
cudaError_t cudaFreeHost(void* pointer);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height,
                              cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemset2DAsync(void* to, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags = 0);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t start, cudaEvent_t stop);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags = 0);
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable);
cudaError_t cudaGetLastError();
cudaError_t cudaPeekAtLastError();
const char* cudaGetErrorString(cudaError_t error);
const char* cudaGetErrorName(cudaError_t error);
namespace emulation {
/** The most dynamic shared memory that launches of a kernel may ask for. */
cudaError_t allow_shared(const void* kernel, int bytes);
cudaError_t attributes_of(const void* kernel, cudaFuncAttributes& attributes);
}  // namespace emulation
template <class F>
cudaError_t cudaFuncSetAttribute(F* kernel, cudaFuncAttribute, int bytes) {
  return emulation::allow_shared(reinterpret_cast<const void*>(kernel), bytes);
}
template <class F>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, F* kernel) {
  return emulation::attributes_of(reinterpret_cast<const void*>(kernel), *attributes);
}

namespace emulation {
/** A kernel and its arguments, the same for all threads: what a launch takes. */
struct Kernel {
  const char* name;
  const void* function;
  void (*thread)(const void* function, const char* arguments);  // runs one thread
  size_t argument_bytes;
};
/** Puts a launch into the stream; `arguments` are copied. */
void launch(const Kernel& kernel, dim3 grid, dim3 block, size_t shared, cudaStream_t stream, const char* arguments);

inline constexpr size_t argument_alignment = 16;

/** Where parameter `i` stands among the arguments of a kernel; i = how many there are: where they end. */
template <class... P>
constexpr size_t argument_offset(size_t i) {
  constexpr size_t sizes[] = {sizeof(P)..., 0}, alignments[] = {alignof(P)..., 1};
  size_t at = 0;
  for (size_t k = 0; k < i; ++k) at = (at + alignments[k] - 1) / alignments[k] * alignments[k] + sizes[k];
  return (at + alignments[i] - 1) / alignments[i] * alignments[i];
}

template <class... P, size_t... I>
void run_thread(const void* function, const char* arguments, std::index_sequence<I...>) {
  reinterpret_cast<void (*)(P...)>(const_cast<void*>(function))(
      *reinterpret_cast<const P*>(arguments + argument_offset<P...>(I))...);
}

template <class... P, size_t... I>
void launch_with(const char* name, void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
                 std::index_sequence<I...>, P... values) {
  static_assert((__is_trivially_copyable(P) && ...), "the arguments of a kernel are copied byte by byte");
  static_assert(((alignof(P) <= argument_alignment) && ...));
  alignas(argument_alignment) char arguments[argument_offset<P...>(sizeof...(P))];
  (memcpy(arguments + argument_offset<P...>(I), &values, sizeof(P)), ...);
  const auto thread = [](const void* function, const char* bound) { run_thread<P...>(function, bound, std::index_sequence<I...>{}); };
  launch({name, reinterpret_cast<const void*>(kernel), thread, sizeof arguments}, grid, block, shared, stream, arguments);
}
}  // namespace emulation

/** What `kernel<<<grid, block, shared, stream>>>(arguments…)` is to nvcc. */
template <class... P, class... A>
void emulated_launch(const char* name, void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, cudaStream_t stream,
                     const A&... arguments) {
  emulation::launch_with<P...>(name, kernel, grid, block, shared, stream, std::index_sequence_for<P...>{}, arguments...);
}
