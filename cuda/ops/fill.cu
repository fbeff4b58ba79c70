// fill: every element of out becomes the attribute `value`, converted to the element type as a C cast does.
#include "cuda/core/elementwise.h"

namespace flow::cuda {

cudaError_t find_kernel_image();

namespace {

template <class T>
struct Constant {
  T value;
  __device__ T operator()() const { return value; }
};

bool fill(const Call& call) {
  const Operand& out = call.out[0];
  const double value = call.attr[0];
  if (out.dtype == DType::i32)
    FLOW_CHECK(call, value >= -2147483648.0 && value <= 2147483647.0, "value: expected an int32, got %g", value);
  if (out.dtype == DType::u8) FLOW_CHECK(call, value >= 0 && value <= 255, "value: expected 0 to 255, got %g", value);
  return with_type(out.dtype, [&](auto zero) {
    using T = decltype(zero);
    return map<T>(call, out, Constant<T>{static_cast<T>(value)});
  });
}

__global__ void nothing() {}

}  // namespace

/** Whether the plug-in has kernels for the device: the words of CUDA for it. */
cudaError_t find_kernel_image() {
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes, nothing);
}

FLOW_DEFINE_OP(fill) = {"fill", fill, 0, 0, 1, 1};

}  // namespace flow::cuda
