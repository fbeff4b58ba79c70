// Times for benches, by events in the stream: switches and numbers by their names, as plugin.h's `set` and `get` take them.
#pragma once
#include <cuda_runtime.h>

namespace flow::cuda {

// clockStart, clockStop: notes the time in the stream · flush: overwrites so many bytes, so that L2 holds nothing of use · copy: so many
// bytes within the device, by CUDA. False for another name, or where the device has no memory for it.
bool set_clock(cudaStream_t stream, const char* name, double value);
// clockMs: from start to stop; waits.
bool get_clock(const char* name, double& value);
// Of this thread's context.
void close_clock();

}  // namespace flow::cuda
