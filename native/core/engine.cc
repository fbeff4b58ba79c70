#include "core/engine.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <new>
#include <stdexcept>

#include "core/cuda_device.h"

namespace flow {
namespace {

constexpr int64_t device_word = 16;  // the dtype word is dtype + device_word·device
constexpr uint64_t slot_bits = 24;
constexpr uint64_t slot_mask = (uint64_t{1} << slot_bits) - 1;
constexpr uint32_t generation_limit = (1u << 28) - 1;

__attribute__((format(printf, 2, 3))) void say(Failure& failure, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(failure.message, sizeof failure.message, format, arguments);
  va_end(arguments);
}

// A word that must be a whole number in [0, 2^53].
bool whole(double word, int64_t& value) {
  if (!(word >= 0 && word <= 9007199254740992.0)) return false;
  value = static_cast<int64_t>(word);
  return static_cast<double>(value) == word;
}

size_t bytes_of(const Buffer& buffer) { return static_cast<size_t>(buffer.elements) * size_of(buffer.dtype); }

}  // namespace

Engine::Engine(const OpTable& table) : table_(table), pool_(host_blocks()) {}

Engine::~Engine() {
  for (Buffer& buffer : buffers_)
    if (buffer.data) pool(buffer.device).give(buffer.data, bytes_of(buffer));
}

MemoryPool& Engine::pool(DeviceKind device) { return device == DeviceKind::cpu ? pool_ : cuda_->pool(); }

bool Engine::open_cuda(const std::vector<std::string>& paths, std::string& reason) {
  if (!cuda_) cuda_ = CudaDevice::open(paths, table_, reason);
  return cuda_ != nullptr;
}

bool Engine::write(const Buffer& buffer, size_t offset_bytes, const void* from, size_t bytes, Failure& failure) {
  char* to = static_cast<char*>(buffer.data) + offset_bytes;
  if (buffer.device == DeviceKind::cuda) {
    if (buffer.dtype == DType::i32) {
      if (!buffer.computed && bytes == bytes_of(buffer)) cuda_->remember(to, static_cast<const int32_t*>(from), buffer.elements);
      else cuda_->forget(buffer.data);
    }
    return cuda_->upload(to, from, bytes, failure);
  }
  if (bytes) std::memcpy(to, from, bytes);
  return true;
}

void Engine::note_output(const Buffer& buffer) {
  if (buffer.device != DeviceKind::cuda || buffer.dtype != DType::i32) return;
  const_cast<Buffer&>(buffer).computed = true;
  cuda_->forget(buffer.data);
}

bool Engine::read(const Buffer& buffer, size_t offset_bytes, void* to, size_t bytes, Failure& failure) {
  const char* from = static_cast<const char*>(buffer.data) + offset_bytes;
  if (buffer.device == DeviceKind::cuda) return cuda_->download(to, from, bytes, failure);
  if (bytes) std::memcpy(to, from, bytes);
  return true;
}

Handle Engine::allocate(DType dtype, int64_t elements, DeviceKind device) {
  if (elements < 0 || elements > (int64_t{1} << 46)) throw std::length_error("buffer size");
  if (device == DeviceKind::cuda && !cuda_) throw std::length_error("no GPU was opened");
  uint32_t slot;
  if (!vacant_.empty()) {
    slot = vacant_.back();
  } else {
    if (buffers_.size() >= slot_mask) throw std::length_error("too many live buffers (2^24)");
    slot = static_cast<uint32_t>(buffers_.size());
    buffers_.emplace_back();
    vacant_.reserve(buffers_.capacity());  // release() must not throw
    vacant_.push_back(slot);
  }
  Buffer& buffer = buffers_[slot];
  buffer.data = pool(device).take(static_cast<size_t>(elements) * size_of(dtype));
  buffer.device = device;
  buffer.elements = elements;
  buffer.dtype = dtype;
  buffer.computed = false;
  vacant_.pop_back();
  ++live_;
  return static_cast<Handle>((uint64_t{buffer.generation} << slot_bits) + slot + 1);
}

const Buffer* Engine::find(Handle handle) const {
  int64_t value;
  if (!whole(handle, value) || value == 0) return nullptr;
  uint64_t slot = (static_cast<uint64_t>(value) & slot_mask) - 1;
  if (slot >= buffers_.size()) return nullptr;
  const Buffer& buffer = buffers_[slot];
  if (!buffer.data || buffer.generation != static_cast<uint64_t>(value) >> slot_bits) return nullptr;
  return &buffer;
}

bool Engine::release(Handle handle) {
  Buffer* buffer = const_cast<Buffer*>(find(handle));
  if (!buffer) return false;
  if (buffer->device == DeviceKind::cuda && buffer->dtype == DType::i32) cuda_->forget(buffer->data);
  pool(buffer->device).give(buffer->data, bytes_of(*buffer));
  buffer->data = nullptr;
  buffer->generation = buffer->generation == generation_limit ? 0 : buffer->generation + 1;
  vacant_.push_back(static_cast<uint32_t>(buffer - buffers_.data()));
  --live_;
  return true;
}

DeviceKind Engine::device_of(const double* operands, int64_t count) const {
  for (int64_t i = 0; i < count; ++i, operands += operand_words) {
    if (const Buffer* buffer = operands[0] == 0 ? nullptr : find(operands[0])) return buffer->device;
    if (operands[0] == 0 && operands[1] >= device_word && operands[3] * operands[4] > 0) return DeviceKind::cuda;
  }
  return DeviceKind::cpu;
}

Status Engine::decode(double* words, bool output, DeviceKind device, Operand& operand, Failure& failure, const char* op,
                      int position) {
  const char* role = output ? "output" : "input";
  int64_t dtype, offset, rows, cols, ld;
  if (!whole(words[1], dtype) || dtype >= device_count * device_word || dtype % device_word >= dtype_count || !whole(words[2], offset) || !whole(words[3], rows) ||
      !whole(words[4], cols) || !whole(words[5], ld)) {
    say(failure, "[%s] %s %d: the operand words are not whole numbers in range", op, role, position);
    return Status::malformed;
  }
  operand = {nullptr, static_cast<DType>(dtype % device_word), rows, cols, ld};
  constexpr int64_t limit = int64_t{1} << 46;
  constexpr int64_t empty_limit = int64_t{1} << 31;  // an op may walk the rows of what has no columns
  int64_t span = 0;
  if (rows > 0 && cols > 0) {
    if (rows > limit || cols > limit || ld < cols || ld > limit || __builtin_mul_overflow(rows - 1, ld, &span) ||
        span > limit) {
      say(failure, "[%s] %s %d: rows × cols = %lld × %lld with row stride %lld is out of range", op, role, position,
          static_cast<long long>(rows), static_cast<long long>(cols), static_cast<long long>(ld));
      return Status::malformed;
    }
    span += cols;
  } else if (rows > empty_limit || cols > empty_limit) {
    say(failure, "[%s] %s %d: %lld × %lld is out of range", op, role, position, static_cast<long long>(rows),
        static_cast<long long>(cols));
    return Status::malformed;
  }
  if (words[0] == 0) {
    if (span == 0) {
      // An input that is left out has no columns either: an op may count on it.
      if (!output) operand.rows = operand.cols = 0;
      return Status::ok;
    }
    if (!output) {
      say(failure, "[%s] %s %d: is left out but has %lld × %lld elements", op, role, position,
          static_cast<long long>(rows), static_cast<long long>(cols));
      return Status::malformed;
    }
    operand.ld = cols;
    words[0] = allocate(operand.dtype, rows * cols, device);
    words[2] = 0;
    words[5] = static_cast<double>(cols);
    operand.data = find(words[0])->data;
    note_output(*find(words[0]));
    return Status::ok;
  }
  const Buffer* buffer = find(words[0]);
  if (!buffer) {
    say(failure, "[%s] %s %d: the tensor was disposed", op, role, position);
    return Status::stale_handle;
  }
  if (buffer->device != device) {
    say(failure, "[%s] %s %d: expected a tensor on %s, as the others, got one on %s", op, role, position, name_of(device),
        name_of(buffer->device));
    return Status::malformed;
  }
  if (buffer->dtype != operand.dtype) {
    say(failure, "[%s] %s %d: expected %s, the buffer holds %s", op, role, position, name_of(operand.dtype),
        name_of(buffer->dtype));
    return Status::malformed;
  }
  if (offset > buffer->elements || span > buffer->elements - offset) {
    say(failure, "[%s] %s %d: view of %lld elements at offset %lld does not fit a buffer of %lld", op, role, position,
        static_cast<long long>(span), static_cast<long long>(offset), static_cast<long long>(buffer->elements));
    return Status::out_of_bounds;
  }
  if (output) note_output(*buffer);
  operand.data = static_cast<char*>(buffer->data) + static_cast<size_t>(offset) * size_of(operand.dtype);
  return Status::ok;
}

Status Engine::run_one(const OpTable& table, double* words, int64_t available, int64_t& used, Failure& failure) {
  int64_t code, n_in, n_out, n_attr;
  if (available < header_words || !whole(words[0], code) || !whole(words[1], n_in) || !whole(words[2], n_out) ||
      !whole(words[3], n_attr) || n_in + n_out > max_operands || n_attr > available) {
    say(failure, "[instruction] the header is malformed");
    return Status::malformed;
  }
  used = header_words + (n_in + n_out) * operand_words + n_attr;
  if (used > available) {
    say(failure, "[instruction] needs %lld words, has %lld", static_cast<long long>(used),
        static_cast<long long>(available));
    return Status::malformed;
  }
  if (code >= table_.count) {
    say(failure, "[instruction] unknown opcode %lld", static_cast<long long>(code));
    return Status::malformed;
  }
  const DeviceKind device = device_of(words + header_words, n_in + n_out);
  if (device == DeviceKind::cuda && !cuda_) {
    say(failure, "[%s] device: no GPU was opened", table_.ops[code]->name);
    return Status::malformed;
  }
  const OpTable& own = device == DeviceKind::cpu ? table : cuda_->table();
  if (!own.ops[code]) {
    if (device == DeviceKind::cpu)
      say(failure, "[%s] the table %s does not have this op", table_.ops[code]->name, own.isa);
    else
      say(failure, "[%s] device: cuda has no kernel of this op yet: move its tensors to the CPU, as by flow.to('cpu')", table_.ops[code]->name);
    return Status::malformed;
  }
  const Op& op = *own.ops[code];
  if (n_in < op.min_in || n_in > op.max_in || (op.n_out >= 0 && n_out != op.n_out) ||
      (op.n_attr >= 0 && n_attr != op.n_attr)) {
    say(failure, "[%s] got %lld inputs, %lld outputs and %lld attributes", op.name, static_cast<long long>(n_in),
        static_cast<long long>(n_out), static_cast<long long>(n_attr));
    return Status::malformed;
  }
  operands_.resize(static_cast<size_t>(n_in + n_out));
  double* word = words + header_words;
  double* outputs = word + n_in * operand_words;
  allocated_.assign(static_cast<size_t>(n_out), 0);
  Status status = Status::ok;
  for (int64_t i = 0; i < n_in + n_out && status == Status::ok; ++i, word += operand_words) {
    bool output = i >= n_in;
    bool fresh = output && word[0] == 0;
    try {
      status = decode(word, output, device, operands_[static_cast<size_t>(i)], failure, op.name,
                      static_cast<int>(output ? i - n_in : i));
    } catch (const std::exception&) {
      // After a fault the device refuses memory, too: what it says of the fault is the reason.
      if (device == DeviceKind::cuda && !cuda_->wait(failure)) {
        status = Status::op_failed;
      } else {
        say(failure, "[%s] no memory for an output of %.0f × %.0f", op.name, word[3], word[4]);
        status = Status::out_of_memory;
      }
    }
    if (fresh && word[0] != 0) allocated_[static_cast<size_t>(i - n_in)] = 1;
  }
  if (status == Status::ok) {
    Call call{op.name,
              operands_.data(),
              operands_.data() + n_in,
              words + header_words + (n_in + n_out) * operand_words,
              static_cast<int>(n_in),
              static_cast<int>(n_out),
              static_cast<int>(n_attr),
              &failure};
    if (device == DeviceKind::cuda) cuda_->enter();
    try {
      if (!op.run(call)) status = Status::op_failed;
    } catch (const std::bad_alloc&) {
      say(failure, "[%s] no memory for its working space", op.name);
      status = Status::out_of_memory;
    }
    ++instructions_;
  }
  if (status != Status::ok) {
    for (int64_t i = 0; i < n_out; ++i) {
      if (!allocated_[static_cast<size_t>(i)]) continue;
      release(outputs[i * operand_words]);
      outputs[i * operand_words] = 0;
    }
  }
  return status;
}

Status Engine::run_by(const OpTable& table, double* words, int64_t count, Failure& failure) {
  while (count > 0) {
    int64_t used = 0;
    Status status = run_one(table, words, count, used, failure);
    if (status != Status::ok) return status;
    words += used;
    count -= used;
  }
  return Status::ok;
}

}  // namespace flow
