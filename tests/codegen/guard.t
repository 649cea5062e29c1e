#!/bin/sh
# The guard's programs: what they decide, and that the prover sees it.
exec "${SBX_BUILD:-build}/tests/codegen/guard"
