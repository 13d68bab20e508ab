#!/bin/sh
# Makes the Python environment of the parity tests and links it to build/.venv-oracle. It lives in the cache under a name
# made of its requirements and the Python version, so that a clean build finds it again.
# usage: make_oracle.sh   (GALEN_TORCH_INDEX: another index for torch; "" for the configured one only)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
requirements=$here/oracle_requirements.txt
cache=${GALEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/galen}
python=${PYTHON:-python3}
key=$({ cat "$requirements"; "$python" -c 'import sys; print(sys.version_info[:2])'; } | sha256sum | cut -c1-12)
venv=$cache/oracle-$key
link=$here/../build/.venv-oracle

mkdir -p "$cache"
exec 9>"$venv.lock"
flock 9
if [ ! -f "$venv/.complete" ]; then
  echo "making the Python environment of the parity tests in $venv:"
  grep -v '^#' "$requirements" | sed 's/^/  /'
  rm -rf "$venv"
  "$python" -m venv "$venv"
  pip="$venv/bin/python -m pip --disable-pip-version-check install -q --no-warn-script-location"
  torch=$(grep '^torch==' "$requirements")
  # Plain "torch" on the Python index is the CUDA build (gigabytes). PyTorch's own CPU index is asked where it can be reached.
  index=${GALEN_TORCH_INDEX-https://download.pytorch.org/whl/cpu}
  if [ -n "$index" ] && "$python" -c 'import sys, urllib.request
urllib.request.urlopen(sys.argv[1] + "/torch/", timeout=5)' "$index" 2>/dev/null; then
    $pip "$torch" --extra-index-url "$index"
  else
    $pip "$torch"
  fi
  $pip -r "$requirements"
  touch "$venv/.complete"
fi
flock -u 9
mkdir -p "$(dirname "$link")"
ln -sfn "$venv" "$link"
