// Kernels and calls with a fault each, for faults.test.ts: the emulation must find it. Usage: faults NAME [ascending|descending|random].
// Prints what the device says, and the sum of the results.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cuda/core/block.h"
#include "cuda/core/launch.h"
#include "cuda/core/pack.h"
#include "emulation_control.h"

extern "C" {
struct cublasContext;
int cublasCreate_v2(cublasContext**);
int cublasSetStream_v2(cublasContext*, cudaStream_t);
int cublasSgemm_v2_64(cublasContext*, int, int, int64_t, int64_t, int64_t, const float*, const float*, int64_t, const float*, int64_t,
                      const float*, float*, int64_t);
}

namespace flow::cuda {
static cudaStream_t stream;
cudaStream_t current_stream() { return stream; }
}  // namespace flow::cuda

using namespace flow::cuda;

constexpr int threads = 128, n = 1000;
float host[n];
float *x, *y;      // on the device: n numbers; `threads` numbers
unsigned* counter;  // on the device: 0

// --- In a kernel ---

enum Fault { none, missing_barrier, off_by_one, unwritten, race, divergent, misaligned, misaligned_pack, misaligned_shared, wide_shared };

/** Sum of n numbers by one block. */
__global__ void __launch_bounds__(threads) sum(const float* from, int count, float* to, Fault fault) {
  FLOW_SHARED(memory);
  float* partial = reinterpret_cast<float*>(memory);
  float own = 0;
  const int last = fault == off_by_one ? count + 1 : count;
  for (int i = threadIdx.x; i < last; i += blockDim.x) own += from[i];
  own = warp_fold(own, Sum{});
  if (threadIdx.x % 32 == 0) partial[fault == wide_shared ? threadIdx.x / 32 + 1 : threadIdx.x / 32] = own;
  if (fault == divergent && threadIdx.x == 5) return;
  if (fault != missing_barrier) __syncthreads();
  if (fault == race) partial[threadIdx.x % 4] = own;  // 32 threads store into each
  if (fault == unwritten || threadIdx.x != 0) return;
  float all = 0;
  for (int w = 0; w < 4; ++w) all += partial[w];
  if (fault == misaligned) all += reinterpret_cast<const double*>(from + 1)[0] > 0;
  if (fault == misaligned_shared) all += reinterpret_cast<const double*>(partial + 1)[0] > 0;
  if (fault == misaligned_pack) {
    float four[4];
    load<4>(four, from + 2);
    all += four[0] + four[3];
  }
  *to = all;
}
void run_sum(Fault fault, const float* from = x) { FLOW_LAUNCH(sum, 1, threads, 4 * sizeof(float), from, n, y, fault); }

/** Each thread reads what its neighbour wrote, without waiting for it: no fault of one access, but of their order. */
__global__ void shift(float* to) {
  to[threadIdx.x] = static_cast<float>(threadIdx.x);
  to[threadIdx.x] += 1000 * to[(threadIdx.x + 1) % blockDim.x];
}

enum Exchange { by_last_block, by_plain_loads, by_nothing, by_waiting };

/** A number of each block, added by one: the last to finish, or one that should not. */
__global__ void __launch_bounds__(threads) exchange(float* parts, float* to, unsigned* done, Exchange how) {
  FLOW_SHARED(memory);
  int* const last = reinterpret_cast<int*>(memory);
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = static_cast<float>(blockIdx.x + 1);
    __threadfence();
    const unsigned before = how == by_nothing ? 0 : atomicAdd(done, 1u);
    *last = how == by_nothing || how == by_waiting ? blockIdx.x == 0 : before == gridDim.x - 1;
    while (how == by_waiting && *last && atomicAdd(done, 0u) < gridDim.x) {
    }
  }
  __syncthreads();
  if (!*last || threadIdx.x != 0) return;
  float all = 0;
  for (unsigned b = 0; b < gridDim.x; ++b) all += how == by_last_block ? __ldcg(parts + b) : parts[b];
  *to = all;
}
void run_exchange(Exchange how) {
  emulation::set("races", 1);
  FLOW_LAUNCH(exchange, 4, threads, sizeof(int), x, y, counter, how);
}

/** All blocks write one number. */
__global__ void write_one(float* to) {
  if (threadIdx.x == 0) *to = 1;
}

// --- In what the host asks for ---

struct LargeArgument {
  char bytes[4100];
};
__global__ void take_much(LargeArgument) {}

/** The first error of some calls; of none where all is well. */
cudaError_t first_of(std::initializer_list<cudaError_t> errors) {
  for (const cudaError_t error : errors)
    if (error != cudaSuccess) return error;
  return cudaSuccess;
}

/** Captures a sum and what else is done meanwhile, and runs it. */
template <class F>
cudaError_t in_graph(const F& also) {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
  run_sum(none);
  const cudaError_t inside = also(), ended = cudaStreamEndCapture(stream, &graph);
  if ((graph == nullptr) != (ended != cudaSuccess)) printf("a graph of a lost capture\n");
  if (ended != cudaSuccess) return first_of({inside, ended});
  cudaGraphInstantiate(&executable, graph, 0);
  return cudaGraphLaunch(executable, stream);
}

cudaError_t product_in_graph() {
  return in_graph([] {
    cublasContext* handle;
    const float one = 1, zero = 0;
    cublasCreate_v2(&handle);
    cublasSetStream_v2(handle, stream);  // and no workspace
    const int status = cublasSgemm_v2_64(handle, 0, 0, 2, 2, 2, &one, x, 2, x, 2, &zero, y + 4, 2);
    return status == 0 ? cudaSuccess : cudaErrorStreamCaptureUnsupported;
  });
}

/** An upload from pinned memory, and what happens to that before it is read. */
template <class F>
cudaError_t upload_pinned(const F& then) {
  void* pinned;
  cudaMallocHost(&pinned, sizeof host);
  memcpy(pinned, host, sizeof host);
  cudaMemcpyAsync(x, pinned, sizeof host, cudaMemcpyHostToDevice, stream);
  then(pinned);
  run_sum(none);
  return cudaSuccess;
}

struct Case {
  const char* name;
  cudaError_t (*run)();
};
#define FLOW_SUM(fault) {#fault, [] { return run_sum(fault), cudaSuccess; }}
const Case cases[] = {
    FLOW_SUM(none),
    FLOW_SUM(missing_barrier),
    FLOW_SUM(off_by_one),
    FLOW_SUM(unwritten),
    FLOW_SUM(race),
    FLOW_SUM(divergent),
    FLOW_SUM(misaligned),
    FLOW_SUM(misaligned_pack),
    FLOW_SUM(misaligned_shared),
    FLOW_SUM(wide_shared),
    {"host_pointer", [] { return run_sum(none, host), cudaSuccess; }},
    {"order",
     [] {
       cudaMemsetAsync(y, 0, threads * sizeof(float), stream);
       FLOW_LAUNCH(shift, 1, threads, 0, y);
       return cudaSuccess;
     }},
    {"unordered",
     [] {
       emulation::set("races", 1);
       FLOW_LAUNCH(shift, 1, threads, 0, y);
       return cudaSuccess;
     }},
    {"last_block", [] { return run_exchange(by_last_block), cudaSuccess; }},
    {"stale", [] { return run_exchange(by_plain_loads), cudaSuccess; }},
    {"unasked", [] { return run_exchange(by_nothing), cudaSuccess; }},
    {"waiting", [] { return run_exchange(by_waiting), cudaSuccess; }},
    {"two_writers",
     [] {
       emulation::set("races", 1);
       FLOW_LAUNCH(write_one, 2, threads, 0, y);
       return cudaSuccess;
     }},
    {"too_many_threads", [] { FLOW_LAUNCH(sum, 1, 2 * threads, 8 * sizeof(float), x, n, y, none); return cudaGetLastError(); }},
    {"too_many_blocks", [] { FLOW_LAUNCH(write_one, dim3(1, 65536), 32, 0, y); return cudaGetLastError(); }},
    {"shared_not_allowed", [] { FLOW_LAUNCH(write_one, 1, 32, 49 << 10, y); return cudaGetLastError(); }},
    {"shared_beyond_device",
     [] {
       emulation::set("sharedBytes", 99 << 10);
       return cudaFuncSetAttribute(write_one, cudaFuncAttributeMaxDynamicSharedMemorySize, 163 << 10);
     }},
    {"large_arguments", [] { FLOW_LAUNCH(take_much, 1, 32, 0, LargeArgument{}); return cudaGetLastError(); }},
    {"graph", [] { return in_graph([] { return cudaSuccess; }); }},
    {"allocation_in_graph", [] { return in_graph([] { void* p; return cudaMalloc(&p, 4); }); }},
    {"wait_in_graph", [] { return in_graph([] { return cudaStreamSynchronize(stream); }); }},
    {"upload_in_graph", [] { return in_graph([] { return cudaMemcpyAsync(x, host, 4, cudaMemcpyHostToDevice, stream); }); }},
    {"product_in_graph", product_in_graph},
    {"freed_before_graph",
     [] {
       const cudaError_t error = in_graph([] { return cudaSuccess; });
       cudaFree(x);
       return error;
     }},
    {"pinned_freed", [] { return upload_pinned([](void* pinned) { cudaFreeHost(pinned); }); }},
    {"pinned_reused", [] { return upload_pinned([](void* pinned) { memset(pinned, 0, sizeof host); }); }},
};

int main(int argc, char** argv) {
  if (argc > 2) emulation::set("order", strcmp(argv[2], "random") == 0 ? 2 : strcmp(argv[2], "descending") == 0 ? 1 : 0);
  cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  for (int i = 0; i < n; ++i) host[i] = static_cast<float>(i % 7);
  cudaMalloc(reinterpret_cast<void**>(&x), sizeof host);
  cudaMalloc(reinterpret_cast<void**>(&y), threads * sizeof(float));
  cudaMalloc(reinterpret_cast<void**>(&counter), sizeof(unsigned));
  cudaMemcpyAsync(x, host, sizeof host, cudaMemcpyHostToDevice, stream);
  cudaMemsetAsync(counter, 0, sizeof(unsigned), stream);
  cudaStreamSynchronize(stream);
  for (const Case& test : cases) {
    if (argc < 2 || strcmp(argv[1], test.name) != 0) continue;
    cudaError_t error = test.run();
    float result[threads] = {};
    cudaMemcpyAsync(result, y, sizeof result, cudaMemcpyDeviceToHost, stream);
    if (error == cudaSuccess) error = cudaStreamSynchronize(stream);
    double checksum = 0;
    for (int i = 0; i < (strcmp(test.name, "order") == 0 ? threads : 1); ++i) checksum += result[i];
    printf("%s\n%g\n", cudaGetErrorString(error), checksum);
    return 0;
  }
  return 2;
}
