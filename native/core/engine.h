// The state of one environment (the main thread or a worker_thread): its buffers behind integer handles, and the
// interpreter of instructions. Not thread safe: an environment has one thread.
#pragma once
#include <cstdint>
#include <vector>

#include "core/memory.h"
#include "core/op.h"

namespace flow {

// A handle is a double that holds generation · 2^24 + slot + 1: never 0, exact in JavaScript, and stale once the
// buffer is freed, because the slot's generation moves on.
using Handle = double;

struct Buffer {
  void* data = nullptr;
  int64_t elements = 0;
  DType dtype = DType::f32;
  uint32_t generation = 0;
};

enum class Status : int32_t { ok = 0, malformed = 1, stale_handle = 2, out_of_bounds = 3, out_of_memory = 4, op_failed = 5 };

// Instruction words (float64), one instruction after the other:
//   opcode, inputs, outputs, attributes, operands (operand_words each), attributes
// Operand: handle, dtype, offset, rows, cols, ld (offset and ld in elements).
//   handle 0 and rows·cols = 0: left out. An output with handle 0 and rows·cols > 0 is allocated, contiguous, and its
//   handle written into the words. What an instruction allocated is freed again when it fails.
inline constexpr int header_words = 4;
inline constexpr int operand_words = 6;
inline constexpr int max_operands = 4096;  // Adam takes every parameter of a model in one instruction

class Engine {
 public:
  explicit Engine(const OpTable& table) : table_(table) {}
  ~Engine();

  Handle allocate(DType dtype, int64_t elements);  // throws std::bad_alloc, std::length_error
  bool release(Handle handle);                     // false: stale
  const Buffer* find(Handle handle) const;         // nullptr: stale

  // Runs the instructions in words[0 … count). Stops at the first that fails; `failure` says why.
  Status run(double* words, int64_t count, Failure& failure) { return run_by(table_, words, count, failure); }
  // The same by another table with the same opcodes, which may lack ops (null).
  Status run_by(const OpTable& table, double* words, int64_t count, Failure& failure);

  const OpTable& table() const { return table_; }
  MemoryPool& pool() { return pool_; }
  int64_t live_buffers() const { return live_; }
  int64_t instructions() const { return instructions_; }

 private:
  Status run_one(const OpTable& table, double* words, int64_t available, int64_t& used, Failure& failure);
  Status decode(double* words, bool output, Operand& operand, Failure& failure, const char* op, int position);

  const OpTable& table_;
  MemoryPool pool_;
  std::vector<Buffer> buffers_;
  std::vector<uint32_t> vacant_;
  std::vector<Operand> operands_;
  std::vector<char> allocated_;  // which outputs of an instruction the engine made
  int64_t live_ = 0;
  int64_t instructions_ = 0;
};

// The best table that this CPU runs, or the one that FLOW_KERNELS_ISA names; throws std::runtime_error when the
// named one was not built or the CPU lacks it.
const OpTable& choose_table();

}  // namespace flow
