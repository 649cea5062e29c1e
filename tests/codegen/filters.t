#!/bin/sh
# The filters of the library, the examples and made-up policies.
cd "$(dirname "$0")/../.." || exit 1
exec "${SBX_BUILD:-build}/tests/codegen/filters" examples/*.sbx \
    stdlib-policies/base.sbx stdlib-policies/shell.sbx stdlib-policies/python.sbx stdlib-policies/c.sbx
