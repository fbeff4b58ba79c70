#include "cuda/core/score.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace flow::cuda {
namespace {

/** What a build has for a compute capability. */
enum class Fit { none, ptx, family, own };

/** Of one word. */
Fit fit_of_word(const char* word, int major, int minor) {
  char* rest = nullptr;
  const int number = static_cast<int>(std::strtol(word, &rest, 10));
  const int own_major = number / 10, own_minor = number % 10;
  const bool exact = *rest == 'a', family = *rest == 'f';
  if (exact || family) ++rest;
  const size_t length = std::strcspn(rest, ",");
  const bool has_code = length == 0 || std::strncmp(rest, "-real", length) == 0;
  const bool has_ptx = length == 0 || std::strncmp(rest, "-virtual", length) == 0;
  const bool same = own_major == major && own_minor == minor, related = own_major == major && own_minor <= minor;
  if (has_code && same) return Fit::own;
  if (has_code && related && !exact) return Fit::family;
  const bool compiles = exact ? same : family ? related : own_major < major || related;
  return has_ptx && compiles ? Fit::ptx : Fit::none;
}

/** The best of all. */
Fit fit_of(const char* architectures, int major, int minor) {
  Fit best = Fit::none;
  for (const char* word = architectures; word && *word; word = std::strchr(word, ',')) {
    if (*word == ',') ++word;
    const Fit own = fit_of_word(word, major, minor);
    if (own > best) best = own;
  }
  return best;
}

}  // namespace

int score_of(const char* architectures, int toolkit, const Machine& machine, char* reason, size_t reason_bytes) {
  const auto version = [](int number) { return number / 1000 + number % 1000 / 10 * 0.1; };
  if (machine.driver == 0) {
    std::snprintf(reason, reason_bytes, "device: there is no driver: install that of the GPU");
    return 0;
  }
  if (machine.driver / 1000 < toolkit / 1000) {
    std::snprintf(reason, reason_bytes, "device: the driver supports CUDA %.1f, the plug-in was built by %.1f: update the driver of the GPU",
                  version(machine.driver), version(toolkit));
    return 0;
  }
  if (machine.major < 8) {
    std::snprintf(reason, reason_bytes, "device: expected compute capability 8.0 or later, got %s of %d.%d", machine.device, machine.major,
                  machine.minor);
    return 0;
  }
  const Fit fit = fit_of(architectures, machine.major, machine.minor);
  if (fit == Fit::none) {
    std::snprintf(reason, reason_bytes, "device: %s has compute capability %d.%d, the plug-in was built for %s: build one for it, "
                  "\"npm run build:cuda -- --CDFLOW_CUDA_ARCHITECTURES=%d%d-real\"", machine.device, machine.major, machine.minor,
                  architectures, machine.major, machine.minor);
    return 0;
  }
  if (fit == Fit::ptx && machine.driver < toolkit) {
    std::snprintf(reason, reason_bytes, "device: the plug-in has only PTX for %s of compute capability %d.%d, which the driver for CUDA %.1f "
                  "does not compile where CUDA %.1f has written it: update the driver of the GPU", machine.device, machine.major,
                  machine.minor, version(machine.driver), version(toolkit));
    return 0;
  }
  return static_cast<int>(fit) * 1'000'000 + toolkit;
}

}  // namespace flow::cuda
