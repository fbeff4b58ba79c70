#include "cuda/core/staging.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace flow::cuda {

struct PendingRead {
  void* host;  // pinned
  size_t bytes, capacity;
  cudaEvent_t arrived;
};

class Staging {
 public:
  explicit Staging(cudaStream_t stream) : stream_(stream) {}
  ~Staging();
  Staging(const Staging&) = delete;
  cudaError_t upload(void* to, const void* from, size_t bytes);
  PendingRead* begin_read(const void* from, size_t bytes, cudaError_t& error);
  void drop(PendingRead* read);

 private:
  struct Slot {
    cudaEvent_t read = nullptr;  // by the device
    bool used = false;
  };
  bool open_ring();

  cudaStream_t stream_;
  char* ring_ = nullptr;
  bool refused_ = false;
  std::vector<Slot> slots_;
  size_t next_ = 0;
  std::vector<PendingRead*> idle_;
  size_t idle_bytes_ = 0;
};

namespace {

// A training step uploads a handful of small things; a data set goes through in pieces of a slot.
constexpr size_t slot_bytes = size_t{256} << 10, slot_count = 32;
// Pinned memory that is kept for further reads.
constexpr size_t most_idle_bytes = size_t{64} << 20;
constexpr size_t least_read_bytes = 4096;

void free_read(PendingRead* read) {
  cudaEventDestroy(read->arrived);
  cudaFreeHost(read->host);
  delete read;
}

}  // namespace

Staging::~Staging() {
  for (PendingRead* read : idle_) free_read(read);
  for (Slot& slot : slots_)
    if (slot.read) cudaEventDestroy(slot.read);
  if (ring_) cudaFreeHost(ring_);
}

bool Staging::open_ring() {
  if (ring_ || refused_) return ring_ != nullptr;
  std::vector<Slot> slots(slot_count);
  void* ring = nullptr;
  bool made = cudaMallocHost(&ring, slot_bytes * slot_count) == cudaSuccess;
  for (Slot& slot : slots) made = made && cudaEventCreateWithFlags(&slot.read, cudaEventDisableTiming) == cudaSuccess;
  slots_ = std::move(slots);
  if (made) {
    ring_ = static_cast<char*>(ring);
    return true;
  }
  cudaGetLastError();
  if (ring) cudaFreeHost(ring);
  refused_ = true;
  return false;
}

cudaError_t Staging::upload(void* to, const void* from, size_t bytes) {
  if (!open_ring()) {
    const cudaError_t error = cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_);
    // Where the device reads the memory of the host itself, it may do so later.
    return error == cudaSuccess ? cudaStreamSynchronize(stream_) : error;
  }
  for (size_t at = 0; at < bytes; at += slot_bytes) {
    Slot& slot = slots_[next_];
    char* staged = ring_ + next_ * slot_bytes;
    const size_t count = std::min(slot_bytes, bytes - at);
    cudaError_t error = slot.used ? cudaEventSynchronize(slot.read) : cudaSuccess;
    if (error != cudaSuccess) return error;
    std::memcpy(staged, static_cast<const char*>(from) + at, count);
    error = cudaMemcpyAsync(static_cast<char*>(to) + at, staged, count, cudaMemcpyHostToDevice, stream_);
    if (error == cudaSuccess) error = cudaEventRecord(slot.read, stream_);
    if (error != cudaSuccess) return error;
    slot.used = true;
    next_ = (next_ + 1) % slot_count;
  }
  return cudaSuccess;
}

PendingRead* Staging::begin_read(const void* from, size_t bytes, cudaError_t& error) {
  error = cudaSuccess;
  const auto fits = [&](const PendingRead* read) { return read->capacity >= bytes && read->capacity <= 4 * std::max(bytes, least_read_bytes); };
  auto found = std::find_if(idle_.begin(), idle_.end(), fits);
  PendingRead* read;
  if (found != idle_.end()) {
    read = *found;
    idle_.erase(found);
    idle_bytes_ -= read->capacity;
  } else {
    size_t capacity = least_read_bytes;
    while (capacity < bytes) capacity *= 2;
    read = new PendingRead{nullptr, 0, capacity, nullptr};
    if (cudaEventCreateWithFlags(&read->arrived, cudaEventDisableTiming | cudaEventBlockingSync) != cudaSuccess) {
      cudaGetLastError();
      delete read;
      return nullptr;
    }
    if (cudaMallocHost(&read->host, capacity) != cudaSuccess) {
      cudaGetLastError();
      cudaEventDestroy(read->arrived);
      delete read;
      return nullptr;
    }
  }
  read->bytes = bytes;
  error = cudaMemcpyAsync(read->host, from, bytes, cudaMemcpyDeviceToHost, stream_);
  if (error == cudaSuccess) error = cudaEventRecord(read->arrived, stream_);
  if (error == cudaSuccess) return read;
  free_read(read);
  return nullptr;
}

void Staging::drop(PendingRead* read) {
  if (idle_bytes_ + read->capacity > most_idle_bytes) {
    free_read(read);
    return;
  }
  idle_.push_back(read);
  idle_bytes_ += read->capacity;
}

Staging* open_staging(cudaStream_t stream) { return new Staging(stream); }
void close_staging(Staging* staging) { delete staging; }
cudaError_t stage_upload(Staging& staging, void* to, const void* from, size_t bytes) { return staging.upload(to, from, bytes); }
PendingRead* begin_read(Staging& staging, const void* from, size_t bytes, cudaError_t& error) {
  return staging.begin_read(from, bytes, error);
}
cudaError_t poll_read(const PendingRead& read) { return cudaEventQuery(read.arrived); }
cudaError_t finish_read(const PendingRead& read, void* to) {
  const cudaError_t error = cudaEventSynchronize(read.arrived);
  if (error == cudaSuccess) std::memcpy(to, read.host, read.bytes);
  return error;
}
void drop_read(Staging& staging, PendingRead* read) { staging.drop(read); }

}  // namespace flow::cuda
