#!/bin/sh
# Installs the Debian packages that a task needs, says which, and asks nothing.
# usage: install_deps.sh build|test|test-all|lint|cross|package|package-test...   (several may be given)
# Quick when everything is there. Without root it uses sudo if that asks for no password, else it names the command to run.
set -eu

build="g++ make git ca-certificates cmake ninja-build ccache pkg-config python3 python3-pip python3-venv libgtest-dev
 libicu-dev libpcre2-dev libsentencepiece-dev libedit-dev libcli11-dev nlohmann-json3-dev
 libjpeg62-turbo-dev libpng-dev libwebp-dev libtiff-dev libgif-dev liblcms2-dev zlib1g-dev libdcmtk-dev libopenjp2-7-dev
 libarchive-dev libnifti-dev libopenslide-dev libboost1.81-dev libssl-dev libsqlite3-dev openssl libyaml-cpp-dev
 libcurl4-openssl-dev
 nodejs npm poppler-utils libcairo2-dev libpango1.0-dev fonts-dejavu-core fonts-liberation fonts-freefont-ttf fonts-open-sans
 fonts-crosextra-carlito fonts-crosextra-caladea fonts-lato fonts-linuxlibertine fonts-courier-prime fonts-roboto-unhinted"
test="$build dcmtk curl chromium man-db zsh fish qemu-user tesseract-ocr tesseract-ocr-deu tesseract-ocr-fra"
test_all="$test orthanc orthanc-dicomweb"
lint="$build clang-format clang-tidy"
package="$build dpkg-dev"
package_test="$package debootstrap systemd-container lintian curl"
cross="$build g++-aarch64-linux-gnu qemu-user"

wanted=
for group in "$@"; do
  case $group in
    build) wanted="$wanted $build" ;;
    test) wanted="$wanted $test" ;;
    test-all) wanted="$wanted $test_all" ;;
    lint) wanted="$wanted $lint" ;;
    package) wanted="$wanted $package" ;;
    package-test) wanted="$wanted $package_test" ;;
    cross) wanted="$wanted $cross" ;;
    *) echo "install_deps.sh: unknown group '$group' (build, test, test-all, lint, cross, package, package-test)" >&2; exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null 2>&1; then
  echo "install_deps.sh: not a Debian-like system; galen needs the equivalents of:" $wanted >&2
  echo "  (continuing: the build says what it misses)" >&2
  exit 0
fi

have() {
  # npm and node often come from elsewhere than Debian; a working command is enough.
  case $1 in
    npm) command -v npm >/dev/null 2>&1 && return 0 ;;
    nodejs) command -v node >/dev/null 2>&1 && return 0 ;;
  esac
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=
for package in $(printf '%s\n' $wanted | sort -u); do
  have "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "installing Debian packages:$missing"
if [ "$(id -u)" = 0 ]; then
  as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  as_root="sudo -n"
else
  echo "install_deps.sh: these packages are missing and this user may not install them. Run once as root:" >&2
  echo "  apt-get update && apt-get install -y --no-install-recommends$missing" >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
step() {
  if ! $as_root env DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1; then
    cat "$log" >&2
    return 1
  fi
}
# The lists of a fresh system are empty, those of an old one stale: try what is there, then once with new lists.
step apt-get install -y -q --no-install-recommends $missing 2>/dev/null && exit 0
echo "  refreshing the package lists first"
if ! step apt-get update -q; then
  echo "install_deps.sh: apt-get update failed; check the network and /etc/apt/sources.list*" >&2
  exit 1
fi
if ! step apt-get install -y -q --no-install-recommends $missing; then
  echo "install_deps.sh: apt-get install failed (see above); galen is built and tested on Debian 12" >&2
  exit 1
fi
