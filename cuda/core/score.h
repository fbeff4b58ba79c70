// How well a plug-in would run on a machine: a number to choose one of several by, or the reason why it cannot, with its remedy.
//
// Machine code for the device's own compute capability comes before that of an earlier one of its family, which runs as it is, and that
// before PTX, which the driver has to compile at the first use and can only where it is no older than the toolkit. Of two alike the one of
// the newer toolkit is taken.
#pragma once
#include <stddef.h>

namespace flow::cuda {

struct Machine {
  const char* device;
  int major, minor;  // compute capability
  int driver;        // the CUDA version that it supports: 13000 is 13.0; 0: there is none
};

/**
 * Of a build for `architectures`, words with commas between them in CMake's terms: 80-real (machine code), 120-virtual (PTX), 120 (both),
 * 90a-real, 100f. `toolkit`: the CUDA version that it was built by, as that of the driver. 0 after writing the reason.
 */
int score_of(const char* architectures, int toolkit, const Machine& machine, char* reason, size_t reason_bytes);

}  // namespace flow::cuda
