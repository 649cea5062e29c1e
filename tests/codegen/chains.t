#!/bin/sh
exec "${SBX_BUILD:-build}/tests/codegen/chains"
