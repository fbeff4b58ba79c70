// The loops of core/peak.h for this instruction set.
#pragma once
#include "core/peak.h"

namespace flow::FLOW_ISA {

extern const PeakLoops peak_loops;

}  // namespace flow::FLOW_ISA
