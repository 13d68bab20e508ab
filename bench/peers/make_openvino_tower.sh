#!/bin/sh
# Gets OpenVINO for the image towers beside the reference environment, which has PyTorch and
# transformers, and prints its folder in the cache. usage: make_openvino_tower.sh ORACLE_PYTHON
set -eu
oracle=$1
here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's/^openvino==//p' "$here/openvino_requirements.txt")
root=${GALEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/galen}/peers/openvino-tower-$version
if [ ! -f "$root/.complete" ]; then
  rm -rf "$root"
  mkdir -p "$root"
  "$oracle" -m pip --disable-pip-version-check install -q --no-deps --target "$root/python" "openvino==$version" \
    openvino-telemetry==2025.2.0 >&2
  touch "$root/.complete"
fi
echo "$root"
