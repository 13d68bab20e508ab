#!/bin/sh
# Formats our C++ files in place, or with --check names those that differ and fails.
# Debian 12's clang-format 14 decides; another version may differ in details.
cd "$(dirname "$0")/.." || exit 2
files=$(git ls-files -co --exclude-standard 'src/*.h' 'src/*.cc' 'apps/*.h' 'apps/*.cc' 'include/*.h' 'tests/*.h' 'tests/*.cc' \
  'bench/*.cc' 'examples/*.cc')
[ -n "$files" ] || exit 0
clang_format=${CLANG_FORMAT:-$(command -v clang-format-14 || command -v clang-format)}
if [ "${1:-}" = --check ]; then
  bad=$(for file in $files; do
    "$clang_format" "$file" | cmp -s - "$file" || echo "$file"
  done)
  [ -z "$bad" ] && exit 0
  echo "not formatted (run: make format):" >&2
  echo "$bad" | sed 's/^/  /' >&2
  exit 1
fi
# shellcheck disable=SC2086
exec "$clang_format" -i $files
