# Sourced by the scripts that prove something on a bare Debian 12 in a folder.

# make_bare ROOT [PACKAGE,PACKAGE]: debootstrap, with the settings of this machine's apt, pip and npm and none of its packages.
make_bare() {
  command -v debootstrap >/dev/null || apt-get install -y -q --no-install-recommends debootstrap
  echo "== debootstrap bookworm into $1"
  debootstrap --variant=minbase ${2:+--include="$2"} bookworm "$1" "${MIRROR:-http://deb.debian.org/debian}" >"$1.debootstrap.log" 2>&1 ||
    { tail -20 "$1.debootstrap.log" >&2; return 1; }
  # The settings with which this machine reaches its mirrors: sources, keys, proxies, certificates. No packages.
  rm -rf "$1/etc/apt/sources.list.d" "$1/etc/apt/sources.list"
  cp -a /etc/apt/. "$1/etc/apt/"
  for path in /usr/share/keyrings /usr/local/share/ca-certificates /etc/ssl/certs /etc/pip.conf /etc/xdg/pip /etc/npmrc /etc/resolv.conf /etc/hosts; do
    if [ -e "$path" ]; then
      mkdir -p "$1$(dirname "$path")"
      cp -aL "$path" "$1$(dirname "$path")/"
    fi
  done
  [ -f "$HOME/.config/pip/pip.conf" ] && mkdir -p "$1/root/.config/pip" && cp "$HOME/.config/pip/pip.conf" "$1/root/.config/pip/"
  [ -f "$HOME/.npmrc" ] && cp "$HOME/.npmrc" "$1/root/"
  return 0
}

bare_mounts="proc sys dev"

mount_bare() {
  for name in $bare_mounts; do
    mkdir -p "$1/$name"
    mountpoint -q "$1/$name" || mount --rbind "/$name" "$1/$name" && mount --make-rslave "$1/$name"
  done
}

unmount_bare() {
  for name in $bare_mounts; do umount -R -l "$1/$name" 2>/dev/null || true; done
}

# The settings of pip, npm and TLS that come from the environment; nothing else of it.
bare_settings=$(env | grep -E '^(PIP_[A-Z_]+|(SSL|REQUESTS|CURL|NODE|GIT)_[A-Z_]*(CERT|CA)[A-Z_]*|[a-zA-Z_]*_proxy|[A-Z_]*_PROXY|npm_config_[a-z_]+)=' || true)

# in_bare ROOT COMMAND: as root in it.
in_bare() {
  # shellcheck disable=SC2086
  env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 $bare_settings \
    chroot "$1" /bin/sh -c "$2"
}
