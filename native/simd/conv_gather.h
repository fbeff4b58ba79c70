// Pixels moved by taps: the columns that a product over shifted pixels multiplies, and the sum of shifted rows.
#pragma once

#include "conv.h"
#include "vec.h"

namespace flow::FLOW_ISA {

/** A tap as a move of pixels: `sign` 1 reads pixel + tap, −1 pixel − tap. */
struct Moves {
  int64_t height, width;
  const ConvTap* taps;
  int64_t count;
  int sign;

  int64_t dy(int64_t t) const { return sign * taps[t].dy; }
  int64_t dx(int64_t t) const { return sign * taps[t].dx; }
};

template <class T>
FLOW_INLINE void copy_row(const T* from, int64_t n, T* to) {
  using V = Vec<T>;
  constexpr int w = V::width;
  int64_t c = 0;
  for (; c + w <= n; c += w) store(to + c, load<V>(from + c));
  // A whole register is written: what lies behind is written later, or is not read.
  if (c < n) store(to + c, load_partial<V>(from + c, static_cast<int>(n - c)));
}

template <class T>
FLOW_INLINE void zero_row(int64_t n, T* to) {
  using V = Vec<T>;
  for (int64_t c = 0; c < n; c += V::width) store(to + c, V(T(0)));
}

/** Elements from one row of gathered columns to the next: room for the register that overhangs the last tap. */
template <class T>
FLOW_INLINE int64_t gathered_ld(int64_t taps, int64_t channels) {
  constexpr int64_t w = Vec<T>::width;
  const int64_t last = (channels + w - 1) / w * w;
  return taps > 0 ? ((taps - 1) * channels + last + w - 1) / w * w : w;
}

/**
 * columns [p1 − p0, taps·channels]: row p holds, tap by tap of t0 … t1, the channels of the pixel that tap reads from p;
 * zeros where that is outside of the image. Pixels are counted over all images.
 */
template <class T>
FLOW_NOINLINE void gather(const Moves& m, int64_t t0, int64_t t1, int64_t channels, const T* s, int64_t s_ld, int64_t p0,
                          int64_t p1, T* columns, int64_t ld) {
  for (int64_t t = t0; t < t1; ++t) {
    const int64_t dy = m.dy(t), dx = m.dx(t);
    T* out = columns + (t - t0) * channels;
    int64_t w = p0 % m.width;
    int64_t h = p0 / m.width % m.height;
    for (int64_t p = p0; p < p1;) {
      // A piece of one row of one image: [w, end), of which [from, to) reads inside.
      const int64_t end = m.width < w + p1 - p ? m.width : w + p1 - p;
      const bool inside = h + dy >= 0 && h + dy < m.height;
      int64_t from = inside ? (-dx > w ? -dx : w) : end;
      if (from > end) from = end;
      int64_t to = inside ? (m.width - dx < end ? m.width - dx : end) : end;
      if (to < from) to = from;
      const T* in = s + (p - w + dy * m.width + dx) * s_ld;
      int64_t i = w;
      for (; i < from; ++i, out += ld) zero_row(channels, out);
      for (; i < to; ++i, out += ld) copy_row(in + i * s_ld, channels, out);
      for (; i < end; ++i, out += ld) zero_row(channels, out);
      p += end - w;
      w = 0;
      h = h + 1 < m.height ? h + 1 : 0;
    }
  }
}

/**
 * c [rows of the image from h0 to h1, n] = start + Σ_t z[pixel moved by tap t, t·n … t·n + n): start is the bias, zero, or
 * what c holds, which the bias is not added to. z begins at image row z0 and has all rows that are read; a register behind
 * its last number is readable.
 */
template <class T>
FLOW_NOINLINE void sum_moved(const Moves& m, int64_t h0, int64_t h1, const T* z, int64_t z_ld, int64_t z0, int64_t n,
                             const T* bias, bool accumulate, T* c, int64_t ldc) {
  using V = Vec<T>;
  constexpr int w = V::width;
  constexpr int kMost = 64;
  for (int64_t t0 = 0; t0 == 0 || t0 < m.count; t0 += kMost) {
    const int64_t t1 = t0 + kMost < m.count ? t0 + kMost : m.count;
    T* out_row = c;
    for (int64_t h = h0; h < h1; ++h, out_row += m.width * ldc) {
      // The taps whose rows are inside, and between which columns they are too.
      const T* source[kMost];
      int64_t first[kMost], last[kMost];
      int taps = 0;
      for (int64_t t = t0; t < t1; ++t) {
        const int64_t dy = m.dy(t), dx = m.dx(t);
        if (h + dy < 0 || h + dy >= m.height) continue;
        source[taps] = z + ((h + dy - z0) * m.width + dx) * z_ld + t * n;
        first[taps] = -dx;
        last[taps] = m.width - dx;
        ++taps;
      }
      int64_t inner0 = 0, inner1 = m.width;  // here all taps are inside
      for (int k = 0; k < taps; ++k) {
        if (first[k] > inner0) inner0 = first[k];
        if (last[k] < inner1) inner1 = last[k];
      }
      for (int64_t x = 0; x < m.width; ++x) {
        T* out = out_row + x * ldc;
        const bool inner = x >= inner0 && x < inner1;
        for (int64_t j = 0; j < n; j += w) {
          const int live = static_cast<int>(n - j < w ? n - j : w);
          V sum(T(0));
          if (accumulate || t0 > 0)
            sum = load_partial<V>(out + j, live);
          else if (bias)
            sum = load_partial<V>(bias + j, live);
          const int64_t at = x * z_ld + j;
          if (inner) {
            for (int k = 0; k < taps; ++k) sum += load<V>(source[k] + at);
          } else {
            for (int k = 0; k < taps; ++k)
              if (x >= first[k] && x < last[k]) sum += load<V>(source[k] + at);
          }
          if (live == w)
            store(out + j, sum);
          else
            store_partial(out + j, sum, live);
        }
      }
    }
  }
}

}  // namespace flow::FLOW_ISA
