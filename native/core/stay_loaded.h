#pragma once

namespace flow {

// From now on this library stays mapped until the process ends, whoever closes it: its threads run on.
void stay_loaded();

}  // namespace flow
