// wavefront_solve: x of A·x = y, or of Aᵀ·x = y, for each image. A is a convolution whose taps all come before their pixel in an
// order of the pixels — they step backwards along the direction (a, b), a·dy + b·dx < 0 — but for the tap (0, 0), of whose matrix
// only one triangle counts. Pixels of equal a·h + b·w do not need each other: they are a front. A zero on the diagonal is not
// told: the result is infinite or NaN.
// in: y [images·height·width, C], weight [C, kernel taps·C]; out: x; attributes: a, b, lower (1: channel o sees i ≤ o of its own pixel),
// transpose, then native/ops/conv2d_operands.h.
//
// Floor: y and x once, taps·C² operations a pixel. A block an image, front after front; within one a thread a number, then a thread a pixel
// for the triangle. The weights stay in the cache.
#include "cuda/core/conv.h"
#include "ops/wavefront_operands.h"

namespace flow::cuda {
namespace {

struct Wave {
  ConvShape shape;
  int64_t a, b;
  bool lower, transpose;
  int live, centre;
  int64_t least, fronts;  // a·h + b·w runs from `least` on

  __device__ __forceinline__ int64_t front(int64_t p) const { return a * (p / shape.width) + b * (p % shape.width) - least; }
};

template <class T>
__global__ void __launch_bounds__(block_threads) solve(Wave wave, Matrix<const T> y, Matrix<const T> weight, Matrix<T> x, int64_t images) {
  const int64_t width = wave.shape.width, height = wave.shape.height, pixels = height * width, channels = wave.shape.inputs;
  const int64_t own = wave.shape.taps.tap[wave.centre].block * channels;
  for (int64_t image = blockIdx.x; image < images; image += gridDim.x) {
    const int64_t start = image * pixels;
    for (int64_t step = 0; step < wave.fronts; ++step) {
      const int64_t f = wave.transpose ? wave.fronts - 1 - step : step;
      for (int64_t e = threadIdx.x; e < pixels * channels; e += block_threads) {
        const int64_t p = e / channels, c = e % channels;
        if (wave.front(p) != f) continue;
        T sum = *y.at(start + p, c);
        for (int t = 0; t < wave.live; ++t) {
          if (t == wave.centre) continue;
          const ConvTap& tap = wave.shape.taps.tap[t];
          const int64_t sign = wave.transpose ? -1 : 1;
          const int64_t h = p / width + sign * tap.dy, w = p % width + sign * tap.dx;
          if (h < 0 || h >= height || w < 0 || w >= width) continue;
          const int64_t from = start + h * width + w, block = tap.block * channels;
          for (int64_t i = 0; i < channels; ++i)
            sum -= (wave.transpose ? *weight.at(i, block + c) : *weight.at(c, block + i)) * *x.at(from, i);
        }
        *x.at(start + p, c) = sum;
      }
      __syncthreads();
      for (int64_t p = threadIdx.x; p < pixels; p += block_threads) {
        if (wave.front(p) != f) continue;
        const bool forward = wave.lower != wave.transpose;
        for (int64_t k = 0; k < channels; ++k) {
          const int64_t c = forward ? k : channels - 1 - k;
          T sum = *x.at(start + p, c);
          for (int64_t j = 0; j < k; ++j) {
            const int64_t d = forward ? j : channels - 1 - j;
            sum -= (wave.transpose ? *weight.at(d, own + c) : *weight.at(c, own + d)) * *x.at(start + p, d);
          }
          *x.at(start + p, c) = sum / *weight.at(c, own + c);
        }
      }
      __syncthreads();
    }
  }
}

bool wavefront_solve(const Call& call) {
  const Operand &y = call.in[0], &weight = call.in[1], &x = call.out[0];
  Wave wave{};
  const auto read = [&](int at, int64_t live) {
    wave.live = static_cast<int>(live);
    return read_conv(call, at, live, y.rows, weight.rows, weight.cols, wave.shape);
  };
  if (!read_wavefront(call, wave, read, [&](int t) -> const ConvTap& { return wave.shape.taps.tap[t]; })) return false;
  if (y.count() == 0) return true;
  const int64_t along = wave.a * (wave.shape.height - 1), across = wave.b * (wave.shape.width - 1);
  wave.least = min_of(0, along) + min_of(0, across);
  wave.fronts = max_of(0, along) + max_of(0, across) - wave.least + 1;
  FLOW_CHECK(call, wave.fronts < (1 << 30), "image: expected fewer fronts");
  return with_float(call, y, "y", [&](auto zero) {
    using T = decltype(zero);
    const int64_t images = y.rows / (wave.shape.height * wave.shape.width);
    FLOW_LAUNCH((solve<T>), static_cast<unsigned>(min_of(images, 65535)), block_threads, 0, wave, matrix<const T>(y), matrix<const T>(weight),
                matrix<T>(x), images);
    return launched(call);
  });
}

}  // namespace

FLOW_DEFINE_OP(wavefront_solve) = {"wavefront_solve", wavefront_solve, 2, 2, 1, -1};

}  // namespace flow::cuda
