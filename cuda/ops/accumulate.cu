// accumulate: the sum of two inputs or more in their order, all of one shape and type; out may be the first, of two either one.
//
// Floor: every operand, once. Two by the element-wise loop; more in one launch that reads all of them, an element a thread: these are
// log-determinants, a number a sample.
#include "cuda/core/elementwise.h"

namespace flow::cuda {
namespace {

constexpr int most_terms = 32;

template <class T>
struct Sum {
  __device__ T operator()(T a, T b) const { return a + b; }
};

template <class T>
struct Terms {
  const T* p[most_terms];
  int64_t ld[most_terms];
  int count;
};

template <class T>
__global__ void __launch_bounds__(block_threads) add_terms(const Terms<T> terms, T* out, int64_t ld, int64_t rows, int64_t cols) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < rows * cols; i += stride) {
    const int64_t r = i / cols, c = i % cols;
    T sum = terms.p[0][r * terms.ld[0] + c];
    for (int k = 1; k < terms.count; ++k) sum += terms.p[k][r * terms.ld[k] + c];
    out[r * ld + c] = sum;
  }
}

bool accumulate(const Call& call) {
  const Operand& out = call.out[0];
  for (int i = 0; i < call.n_in; ++i) {
    FLOW_CHECK_SAME_SHAPE(call, call.in[i], out, "input");
    FLOW_CHECK_SAME_DTYPE(call, call.in[i], out, "input");
  }
  return with_float(call, out, "out", [&](auto zero) {
    using T = decltype(zero);
    if (call.n_in == 2) return map<T, T, T>(call, out, Sum<T>{}, call.in[0], call.in[1]);
    if (out.count() == 0) return true;
    // One long row where none has gaps.
    bool flat = out.contiguous();
    for (int k = 0; k < call.n_in; ++k) flat = flat && call.in[k].contiguous();
    Terms<T> terms{};
    terms.count = call.n_in;
    for (int k = 0; k < call.n_in; ++k) {
      terms.p[k] = call.in[k].as<const T>();
      terms.ld[k] = flat ? 0 : call.in[k].ld;
    }
    FLOW_LAUNCH((add_terms<T>), blocks_for(out.count()), block_threads, 0, terms, out.as<T>(), flat ? 0 : out.ld, flat ? 1 : out.rows,
                flat ? out.count() : out.cols);
    return launched(call);
  });
}

}  // namespace

FLOW_DEFINE_OP(accumulate) = {"accumulate", accumulate, 2, most_terms, 1, 0};

}  // namespace flow::cuda
