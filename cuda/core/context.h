// What an environment holds of the device: a stream, a workspace, counters.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace flow {

namespace cuda {
struct Blas;
class Staging;
inline constexpr int64_t block_counters = 4096;
}

struct PluginContext {
  cudaStream_t stream = nullptr;
  cuda::Blas* blas = nullptr;
  void* workspace = nullptr;  // on the device; grows
  size_t workspace_bytes = 0;
  std::vector<void*> retired;  // workspaces that graphs may still use
  int64_t graphs = 0;          // that are alive
  bool capturing = false;
  std::shared_ptr<cuda::Staging> staging;  // shared: kernels' files do not know the class
  unsigned* counters = nullptr;    // on the device; see last_block.h
  int multiprocessors = 1;
  size_t shared_bytes = 48 << 10;  // of a block, at most
  int64_t launches = 0;
  std::string description;
};

namespace cuda {
PluginContext& current();
// Memory of the device that one op uses between its launches; null where there is none. Valid until the next call: work of later ops
// comes after it in the stream.
void* workspace(size_t bytes);
}

}  // namespace flow
