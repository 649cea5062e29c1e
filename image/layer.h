// Writing a layer: what standard input (enforcer/helpers/layer_wire.h) tells of, as a tar archive, to standard output.
#pragma once

// Returns the status to exit with; what went wrong is said.
int layer_write(void);
