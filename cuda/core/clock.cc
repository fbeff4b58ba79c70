#include "cuda/core/clock.h"

#include <cmath>
#include <cstring>

namespace flow::cuda {
namespace {

struct Clock {
  cudaEvent_t start = nullptr, stop = nullptr;
  char* memory = nullptr;
  size_t bytes = 0;
};
thread_local Clock* clock = nullptr;

bool is(const char* name, const char* other) { return std::strcmp(name, other) == 0; }

Clock* open_clock() {
  if (clock) return clock;
  clock = new Clock;
  if (cudaEventCreateWithFlags(&clock->start, 0) == cudaSuccess && cudaEventCreateWithFlags(&clock->stop, 0) == cudaSuccess) return clock;
  cudaGetLastError();
  close_clock();
  return nullptr;
}

char* memory_of(Clock& own, cudaStream_t stream, size_t bytes) {
  if (bytes <= own.bytes) return own.memory;
  cudaStreamSynchronize(stream);
  cudaFree(own.memory);
  own.bytes = 0;
  void* block = nullptr;
  if (cudaMalloc(&block, bytes) != cudaSuccess) cudaGetLastError(), block = nullptr;
  else own.bytes = bytes;
  own.memory = static_cast<char*>(block);
  return own.memory;
}

}  // namespace

bool set_clock(cudaStream_t stream, const char* name, double value) {
  const bool starts = is(name, "clockStart"), stops = is(name, "clockStop"), flushes = is(name, "flush");
  if (!starts && !stops && !flushes && !is(name, "copy")) return false;
  Clock* own = open_clock();
  if (!own) return false;
  if (starts || stops) return cudaEventRecord(starts ? own->start : own->stop, stream) == cudaSuccess;
  const size_t bytes = static_cast<size_t>(value);
  char* memory = memory_of(*own, stream, flushes ? bytes : 2 * bytes);
  if (!memory) return false;
  const cudaError_t error = flushes ? cudaMemsetAsync(memory, 0, bytes, stream)
                                    : cudaMemcpyAsync(memory + bytes, memory, bytes, cudaMemcpyDeviceToDevice, stream);
  return error == cudaSuccess;
}

bool get_clock(const char* name, double& value) {
  if (!is(name, "clockMs")) return false;
  float ms = NAN;
  if (clock && cudaEventSynchronize(clock->stop) == cudaSuccess) cudaEventElapsedTime(&ms, clock->start, clock->stop);
  cudaGetLastError();
  value = static_cast<double>(ms);
  return true;
}

void close_clock() {
  if (!clock) return;
  if (clock->start) cudaEventDestroy(clock->start);
  if (clock->stop) cudaEventDestroy(clock->stop);
  cudaFree(clock->memory);
  delete clock;
  clock = nullptr;
}

}  // namespace flow::cuda
