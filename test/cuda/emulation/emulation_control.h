// The switches and counters of the emulation by their names, for tests that run in Node, and what benches alone need of the runtime.
#pragma once
#include "cuda_runtime.h"

cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t start, cudaEvent_t stop);

namespace emulation {
bool get(const char* name, double& value);
bool set(const char* name, double value);
}  // namespace emulation
