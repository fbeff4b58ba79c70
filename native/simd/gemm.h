// Matrix products with fused epilogues, dense and masked by a staircase; float and double.
//
// All matrices are row-major views with a leading dimension ld ≥ columns, in elements. Outputs must not
// overlap inputs. The work is cut by the sizes alone and every sum has a fixed order, so a result is the
// same bit for bit with any number of threads. K blocks go through C in T: the error is that of an
// ordinary sgemm/dgemm, at most about (K_block + K/K_block)·eps·Σ|a||b|.
//
// Scratch slots 0–3 of core/scratch.h are used.
#pragma once

#include "isa.h"
#include "math/activation.h"

namespace flow::FLOW_ISA {

/** A [rows, K] or its transpose: the stored matrix is read as it lies, or as its transpose. */
enum class Trans : int32_t { no = 0, yes = 1 };

/**
 * What happens to C after the product, in this order:
 * z = A·B (+ C if accumulate) (+ bias[column]); C = act(z) (⊙ the factor of gate).
 *
 * gate [M, N] holds outputs y of the activation gate_act, and the factor is act'(·) written in y:
 * relu y > 0, leaky_relu y > 0 ? 1 : gate_param, tanh 1 − y², sigmoid y(1 − y), elu y > 0 ? 1 : y + α
 * (α = gate_param), softplus 1 − exp(−y). With gate_act none (and gelu, whose derivative is no function
 * of y) the factor is gate itself.
 */
template <class T>
struct Epilogue {
  const T* bias = nullptr;
  Activation act = Activation::none;
  double act_param = 0;
  const T* gate = nullptr;
  int64_t gate_ld = 0;
  Activation gate_act = Activation::none;
  double gate_param = 0;
  bool accumulate = false;
};

/**
 * The mask of a weight W [units, inputs]: unit o sees the inputs i < extent[o], 0 ≤ extent[o] ≤ inputs.
 * Any order is correct; the products are about twice as fast when the extents are sorted.
 */
struct Staircase {
  const int32_t* extent;
  int64_t units;
};

/**
 * C [M, N] = epilogue(op(A) · op(B)).
 * A is [M, K] (Trans::no) or [K, M] (yes), B is [K, N] or [N, K]. M, N, K ≥ 0; with K = 0 the product is 0.
 */
template <class T>
void gemm(Trans ta, Trans tb, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* b,
          int64_t ldb, T* c, int64_t ldc, const Epilogue<T>& epilogue = {});

/** y [rows, units] = epilogue(x [rows, inputs] · (W ⊙ mask)ᵀ), W [units, inputs]. */
template <class T>
void masked_forward(int64_t rows, int64_t units, int64_t inputs, const T* x, int64_t x_ld, const T* w,
                    int64_t w_ld, const Staircase& mask, T* y, int64_t y_ld,
                    const Epilogue<T>& epilogue = {});

/** dL_dx [rows, inputs] = epilogue(dL_dy [rows, units] · (W ⊙ mask)). */
template <class T>
void masked_grad_input(int64_t rows, int64_t units, int64_t inputs, const T* dL_dy, int64_t dy_ld,
                       const T* w, int64_t w_ld, const Staircase& mask, T* dL_dx, int64_t dx_ld,
                       const Epilogue<T>& epilogue = {});

/**
 * dL_dW [units, inputs] = epilogue(dL_dyᵀ · x) ⊙ mask: entries outside of the mask are exactly zero, also
 * with accumulate (whatever C held there).
 */
template <class T>
void masked_grad_weight(int64_t rows, int64_t units, int64_t inputs, const T* dL_dy, int64_t dy_ld,
                        const T* x, int64_t x_ld, const Staircase& mask, T* dL_dW, int64_t dw_ld,
                        const Epilogue<T>& epilogue = {});

/**
 * sum [columns] = column sums of a [rows, columns] (+ sum if accumulate): the gradient of a bias.
 * Blocks of 256 rows are summed in T, in order, and the blocks in double.
 */
template <class T>
void column_sums(int64_t rows, int64_t columns, const T* a, int64_t lda, T* sum, bool accumulate = false);

/** out [rows, columns] = act(in), and out = in ⊙ the factor of gate (see Epilogue); in may be out. */
template <class T>
void apply_epilogue(int64_t rows, int64_t columns, T* c, int64_t ldc, const Epilogue<T>& epilogue);

}  // namespace flow::FLOW_ISA
