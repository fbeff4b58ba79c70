// channel_affine: y = x·exp(log_scale) + shift by channel (column), or back: x = (y − shift)·exp(−log_scale); and the
// log-determinant of each sample, ±positions·Σ log_scale. Inputs: x [N·positions, C]; log_scale, shift [C], float32 or
// float64. Outputs: y; log_det [N] (float64). Attributes: inverse (0 or 1), positions.
//
// Floor: x and y once, and a number a sample. 16 bytes at a time: rows of few channels are joined where they lie side by side. The factor
// of a channel is computed once a thread; the first blocks also write the log-determinants.
#include "cuda/ops/channel_affine.h"

namespace flow::cuda {
namespace {

template <int W, class T>
struct ChannelAffine {
  struct Columns {
    T factor[W], term[W];
  };
  Matrix<const T> x;
  Numbers log_scale, shift;
  Matrix<T> y;
  double* log_det;
  int64_t cols, samples;
  double positions;
  bool inverse;

  __device__ __forceinline__ void once() const {
    const int64_t stride = static_cast<int64_t>(gridDim.y) * blockDim.x, first = static_cast<int64_t>(blockIdx.y) * blockDim.x;
    if (blockIdx.x != 0 || first >= samples) return;
    FLOW_SHARED(memory);
    double sum = 0;
    for (int64_t c = threadIdx.x; c < cols; c += blockDim.x) sum += log_scale.at(c);
    sum = positions * block_fold(sum, Sum{}, reinterpret_cast<double*>(memory));
    for (int64_t n = first + threadIdx.x; n < samples; n += stride) log_det[n] = inverse ? -sum : sum;
  }
  __device__ __forceinline__ Columns column(int64_t unit) const {
    Columns own;
#pragma unroll
    for (int k = 0; k < W; ++k) {
      const int64_t c = (unit * W + k) % cols;
      own.factor[k] = channel_factor<T>(log_scale.at(c), inverse);
      own.term[k] = static_cast<T>(shift.at(c));
    }
    return own;
  }
  __device__ __forceinline__ void operator()(const Columns& own, int64_t row, int64_t unit) const {
    T value[W];
    load<W>(value, x.at(row, unit * W));
#pragma unroll
    for (int k = 0; k < W; ++k)
      value[k] = inverse ? (value[k] - own.term[k]) * own.factor[k] : fma(value[k], own.factor[k], own.term[k]);
    store<W>(y.at(row, unit * W), value);
  }
};

bool channel_affine(const Call& call) {
  const Operand &x = call.in[0], &y = call.out[0], &log_det = call.out[1];
  if (!check_channel_affine(call)) return false;
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    const Joined<T> joined(x.rows, x.cols, {&x, &y});
    return joined.width.choose([&](auto tag) {
      constexpr int W = decltype(tag)::value;
      const ChannelAffine<W, T> pass{joined.template matrix<const T>(x), Numbers(call.in[1]), Numbers(call.in[2]),
                                     joined.template matrix<T>(y),       log_det.as<double>(), x.cols,
                                     log_det.absent() ? 0 : log_det.count(), call.attr[1],     call.attr[0] == 1};
      return walk_columns(call, joined.rows, joined.cols / W, pass);
    });
  });
}

}  // namespace

FLOW_DEFINE_OP(channel_affine) = {"channel_affine", channel_affine, 3, 3, 2, 2};

}  // namespace flow::cuda
