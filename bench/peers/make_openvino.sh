#!/bin/sh
# Exports Gemma 3 270M for OpenVINO GenAI in int4 (its fastest form) and prints: PYTHON MODEL_DIR. Done once, then found in
# the cache. usage: make_openvino.sh GEMMA.gguf TOKENIZER_DIR ORACLE_PYTHON
set -eu
gguf=$1 tokenizer=$2 oracle=$3
here=$(cd "$(dirname "$0")" && pwd)
cache=${GALEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/galen}
key=$(sha256sum "$here/openvino_requirements.txt" | cut -c1-12)
root=$cache/peers/openvino-$key
if [ ! -f "$root/.complete" ]; then
  rm -rf "$root"
  mkdir -p "$root"
  python3 -m venv "$root/venv" >&2
  pip="$root/venv/bin/python -m pip --disable-pip-version-check install -q"
  # The CPU build of torch where it can be had; see tools/make_oracle.sh.
  index=${GALEN_TORCH_INDEX-https://download.pytorch.org/whl/cpu}
  torch=$(grep '^torch==' "$here/openvino_requirements.txt")
  if [ -n "$index" ] && python3 -c 'import sys, urllib.request
urllib.request.urlopen(sys.argv[1] + "/torch/", timeout=5)' "$index" 2>/dev/null; then
    $pip "$torch" --extra-index-url "$index" >&2
  else
    $pip "$torch" >&2
  fi
  $pip -r "$here/openvino_requirements.txt" >&2
  # What comes with it is built for another torch, and importing transformers fails on that; text needs none.
  "$root/venv/bin/python" -m pip uninstall -q -y torchvision >&2
  "$oracle" "$here/hf_from_gguf.py" "$gguf" "$tokenizer" "$root/hf" >&2
  "$root/venv/bin/optimum-cli" export openvino -m "$root/hf" --task text-generation-with-past --weight-format int4 --sym \
    --group-size 64 --ratio 1.0 "$root/model" >&2
  rm -rf "$root/hf"
  touch "$root/.complete"
fi
echo "$root/venv/bin/python" "$root/model"
