// Pinned memory of the host, through which numbers go to and from the device: the device copies it by itself, so that the host goes on.
// From memory that is not pinned CUDA copies while the host waits, and may wait for the stream first.
#pragma once
#include <cuda_runtime.h>

namespace flow::cuda {

class Staging;  // of one stream
Staging* open_staging(cudaStream_t stream);
void close_staging(Staging* staging);

// Into the stream's order; `from` has been read when it returns. Waits only where more than the ring is still under way.
cudaError_t stage_upload(Staging& staging, void* to, const void* from, size_t bytes);

struct PendingRead;
// Null where there is no pinned memory, or after a failure of the copy, which `error` has.
PendingRead* begin_read(Staging& staging, const void* from, size_t bytes, cudaError_t& error);
// cudaErrorNotReady until the numbers are there; by any thread.
cudaError_t poll_read(const PendingRead& read);
// Waits, and copies them out; by any thread.
cudaError_t finish_read(const PendingRead& read, void* to);
void drop_read(Staging& staging, PendingRead* read);

}  // namespace flow::cuda
