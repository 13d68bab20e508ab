#!/bin/sh
# Proves that the README's commands work on a bare Debian 12: a fresh system, a fresh clone of the committed tree, then each
# command as root in it. usage (as root): test_in_chroot.sh DIRECTORY [demo|test|TARGET]...   (default: demo test)
# DIRECTORY must not exist, except with KEEP=1, which uses the system in it again with a new clone. CCACHE=1 lends it this
# machine's compiler cache and its settings (the length of the build then proves nothing); AT: where the clone lies.
set -eu
root=${1:?usage: test_in_chroot.sh DIRECTORY [TARGET]...}
shift
at=${AT:-/root/galen}
[ $# -gt 0 ] || set -- demo test
tree=$(cd "$(dirname "$0")/.." && pwd)
[ "$(id -u)" = 0 ] || { echo "test_in_chroot.sh: chroot and debootstrap need root" >&2; exit 1; }
. "$tree/tools/bare_system.sh"

if [ ! -d "$root" ]; then
  make_bare "$root"
elif [ "${KEEP:-}" != 1 ]; then
  echo "test_in_chroot.sh: $root exists; remove it, or KEEP=1 to use it again" >&2
  exit 1
fi

mount_bare "$root"
# Extra folders that this machine's pip settings name (a local wheel folder, say): EXTRA="/path /path".
for path in ${EXTRA:-}; do
  mkdir -p "$root$path"
  mountpoint -q "$root$path" || mount --bind -o ro "$path" "$root$path"
done
cache=${CCACHE_DIR:-$HOME/.cache/ccache}
if [ "${CCACHE:-}" = 1 ]; then
  mkdir -p "$root/root/.cache/ccache" "$root/root/.config/ccache"
  mountpoint -q "$root/root/.cache/ccache" || mount --bind "$cache" "$root/root/.cache/ccache"
  [ -f "$HOME/.config/ccache/ccache.conf" ] && cp "$HOME/.config/ccache/ccache.conf" "$root/root/.config/ccache/"
fi
finish() {
  umount -l "$root/root/.cache/ccache" 2>/dev/null || true
  unmount_bare "$root"
  for path in ${EXTRA:-}; do umount -l "$root$path" 2>/dev/null || true; done
}
trap finish EXIT INT TERM

rm -rf "${root:?}$at" "$root/root/galen.git"
git clone -q --bare "$tree" "$root/root/galen.git"
inside() { in_bare "$root" "$1"; }
echo "== the bare system: git make g++ ca-certificates"
inside "apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends git make g++ \
  ca-certificates >/dev/null && git clone -q /root/galen.git $at"
failed=0
for target in "$@"; do
  echo "== make $target"
  start=$(date +%s)
  code=0
  inside "cd $at && make $target" </dev/null || code=$?
  echo "== make $target: exit code $code after $(($(date +%s) - start)) s"
  [ "$code" = 0 ] || failed=1
done
exit $failed
