// Products whose operands were packed before, by tiles, on the calling thread: for ops that run several layers on a block of
// rows while it is in the cache. gemm.h is the form for everything else; this one is its inside (gemm.cc).
#pragma once

#include "gemm.h"
#include "gemm_pack.h"

namespace flow::FLOW_ISA {

template <class T>
struct PackedProduct {
  int64_t m, n, k;
  // A by rows, a[row·lda + k], or tiles packed by pack_a_depth.
  const T* a = nullptr;
  int64_t lda = 0;
  const T* a_packed = nullptr;
  // B packed by pack_b_panel or pack_b_depth. `mask` and `extent` as it was packed; with MaskKind::rows they say which C counts.
  const T* b_packed = nullptr;
  MaskKind mask = MaskKind::none;
  const int32_t* extent = nullptr;
  T* c = nullptr;
  int64_t ldc = 0;
  Epilogue<T> epilogue;
};

/** Tiles of nearly equal height over m rows, as the micro-kernel takes them. */
int64_t tiles_of(int64_t m);
/** Where tile t of m rows starts; tile `tiles_of(m)` starts at m. */
int64_t tile_start(int64_t m, int64_t t);

template <class T>
int64_t packed_panels(int64_t n);
/** Elements of a packed B [k, n], a register of slack included. */
template <class T>
int64_t packed_b_elements(int64_t n, int64_t k);

/** Packs one panel of B [k, n] whole. */
template <class T>
void pack_b_panel(const PackSource<T>& source, int64_t n, int64_t k, int64_t panel, T* packed);
/** Packs the rows k0 … k1 of a dense B [k, n] by rows: source row 0 is row k0. */
template <class T>
void pack_b_depth(const T* source, int64_t ld, int64_t n, int64_t k, int64_t k0, int64_t k1, T* packed);
/** Packs the columns k0 … k1 of A [m, k] out of its transpose: source row 0 is column k0. m·k elements in all. */
template <class T>
void pack_a_depth(const T* source, int64_t ld, int64_t m, int64_t k, int64_t k0, int64_t k1, T* packed);

/** C = epilogue(A · B) for the tiles tile0 … tile1 of its rows. */
template <class T>
void run_packed(const PackedProduct<T>& product, int64_t tile0, int64_t tile1);

/**
 * C [m, n] = dᵀ·x for d [k, m] and x [k, n] that are in the cache, on the calling thread; extent [m] or null: c beyond it is 0.
 * Scratch slot 0 is used.
 */
template <class T>
void outer_product(int64_t m, int64_t n, int64_t k, const T* d, int64_t d_ld, const T* x, int64_t x_ld, const int32_t* extent,
                   T* c, int64_t ldc);

}  // namespace flow::FLOW_ISA
