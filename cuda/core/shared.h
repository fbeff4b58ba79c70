// How much shared memory a block may have: 48 KiB, and more where it is asked for.
#pragma once
#include "cuda/core/context.h"
#include "cuda/core/launch.h"

namespace flow::cuda {

/** Lets a kernel have as much shared memory as the device gives. The limit is the kernel's for all threads of the process: always the same. */
template <class Kernel>
void allow_shared(Kernel kernel) {
  cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes()));
}

}  // namespace flow::cuda
