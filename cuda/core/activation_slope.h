// What activation_slope and its gradient share.
#pragma once
#include "cuda/core/samples.h"
#include "cuda/core/scalar.h"
// These come after the functions that they call.
#include "math/activation_slope.h"
#include "ops/activation_slope_operands.h"
