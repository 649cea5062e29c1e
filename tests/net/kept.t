#!/bin/sh
# What is kept of names (kept.c).
exec "${SBX_BUILD:-build}/tests/net/kept"
