// wavefront_solve: x of A·x = y, or of Aᵀ·x = y, for each image. A is a convolution whose taps all come before their pixel in an
// order of the pixels — they step backwards along the direction (a, b), a·dy + b·dx < 0 — but for the tap (0, 0), of whose matrix
// only one triangle counts. So pixels of equal a·h + b·w do not need each other: they are a front, and the fronts are solved one
// after the other (Aᵀ: from the last). What a front takes from those before it is one product for all its pixels of
// some images, what is left triangular solves with the pixels side by side in the lanes.
// in: y [images·height·width, C], weight [C, kernel taps·C]; out: x; attributes: a, b, lower (1: channel o sees i ≤ o of its own pixel),
// transpose, then ops/conv2d.h. A task is some images.
#include "ops/conv2d.h"
#include "ops/mlp.h"
#include "ops/triangular.h"
#include "ops/wavefront_operands.h"

namespace flow::FLOW_ISA {
namespace {

constexpr int64_t most_tasks = 8;

struct Wave {
  ConvShape shape;
  int64_t a, b;
  bool lower, transpose;
  int64_t centre;     // which tap is the own pixel
  const int32_t* at;  // pixels in the order of the fronts
  const int32_t* starts;
  int64_t fronts;

  int64_t pixels() const { return shape.height * shape.width; }
  // The pixel that tap t reads for pixel p; −1 outside of the image.
  int64_t reads(int64_t p, const ConvTap& tap) const {
    const int64_t sign = transpose ? -1 : 1;
    const int64_t h = p / shape.width + sign * tap.dy, w = p % shape.width + sign * tap.dx;
    return h >= 0 && h < shape.height && w >= 0 && w < shape.width ? h * shape.width + w : -1;
  }
};

// The pixels by a·h + b·w, rising, in raster order within a front: a counting sort into slot 6.
void sort_fronts(Wave& wave) {
  const int64_t height = wave.shape.height, width = wave.shape.width, pixels = wave.pixels();
  const int64_t least = min_of(0, wave.a * (height - 1)) + min_of(0, wave.b * (width - 1));
  const int64_t most = max_of(0, wave.a * (height - 1)) + max_of(0, wave.b * (width - 1));
  wave.fronts = most - least + 1;
  int32_t* at = static_cast<int32_t*>(scratch(static_cast<size_t>(pixels + wave.fronts + 1) * sizeof(int32_t), 6));
  int32_t* starts = at + pixels;
  for (int64_t f = 0; f <= wave.fronts; ++f) starts[f] = 0;
  const auto front = [&](int64_t p) { return wave.a * (p / width) + wave.b * (p % width) - least; };
  for (int64_t p = 0; p < pixels; ++p) ++starts[front(p) + 1];
  for (int64_t f = 0; f < wave.fronts; ++f) starts[f + 1] += starts[f];
  for (int64_t p = 0; p < pixels; ++p) at[starts[front(p)]++] = static_cast<int32_t>(p);
  for (int64_t f = wave.fronts; f > 0; --f) starts[f] = starts[f - 1];
  starts[0] = 0;
  wave.at = at;
  wave.starts = starts;
}

template <class T>
bool solve(const Call& call, const Wave& wave) {
  const Operand &y = call.in[0], &weight = call.in[1], &x = call.out[0];
  const int64_t channels = y.cols, before = wave.shape.live - 1, depth = before * channels, pixels = wave.pixels();
  // B of the product, negated: [channels, depth] read as its transpose, or [depth, channels].
  Pieces<T> pieces;
  const int64_t dense = pieces.take(channels * depth), packed = pieces.take(packed_b_elements<T>(channels, depth));
  const int64_t triangle = pieces.take(PackedTriangle<T>::size(channels));
  T* memory = pieces.get(4);
  const T* w = weight.as<T>();
  for (int64_t t = 0, k = 0; t < wave.shape.live; ++t) {
    if (t == wave.centre) continue;
    for (int64_t o = 0; o < channels; ++o)
      for (int64_t i = 0; i < channels; ++i) {
        const T value = -w[o * weight.ld + wave.shape.taps[t].block * channels + i];
        memory[dense + (wave.transpose ? (k * channels + o) * channels + i : o * depth + k * channels + i)] = value;
      }
    ++k;
  }
  const PackSource<T> source{memory + dense, wave.transpose ? channels : depth, !wave.transpose, MaskKind::none, nullptr};
  for (int64_t panel = 0; panel < packed_panels<T>(channels) && depth > 0; ++panel)
    pack_b_panel<T>(source, channels, depth, panel, memory + packed);
  // Rows x of D·x = b are X·Dᵀ = B.
  bool backward = false;
  const T* own = w + wave.shape.taps[wave.centre].block * channels;
  const TriangleView<T> view = triangle_view<T>(own, weight.ld, channels, wave.lower, !wave.transpose, backward);
  PackedTriangle<T> diagonal(memory + triangle, channels);
  for (int64_t block = 0; block < diagonal.block_count(); ++block) diagonal.pack_block(view, block);
  const int64_t zero = diagonal.set_diagonal([&](int64_t j) { return view.base[j * (view.step_j + view.step_k)]; });
  FLOW_CHECK(call, zero < 0, "weight: expected no zero on the diagonal of the tap (0, 0), got 0 at [%lld]: the map is singular",
             ll(backward ? channels - 1 - zero : zero));
  int64_t widest = 0;
  for (int64_t f = 0; f < wave.fronts; ++f) widest = max_of(widest, wave.starts[f + 1] - wave.starts[f]);
  const int64_t images = wave.shape.images, group = ceil_div(images, most_tasks);
  parallel(ceil_div(images, max_of(1, group)), [&](int64_t task) {
    const int64_t first = task * group, count = min_of(group, images - first), most = count * widest;
    Pieces<T> parts;
    const int64_t given = parts.take(most * depth), side = parts.take(most * channels);
    const int64_t panel = parts.take(channels * triangle_lanes<T>);
    T* mine = parts.get(5);
    for (int64_t step = 0; step < wave.fronts; ++step) {
      const int64_t f = wave.transpose ? wave.fronts - 1 - step : step;
      const int64_t length = wave.starts[f + 1] - wave.starts[f], rows = count * length;
      if (rows == 0) continue;
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t image = (first + r / length) * pixels, p = wave.at[wave.starts[f] + r % length];
        __builtin_memcpy(mine + side + r * channels, y.as<T>() + (image + p) * y.ld, static_cast<size_t>(channels) * sizeof(T));
        T* to = mine + given + r * depth;
        for (int64_t t = 0; t < wave.shape.live; ++t) {
          if (t == wave.centre) continue;
          const int64_t q = wave.reads(p, wave.shape.taps[t]);
          if (q < 0)
            __builtin_memset(to, 0, static_cast<size_t>(channels) * sizeof(T));
          else
            __builtin_memcpy(to, x.as<T>() + (image + q) * x.ld, static_cast<size_t>(channels) * sizeof(T));
          to += channels;
        }
      }
      if (depth > 0) {
        PackedProduct<T> p;
        p.m = rows, p.n = channels, p.k = depth;
        p.a = mine + given, p.lda = depth;
        p.b_packed = memory + packed;
        p.c = mine + side, p.ldc = channels;
        p.epilogue.accumulate = true;
        run_packed<T>(p, 0, tiles_of(rows));
      }
      for (int64_t r = 0; r < rows; r += triangle_lanes<T>) {
        const int64_t sides = min_of(triangle_lanes<T>, rows - r), lanes = lanes_for<T>(sides);
        T* values = mine + side + r * channels;
        load_panel<T>(values, channels, sides, channels, nullptr, nullptr, mine + panel, lanes);
        solve_panel<T>(diagonal, backward, mine + panel, lanes);
        store_panel<T>(mine + panel, lanes, sides, channels, nullptr, values, channels);
      }
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t image = (first + r / length) * pixels, p = wave.at[wave.starts[f] + r % length];
        __builtin_memcpy(x.as<T>() + (image + p) * x.ld, mine + side + r * channels, static_cast<size_t>(channels) * sizeof(T));
      }
    }
  });
  return true;
}

bool wavefront_solve(const Call& call) {
  const Operand &y = call.in[0], &weight = call.in[1];
  Wave wave{};
  const auto read = [&](int at, int64_t live) {
    return read_conv(call, at, live, y.rows, weight.rows, weight.cols, tap_space(live), wave.shape);
  };
  if (!read_wavefront(call, wave, read, [&](int t) -> const ConvTap& { return wave.shape.taps[t]; })) return false;
  if (y.count() == 0) return true;
  FLOW_CHECK(call, wave.pixels() < int64_t{1} << 31, "image: expected fewer than 2^31 pixels, got %lld × %lld",
             ll(wave.shape.height), ll(wave.shape.width));
  FLOW_CHECK(call, wave.shape.height * (1 + (wave.a < 0 ? -wave.a : wave.a)) + wave.shape.width * (1 + (wave.b < 0 ? -wave.b : wave.b)) < (1 << 30),
             "image: expected fewer fronts");
  sort_fronts(wave);
  return with_float(call, y, "y", [&](auto zero) { return solve<decltype(zero)>(call, wave); });
}

}  // namespace

FLOW_DEFINE_OP(wavefront_solve) = {"wavefront_solve", wavefront_solve, 2, 2, 1, -1};

}  // namespace flow::FLOW_ISA
