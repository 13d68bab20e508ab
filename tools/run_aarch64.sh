#!/bin/sh
# Runs an aarch64 program under qemu with the libraries of the cross build. usage: run_aarch64.sh PROGRAM ARGUMENTS...
root=$(cd "$(dirname "$0")/.." && pwd)/build/aarch64-sysroot
qemu=$(command -v qemu-aarch64 || command -v qemu-aarch64-static) || { echo "SKIPPED: qemu-aarch64 is not installed"; exit 77; }
exec "$qemu" -L "$root" -E LD_LIBRARY_PATH="$root/usr/lib/aarch64-linux-gnu:$root/lib/aarch64-linux-gnu" "$@"
