// What activation_slope and its gradient share.
#pragma once
#include "ops/elementwise.h"
#include "ops/lanes.h"
#include "simd/math.h"
// These come after the functions that they call.
#include "math/activation_slope.h"
#include "ops/activation_slope_operands.h"
