// The epilogue of a product on its own: bias, activation and gate over a matrix that is there already.

#include "core/thread_pool.h"
#include "gemm.h"
#include "gemm_epilogue.h"

namespace flow::FLOW_ISA {

template <class T>
void apply_epilogue(int64_t rows, int64_t columns, T* c, int64_t ldc, const Epilogue<T>& e) {
  const int64_t rows_of_task = columns > 0 ? (8192 + columns - 1) / columns : 1;
  parallel((rows + rows_of_task - 1) / rows_of_task, [&](int64_t task) {
    const int64_t m0 = task * rows_of_task;
    const int64_t m1 = m0 + rows_of_task < rows ? m0 + rows_of_task : rows;
    finish_block<T>(m1 - m0, columns, c + m0 * ldc, ldc, e.bias, e.act, static_cast<T>(e.act_param),
                    e.gate ? e.gate + m0 * e.gate_ld : nullptr, e.gate_ld, e.gate_act,
                    static_cast<T>(e.gate_param));
  });
}

template void apply_epilogue<float>(int64_t, int64_t, float*, int64_t, const Epilogue<float>&);
template void apply_epilogue<double>(int64_t, int64_t, double*, int64_t, const Epilogue<double>&);

}  // namespace flow::FLOW_ISA
