// Bytes between JavaScript's arrays and buffers: write, read, readAsync.
#include "addon.h"

#include <chrono>
#include <cmath>
#include <memory>
#include <vector>

#include "core/cuda_device.h"

namespace {

using flow::Buffer;

struct Transfer {
  const Buffer* buffer;
  size_t offset_bytes;
  void* script;
  size_t bytes;
};

// The array's elements against buffer[offset …), of the same element size.
Transfer transfer_of(Napi::Env env, const Napi::Value& handle, const Napi::Value& start, const Napi::Value& target) {
  const Buffer* buffer = addon_of(env).engine.find(handle.As<Napi::Number>().DoubleValue());
  if (!buffer) throw Napi::Error::New(env, "flow-kernels native: the tensor was disposed");
  double offset = start.As<Napi::Number>().DoubleValue();
  auto array = target.As<Napi::TypedArray>();
  if (array.ElementSize() != flow::size_of(buffer->dtype))
    throw Napi::TypeError::New(env, "flow-kernels native: the array's element size is not the buffer's");
  double length = static_cast<double>(array.ElementLength());
  if (!(offset >= 0) || offset != std::floor(offset) || offset + length > static_cast<double>(buffer->elements))
    throw Napi::RangeError::New(env, "flow-kernels native: transfer outside of the buffer");
  return {buffer, static_cast<size_t>(offset) * array.ElementSize(),
          static_cast<char*>(array.ArrayBuffer().Data()) + array.ByteOffset(), array.ByteLength()};
}
Transfer transfer_of(const Napi::CallbackInfo& info) {
  require_arguments(info, 3);
  return transfer_of(info.Env(), info[0], info[1], info[2]);
}

Napi::Value write(const Napi::CallbackInfo& info) {
  Addon& addon = addon_of(info.Env());
  Transfer transfer = transfer_of(info);
  require(info, addon.engine.write(*transfer.buffer, transfer.offset_bytes, transfer.script, transfer.bytes, addon.failure));
  return info.Env().Undefined();
}

Napi::Value read(const Napi::CallbackInfo& info) {
  Addon& addon = addon_of(info.Env());
  Transfer transfer = transfer_of(info);
  require(info, addon.engine.read(*transfer.buffer, transfer.offset_bytes, transfer.script, transfer.bytes, addon.failure));
  return info.Env().Undefined();
}

// Reads of the GPU that are under way: a worker waits for them.
class Reads final : public Napi::AsyncWorker {
 public:
  explicit Reads(Napi::Env env)
      : Napi::AsyncWorker(env, "flow-kernels read"), device_(*addon_of(env).engine.cuda()), deferred_(Napi::Promise::Deferred::New(env)) {}

  // False after filling in the failure.
  bool add(const Transfer& transfer, const Napi::Object& array, flow::Failure& failure) {
    void* read = device_.begin_read(static_cast<const char*>(transfer.buffer->data) + transfer.offset_bytes, transfer.bytes, failure);
    if (!read) return false;
    reads_.push_back({read, transfer.script});
    arrays_.push_back(Napi::Persistent(array));
    return true;
  }
  // Whether all is there within so many seconds.
  bool arrives_within(double seconds) const {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    do {
      // The last of them: the stream keeps their order.
      if (reads_.empty() || device_.has_arrived(reads_.back().read)) return true;
    } while (Clock::now() < end);
    return false;
  }
  bool finish(flow::Failure& failure) const {
    for (const Read& each : reads_)
      if (!device_.finish_read(each.read, each.to, failure)) return false;
    return true;
  }
  void drop() {
    for (const Read& each : reads_) device_.drop_read(each.read);
    reads_.clear();
  }
  Napi::Promise promise() const { return deferred_.Promise(); }

 private:
  struct Read {
    void* read;
    void* to;  // in an array that is held
  };
  void Execute() override {
    flow::Failure failure{};
    if (!finish(failure)) SetError(failure.message);
  }
  void OnOK() override {
    drop();
    deferred_.Resolve(Env().Undefined());
  }
  void OnError(const Napi::Error& error) override {
    drop();
    deferred_.Reject(error.Value());
  }

  flow::CudaDevice& device_;
  Napi::Promise::Deferred deferred_;
  std::vector<Read> reads_;
  std::vector<Napi::ObjectReference> arrays_;
};

// readAsync(handles, offsets, arrays, seconds) → undefined where everything came within these seconds, else a promise.
Napi::Value read_async(const Napi::CallbackInfo& info) {
  require_arguments(info, 4);
  Addon& addon = addon_of(info.Env());
  if (!addon.engine.cuda()) throw Napi::Error::New(info.Env(), "flow-kernels native: no GPU was opened");
  const auto handles = info[0].As<Napi::Array>(), offsets = info[1].As<Napi::Array>(), arrays = info[2].As<Napi::Array>();
  auto reads = std::make_unique<Reads>(info.Env());
  const auto need = [&](bool done) {
    if (done) return;
    // Nothing may still be written to memory that is let go.
    flow::Failure second;
    addon.engine.cuda()->wait(second);
    reads->drop();
    throw Napi::Error::New(info.Env(), addon.failure.message);
  };
  for (uint32_t i = 0; i < handles.Length(); ++i) {
    const Transfer transfer = transfer_of(info.Env(), handles.Get(i), offsets.Get(i), arrays.Get(i));
    if (transfer.buffer->device != flow::DeviceKind::cuda)
      throw Napi::TypeError::New(info.Env(), "flow-kernels native: readAsync is for tensors of the GPU");
    need(transfer.bytes == 0 || reads->add(transfer, arrays.Get(i).As<Napi::Object>(), addon.failure));
  }
  if (reads->arrives_within(info[3].As<Napi::Number>().DoubleValue())) {
    need(reads->finish(addon.failure));
    reads->drop();
    return info.Env().Undefined();
  }
  Napi::Promise promise = reads->promise();
  reads.release()->Queue();  // deletes itself
  return promise;
}

}  // namespace

void export_transfers(Napi::Env env, Napi::Object exports) {
  exports.Set("write", Napi::Function::New<write>(env));
  exports.Set("read", Napi::Function::New<read>(env));
  exports.Set("readAsync", Napi::Function::New<read_async>(env));
}
