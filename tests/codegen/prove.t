#!/bin/sh
# The filters of the library and the examples, proved; and mistakes made in filters, found.
cd "$(dirname "$0")/../.." || exit 1
exec "${SBX_BUILD:-build}/tests/codegen/prove" examples/*.sbx \
    stdlib-policies/base.sbx stdlib-policies/shell.sbx stdlib-policies/python.sbx stdlib-policies/c.sbx
