// Numbers that lie side by side, moved by one instruction: how many of them the operands of a call allow, and the moves.
#pragma once
#include <initializer_list>

#include "cuda/core/check.h"
#include "cuda/core/launch.h"

namespace flow::cuda {

template <class T, int count>
struct alignas(sizeof(T) * count) Lanes {
  T lane[count];
};

/** to ← from[0 … n), `step` numbers an instruction; `from` is aligned to these. */
template <int step, int n, class T>
__device__ __forceinline__ void load(T (&to)[n], const T* from) {
#pragma unroll
  for (int i = 0; i < n; i += step) {
    const Lanes<T, step> some = *reinterpret_cast<const Lanes<T, step>*>(from + i);
#pragma unroll
    for (int k = 0; k < step; ++k) to[i + k] = some.lane[k];
  }
}
/** to[0 … n) ← from. */
template <int step, int n, class T>
__device__ __forceinline__ void store(T* to, const T (&from)[n]) {
#pragma unroll
  for (int i = 0; i < n; i += step) {
    Lanes<T, step> some;
#pragma unroll
    for (int k = 0; k < step; ++k) some.lane[k] = from[i + k];
    *reinterpret_cast<Lanes<T, step>*>(to + i) = some;
  }
}

/**
 * How many numbers side by side a thread moves at once: 16 bytes of T, halved until every operand that is named starts and steps at
 * a multiple of them, and every number of columns is one.
 */
template <class T>
class Width {
 public:
  static constexpr int most = 16 / static_cast<int>(sizeof(T));

  /** Rows of `operand` are moved from the column `from` on. */
  Width& of(const Operand& operand, int64_t from = 0) {
    if (operand.absent()) return *this;
    const auto start = reinterpret_cast<uintptr_t>(operand.as<T>() + from);
    while (value_ > 1 && (start % (sizeof(T) * static_cast<size_t>(value_)) || (operand.rows > 1 && operand.ld % value_)))
      value_ /= 2;
    return *this;
  }
  /** Only the start of `operand` counts. */
  Width& start(const Operand& operand) {
    while (value_ > 1 && reinterpret_cast<uintptr_t>(operand.data) % (sizeof(T) * static_cast<size_t>(value_))) value_ /= 2;
    return *this;
  }
  Width& columns(int64_t count) {
    while (value_ > 1 && count % value_) value_ /= 2;
    return *this;
  }
  Width& cap(int most_wide) {
    while (value_ > most_wide) value_ /= 2;
    return *this;
  }
  int value() const { return value_; }

  /** Calls body(Tag<w>{}), Tag::value the width as a constant. */
  template <class F>
  bool choose(const F& body) const {
    if constexpr (most >= 16)
      if (value_ == 16) return body(Tag<16>{});
    if constexpr (most >= 8)
      if (value_ == 8) return body(Tag<8>{});
    if constexpr (most >= 4)
      if (value_ == 4) return body(Tag<4>{});
    if constexpr (most >= 2)
      if (value_ == 2) return body(Tag<2>{});
    return body(Tag<1>{});
  }

  template <int n>
  struct Tag {
    static constexpr int value = n;
  };

 private:
  int value_ = most;
};

/** What a thread knows of its columns or its sample where there is nothing to know. */
struct Nothing {};

/** A matrix in a kernel. */
template <class T>
struct Matrix {
  T* p;
  int64_t ld;

  __device__ __forceinline__ T* at(int64_t row, int64_t col) const { return p + row * ld + col; }
};
template <class T>
Matrix<T> matrix(const Operand& operand) {
  return {operand.as<T>(), operand.ld};
}

/** A vector of n numbers in a kernel: [n] (1 × n) or a column n × 1. */
template <class T>
struct Vector {
  T* p;
  int64_t step;

  __device__ __forceinline__ T* at(int64_t i) const { return p + i * step; }
};
template <class T>
Vector<T> vector(const Operand& operand) {
  return {operand.as<T>(), operand.rows <= 1 ? 1 : operand.ld};
}

/**
 * Matrices of one shape, for a pass by columns: rows of few columns that lie side by side are read as fewer, longer ones, so that 16
 * bytes are moved at a time. The channel of a joined column is column % cols.
 */
template <class T>
struct Joined {
  int64_t rows, cols, factor = 1;
  Width<T> width;

  Joined(int64_t rows_, int64_t cols_, std::initializer_list<const Operand*> operands) : rows(rows_), cols(cols_) {
    bool gaps = false;
    for (const Operand* operand : operands) gaps = gaps || (!operand->absent() && operand->ld != cols);
    while (!gaps && factor < Width<T>::most && cols * factor % Width<T>::most) factor *= 2;
    if (rows % factor != 0) factor = 1;
    rows /= factor;
    cols *= factor;
    width.columns(cols);
    // Side by side, the rows step by whole units: only the start can be in the way.
    for (const Operand* operand : operands) gaps ? width.of(*operand) : width.start(*operand);
  }

  template <class U>
  Matrix<U> matrix(const Operand& operand) const {
    return {operand.as<U>(), operand.ld * factor};
  }
};

}  // namespace flow::cuda
