#!/bin/sh
# clang-tidy over the files of the build, JOBS at a time. What passed is kept in the cache per content (of the file and of everything it
# includes), so that a second run looks at what changed only.
# usage: tidy.sh [FILE...]
set -eu
cd "$(dirname "$0")/.."
build=build/tidy
cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Debug -DGALEN_TOGETHER=OFF -DCMAKE_CXX_COMPILER_LAUNCHER= >/dev/null
exec python3 tools/tidy.py --build $build "$@"
