// squeeze: space to depth, [N, H, W, C] → [N, H/2, W/2, 4·C] by rows of H·W·C numbers, or back. The new channels are those of
// the four pixels of a 2 × 2 block: top left, top right, bottom left, bottom right; so a block is two runs of 2·C numbers.
// Attributes: height, width, channels (before), back (0 or 1). The gradient of one way is the other.
#include "ops/elementwise.h"
#include "ops/squeeze_operands.h"

namespace flow::FLOW_ISA {
namespace {

template <class T>
FLOW_INLINE void copy_run(T* __restrict target, const T* __restrict source, int64_t n) {
  constexpr int w = Vec<T>::width;
  int64_t i = 0;
  for (; i + w <= n; i += w) store(target + i, load<Vec<T>>(source + i));
  if (i < n) store_partial(target + i, load_partial<Vec<T>>(source + i, static_cast<int>(n - i)), static_cast<int>(n - i));
}

// Two rows of pixels and the row of blocks that they are. `run`: numbers of a pair of pixels.
template <class T>
void blocks_of(const T* top, const T* bottom, T* blocks, int64_t count, int64_t run) {
  for (int64_t b = 0; b < count; ++b) {
    copy_run(blocks + 2 * b * run, top + b * run, run);
    copy_run(blocks + (2 * b + 1) * run, bottom + b * run, run);
  }
}
template <class T>
void pixels_of(const T* blocks, T* top, T* bottom, int64_t count, int64_t run) {
  for (int64_t b = 0; b < count; ++b) {
    copy_run(top + b * run, blocks + 2 * b * run, run);
    copy_run(bottom + b * run, blocks + (2 * b + 1) * run, run);
  }
}

bool squeeze(const Call& call) {
  const Operand &x = call.in[0], &y = call.out[0];
  SqueezeShape s;
  if (!read_squeeze(call, s)) return false;
  return with_float(call, x, "x", [&](auto zero) {
    using T = decltype(zero);
    const int64_t line = s.width * s.channels, pairs = s.height / 2;
    // A task is some pairs of rows of pixels, which stay where they are in the image.
    parallel_rows(x.rows * pairs, 4 * line * int64_t{sizeof(T)}, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const int64_t start = i % pairs * 2 * line;
        const T* source = x.as<T>() + i / pairs * x.ld + start;
        T* target = y.as<T>() + i / pairs * y.ld + start;
        if (s.back) pixels_of(source, target, target + line, s.width / 2, 2 * s.channels);
        else blocks_of(source, source + line, target, s.width / 2, 2 * s.channels);
      }
    });
    return true;
  });
}

}  // namespace

FLOW_DEFINE_OP(squeeze) = {"squeeze", squeeze, 1, 1, 1, 4};

}  // namespace flow::FLOW_ISA
