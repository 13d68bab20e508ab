#!/bin/sh
# Builds the page of `galen serve` (apps/web) and writes it, compressed, as C++.
# usage: build_web.sh OUT.cc WORK_DIR
# The result is kept in $GALEN_CACHE/web by the content of apps/web: neither Node.js nor the network is asked for what was
# built before. Packages come from the npm registry by the committed lock file, or from npm's own cache.
set -eu
cd "$(dirname "$0")/.."
out=$1 work=$2
cache=${GALEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/galen}/web

sum=$(find apps/web -type f ! -path '*/node_modules/*' | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c1-32)
kept=$cache/$sum.cc
finish() {
  cmp -s "$kept" "$out" || cp "$kept" "$out"
  exit 0
}
[ -f "$kept" ] && finish

fail() {
  echo "build_web.sh: $1" >&2
  echo "  Or configure with -DGALEN_WEB=OFF: galen serve then has its interfaces, but no page." >&2
  exit 1
}
command -v node >/dev/null 2>&1 || fail "the page needs Node.js 18 or newer to be built: apt-get install nodejs npm"
command -v npm >/dev/null 2>&1 || fail "the page needs npm to be built: apt-get install npm"
node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' || fail "the page needs Node.js 18 or newer; here is $(node --version)"

# Several build trees may come here at once.
mkdir -p "$work" "$cache"
exec 9>"$work/lock"
flock 9
[ -f "$kept" ] && finish

rm -rf "$work/src"
cp -r apps/web/. "$work/"
if ! cmp -s "$work/package-lock.json" "$work/node_modules/.lock_used"; then
  log=$work/npm.log
  (cd "$work" && npm ci --prefer-offline --ignore-scripts --no-audit --no-fund --loglevel=error >npm.log 2>&1) || {
    cat "$log" >&2
    fail "npm could not get the packages of apps/web/package-lock.json (npm ci, above); is the registry reachable?"
  }
  cp "$work/package-lock.json" "$work/node_modules/.lock_used"
fi
(cd "$work" && node build.mjs page_files.cc) || fail "the page could not be bundled (above)"
cp "$work/page_files.cc" "$kept.$$" && mv "$kept.$$" "$kept"
finish
