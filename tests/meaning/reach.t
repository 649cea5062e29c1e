#!/bin/sh
exec "${SBX_BUILD:-build}/tests/meaning/reach"
