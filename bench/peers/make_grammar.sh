#!/bin/sh
# Gets llguidance and xgrammar beside the reference environment, which has PyTorch, tokenizers and NumPy, and prints their folder
# in the cache. usage: make_grammar.sh ORACLE_PYTHON
set -eu
oracle=$1
here=$(cd "$(dirname "$0")" && pwd)
requirements=$here/grammar_requirements.txt
key=$({ cat "$requirements"; "$oracle" -c 'import sys; print(sys.version_info[:2])'; } | sha256sum | cut -c1-12)
root=${GALEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/galen}/peers/grammar-$key
if [ ! -f "$root/.complete" ]; then
  rm -rf "$root"
  mkdir -p "$root"
  "$oracle" -m pip --disable-pip-version-check install -q --no-deps --target "$root/python" -r "$requirements" >&2
  touch "$root/.complete"
fi
echo "$root/python"
