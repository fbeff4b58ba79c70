// The switches and counters of the emulation by their names, for tests that run in Node.
#pragma once

namespace emulation {
bool get(const char* name, double& value);
bool set(const char* name, double value);
}  // namespace emulation
