// Kernels with a fault each, for faults.test.ts: the emulation must find it. Usage: faults NAME [ascending|descending|random].
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cuda/core/block.h"
#include "cuda/core/launch.h"
#include "emulation_control.h"

namespace flow::cuda {
static cudaStream_t stream;
cudaStream_t current_stream() { return stream; }
}  // namespace flow::cuda

using namespace flow::cuda;

constexpr int threads = 128;
enum Fault { none, missing_barrier, off_by_one, unwritten, race, host_pointer, divergent, misaligned, wide_shared, order };
const char* const names[] = {"none",      "missing_barrier", "off_by_one", "unwritten",   "race", "host_pointer",
                             "divergent", "misaligned",      "wide_shared", "order"};

/** Sum of n numbers by one block. */
__global__ void sum(const float* x, int n, float* y, Fault fault) {
  FLOW_SHARED(memory);
  float* partial = reinterpret_cast<float*>(memory);
  float own = 0;
  const int last = fault == off_by_one ? n + 1 : n;
  for (int i = threadIdx.x; i < last; i += blockDim.x) own += x[i];
  own = warp_fold(own, Sum{});
  if (threadIdx.x % 32 == 0) partial[fault == wide_shared ? threadIdx.x / 32 + 1 : threadIdx.x / 32] = own;
  if (fault == divergent && threadIdx.x == 5) return;
  if (fault != missing_barrier) __syncthreads();
  if (fault == race) partial[threadIdx.x % 4] = own;  // 32 threads store into each
  if (fault == unwritten || threadIdx.x != 0) return;
  float all = 0;
  for (int w = 0; w < 4; ++w) all += partial[w];
  if (fault == misaligned) all += reinterpret_cast<const double*>(x + 1)[0] > 0;
  *y = all;
}

/** Each thread reads what its neighbour wrote, without waiting for it: no fault of one access, but of their order. */
__global__ void shift(float* y) {
  y[threadIdx.x] = static_cast<float>(threadIdx.x);
  y[threadIdx.x] += 1000 * y[(threadIdx.x + 1) % blockDim.x];
}

int main(int argc, char** argv) {
  int fault = none;
  for (int k = 0; k <= order; ++k)
    if (argc > 1 && strcmp(argv[1], names[k]) == 0) fault = k;
  if (argc > 2) emulation::set("order", strcmp(argv[2], "random") == 0 ? 2 : strcmp(argv[2], "descending") == 0 ? 1 : 0);
  cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  constexpr int n = 1000;
  float host[n];
  for (int i = 0; i < n; ++i) host[i] = static_cast<float>(i % 7);
  float *x, *y;
  cudaMalloc(reinterpret_cast<void**>(&x), sizeof host);
  cudaMalloc(reinterpret_cast<void**>(&y), threads * sizeof(float));
  cudaMemcpyAsync(x, host, sizeof host, cudaMemcpyHostToDevice, stream);
  if (fault == order) cudaMemsetAsync(y, 0, threads * sizeof(float), stream);
  if (fault == order) FLOW_LAUNCH(shift, dim3(1), dim3(threads), 0, y);
  else FLOW_LAUNCH(sum, dim3(1), dim3(threads), 4 * sizeof(float), fault == host_pointer ? host : x, n, y, static_cast<Fault>(fault));
  float result[threads] = {};
  cudaMemcpyAsync(result, y, sizeof result, cudaMemcpyDeviceToHost, stream);
  const cudaError_t error = cudaStreamSynchronize(stream);
  double checksum = 0;
  for (int i = 0; i < (fault == order ? threads : 1); ++i) checksum += result[i];
  printf("%s\n%g\n", cudaGetErrorString(error), checksum);
  return 0;
}
