// What every reference file includes: an operand as a matrix, and the choice of the element type.
#pragma once
#include <cmath>
#include <cstdint>

#include "core/op.h"

namespace flow::reference {

// a(r, c) of an operand.
template <class T>
struct Matrix {
  T* data;
  int64_t rows, cols, ld;

  explicit Matrix(const Operand& o) : data(o.as<T>()), rows(o.rows), cols(o.cols), ld(o.ld) {}
  T& operator()(int64_t r, int64_t c) const { return data[r * ld + c]; }
};

// v(i) of an operand of one column, or whose elements lie side by side.
template <class T>
struct Vector {
  T* data;
  int64_t count, step;

  explicit Vector(const Operand& o) : data(o.as<T>()), count(o.count()), step(o.cols == 1 && o.rows > 1 ? o.ld : 1) {}
  T& operator()(int64_t i) const { return data[i * step]; }
};

// a(r, c) of an operand of one row, one column or one number, as if it had all of them.
template <class T>
struct Broadcast {
  const T* data;
  int64_t row_step, col_step;

  explicit Broadcast(const Operand& o)
      : data(o.as<T>()), row_step(o.rows == 1 ? 0 : o.ld), col_step(o.cols == 1 ? 0 : 1) {}
  T operator()(int64_t r, int64_t c) const { return data[r * row_step + c * col_step]; }
};

inline bool is(const Operand& o, int64_t rows, int64_t cols, DType dtype) {
  return o.rows == rows && o.cols == cols && o.dtype == dtype;
}
inline bool like(const Operand& o, const Operand& other) { return is(o, other.rows, other.cols, other.dtype); }
inline bool broadcasts(const Operand& o, const Operand& to) {
  return o.dtype == to.dtype && (o.rows == to.rows || o.rows == 1) && (o.cols == to.cols || o.cols == 1);
}
inline bool is_vector(const Operand& o, int64_t count, DType dtype) {
  return o.count() == count && (o.cols == 1 || o.contiguous()) && o.dtype == dtype;
}
inline bool is_scalar(const Operand& o) { return is_vector(o, 1, DType::f64); }

// int32 values from 0 to `limit`.
inline bool are_indices(const Operand& o, int64_t count, int64_t limit) {
  if (!is_vector(o, count, DType::i32)) return false;
  for (int64_t i = 0; i < count; ++i) {
    const int32_t value = Vector<int32_t>(o)(i);
    if (value < 0 || value > limit) return false;
  }
  return true;
}

// The kernels tell a caller what is wrong; this only keeps a wrong instruction from a wild access.
#define FLOW_AGREE(call, condition) FLOW_CHECK(call, condition, "reference: the operands do not fit: %s", #condition)

// Calls body(T{}) for a floating type.
template <class F>
bool for_float(const Call& call, DType dtype, const F& body) {
  if (dtype == DType::f32) {
    body(float{});
  } else if (dtype == DType::f64) {
    body(double{});
  } else {
    return call.fail("reference: expected float32 or float64, got %s", name_of(dtype));
  }
  return true;
}

// Calls body(T{}) for any type.
template <class F>
void for_type(DType dtype, const F& body) {
  switch (dtype) {
    case DType::f32: return body(float{});
    case DType::f64: return body(double{});
    case DType::i32: return body(int32_t{});
    case DType::u8: return body(uint8_t{});
  }
}

#define FLOW_REFERENCE(name) bool name(const Call& call);
#include "reference/registry.def"
#undef FLOW_REFERENCE

}  // namespace flow::reference
