// sylvester_grad: backward of sylvester, either direction, by its output and logDet together; see math/sylvester.h. in: v [N, M] (the input of
// the map, the output of its inverse), params, dL_dout or absent, dL_dlogDet [N] float64 or absent; out: dL_din, dL_dparams [N, M² + 3·M], a
// row a sample. attributes: inverse.
//
// Floor: params in and their gradients out. A thread a sample, as in sylvester.
#include "cuda/ops/sylvester.h"

namespace flow::cuda {
namespace {

template <bool inverse, class T>
__global__ void __launch_bounds__(block_threads, 1)
send_samples(SylvesterLayout at, Matrix<const T> in, Matrix<const T> params, bool one_row, int64_t samples, Matrix<const T> d_out,
             Vector<const double> d_log_det, Matrix<T> d_in, Matrix<T> d_params, T* memory) {
  for (int64_t n = thread_index(); n < samples; n += thread_count()) {
    const GivenNumbers<T> p{params.at(one_row ? 0 : n, 0)}, v{in.at(n, 0)};
    const int64_t step = thread_count();
    const auto part = [&](int64_t k) { return ThreadRows<T>{memory + k * at.m * step + thread_index(), step}; };
    const ThreadRows<T> t = part(0), given = part(1), q = part(2), dv = part(3);
    for (int64_t i = 0; i < at.m; ++i) given.set(i, d_out.p ? *d_out.at(n, i) : T(0));
    const T dl = d_log_det.p ? static_cast<T>(*d_log_det.at(n)) : T(0);
    // t only: what else the forward map gives goes where it is overwritten.
    sylvester_forward<T>(at, p, v, t, dv, [](T) {});
    sylvester_backward<inverse, T>(at, p, v, t, dl, given, q, dv, RowNumbers<T>{d_params.at(n, 0)});
    for (int64_t i = 0; i < at.m; ++i) *d_in.at(n, i) = dv.get(i);
  }
}

bool sylvester_grad(const Call& call) {
  const Operand &in = call.in[0], &params = call.in[1];
  if (!check_sylvester_grad(call)) return false;
  return with_float(call, in, "v", [&](auto zero) {
    using T = decltype(zero);
    if (in.rows == 0) return true;
    const SylvesterLayout at{in.cols};
    const unsigned blocks = blocks_for(in.rows);
    const int64_t threads = static_cast<int64_t>(blocks) * block_threads;
    T* memory = static_cast<T*>(workspace(static_cast<size_t>(4 * at.m * threads) * sizeof(T)));
    if (!memory) return call.fail("the GPU has no memory for the rows of %lld samples", ll(threads));
    const auto run = [&](auto kernel) {
      FLOW_LAUNCH(kernel, blocks, block_threads, 0, at, matrix<const T>(in), matrix<const T>(params), params.rows == 1, in.rows,
                  matrix<const T>(call.in[2]), vector<const double>(call.in[3]), matrix<T>(call.out[0]), matrix<T>(call.out[1]), memory);
    };
    if (call.attr[0] != 0) run(send_samples<true, T>);
    else run(send_samples<false, T>);
    return launched(call);
  });
}

}  // namespace

FLOW_DEFINE_OP(sylvester_grad) = {"sylvester_grad", sylvester_grad, 4, 4, 2, 1};

}  // namespace flow::cuda
