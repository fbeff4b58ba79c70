// The state of one environment (the main thread or a worker_thread): its buffers behind integer handles, and the
// interpreter of instructions. Not thread safe: an environment has one thread.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/memory.h"
#include "core/op.h"

namespace flow {

// A handle is a double that holds generation · 2^24 + slot + 1: never 0, exact in JavaScript, and stale once the
// buffer is freed, because the slot's generation moves on.
using Handle = double;

// Where a buffer lies and its ops run. The numbers travel in instructions and are mirrored by lib/tensor/device.ts.
enum class DeviceKind : uint8_t { cpu = 0, cuda = 1 };
inline constexpr int device_count = 2;
constexpr const char* name_of(DeviceKind device) { return device == DeviceKind::cpu ? "cpu" : "cuda"; }

struct Buffer {
  void* data = nullptr;
  int64_t elements = 0;
  DType dtype = DType::f32;
  DeviceKind device = DeviceKind::cpu;
  bool computed = false;  // an op writes it, now or in a graph
  uint32_t generation = 0;
};

class CudaDevice;  // core/cuda_device.h

enum class Status : int32_t { ok = 0, malformed = 1, stale_handle = 2, out_of_bounds = 3, out_of_memory = 4, op_failed = 5 };

// Instruction words (float64), one instruction after the other:
//   opcode, inputs, outputs, attributes, operands (operand_words each), attributes
// Operand: handle, dtype, offset, rows, cols, ld (offset and ld in elements).
//   The dtype word is dtype + 16·device; an instruction runs on the device of its operands, which must be the same for all.
//   handle 0 and rows·cols = 0: left out. An output with handle 0 and rows·cols > 0 is allocated, contiguous, and its
//   handle written into the words. What an instruction allocated is freed again when it fails.
inline constexpr int header_words = 4;
inline constexpr int operand_words = 6;
inline constexpr int max_operands = 4096;  // Adam takes every parameter of a model in one instruction

class Engine {
 public:
  explicit Engine(const OpTable& table);
  ~Engine();

  Handle allocate(DType dtype, int64_t elements, DeviceKind device = DeviceKind::cpu);  // throws std::bad_alloc, std::length_error
  bool release(Handle handle);                     // false: stale
  const Buffer* find(Handle handle) const;         // nullptr: stale

  // Runs the instructions in words[0 … count). Stops at the first that fails; `failure` says why.
  Status run(double* words, int64_t count, Failure& failure) { return run_by(table_, words, count, failure); }
  // The same by another table with the same opcodes, which may lack ops (null).
  Status run_by(const OpTable& table, double* words, int64_t count, Failure& failure);

  // Opens the GPU by the best of the plug-ins at `paths`. False: `reason` says why.
  bool open_cuda(const std::vector<std::string>& paths, std::string& reason);
  CudaDevice* cuda() { return cuda_.get(); }

  // Copies between a buffer and the host; waits for the device where there is one.
  bool write(const Buffer& buffer, size_t offset_bytes, const void* from, size_t bytes, Failure& failure);
  bool read(const Buffer& buffer, size_t offset_bytes, void* to, size_t bytes, Failure& failure);

  const OpTable& table() const { return table_; }
  MemoryPool& pool(DeviceKind device = DeviceKind::cpu);
  int64_t live_buffers() const { return live_; }
  int64_t instructions() const { return instructions_; }

 private:
  Status run_one(const OpTable& table, double* words, int64_t available, int64_t& used, Failure& failure);
  void note_output(const Buffer& buffer);
  Status decode(double* words, bool output, DeviceKind device, Operand& operand, Failure& failure, const char* op,
                int position);
  DeviceKind device_of(const double* operands, int64_t count) const;

  const OpTable& table_;
  MemoryPool pool_;
  std::unique_ptr<CudaDevice> cuda_;
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
