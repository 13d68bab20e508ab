#!/bin/sh
# Unpacks Debian's arm64 builds of the libraries that galen links, for the cross build. Uses apt with a private state, so
# that neither root nor a foreign architecture on this system is needed.
# usage: aarch64_sysroot.sh DIRECTORY
set -eu
out=$1
packages="libgtest-dev libicu-dev libicu72 libpcre2-dev libpcre2-8-0 libsentencepiece-dev libsentencepiece0 libedit-dev libedit2
 libprotobuf-dev libprotobuf32 libprotobuf-lite32 zlib1g zlib1g-dev libtinfo6 libncurses-dev libbsd-dev libbsd0 libmd-dev libmd0 libcli11-dev
 nlohmann-json3-dev libc6 libgcc-s1 libstdc++6 libgoogle-perftools4 libtcmalloc-minimal4 libunwind8 liblzma5
 libjpeg62-turbo-dev libjpeg62-turbo libpng-dev libpng16-16 libwebp-dev libwebp7 libwebpdemux2 libwebpmux3 libtiff-dev libtiff6
 libtiffxx6 libgif-dev libgif7 libdcmtk-dev libdcmtk17 libopenjp2-7-dev libopenjp2-7 libnifti2-dev libnifti2-2
 libnifticdf-dev libnifticdf2 libniftiio-dev libniftiio2 libznz-dev libznz3 libopenslide-dev
 libopenslide0 liblcms2-dev liblcms2-2 libdeflate0 libjbig0 liblerc4 libzstd1
 libarchive-dev libarchive13 libxml2 libnettle8 libacl1 liblz4-1 libbz2-1.0 libssl-dev libssl3 libboost1.81-dev
 libcurl4-openssl-dev libcurl4
 libcairo2-dev libcairo2 libpango1.0-dev libpango-1.0-0 libpangocairo-1.0-0 libpangoft2-1.0-0 libglib2.0-dev libglib2.0-0
 libharfbuzz-dev libharfbuzz0b libblkid-dev libbrotli-dev libdatrie-dev libexpat1-dev libffi-dev libfontconfig-dev
 libfreetype-dev libfribidi-dev libgraphite2-dev libmount-dev libpixman-1-dev libselinux1-dev libsepol-dev libthai-dev
 libx11-dev libxau-dev libxcb-render0-dev libxcb-shm0-dev libxcb1-dev libxdmcp-dev libxext-dev libxft-dev libxrender-dev
 x11proto-dev"
key=$(echo "$packages" | sha256sum | cut -c1-12)
[ -f "$out/.complete-$key" ] && exit 0
echo "unpacking Debian's arm64 libraries for the cross build into $out"
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
mkdir -p "$state/lists/partial" "$state/archives/partial"
touch "$state/status"
options="-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State=$state -o Dir::State::lists=$state/lists
 -o Dir::State::status=$state/status -o Dir::Cache=$state -o Dir::Cache::archives=$state/archives -o APT::Sandbox::User=
 -o Debug::NoLocking=1 -o Acquire::Languages=none"
apt-get $options -q update >"$state/log" 2>&1 || { cat "$state/log" >&2; exit 1; }
rm -rf "$out"
mkdir -p "$out"
(cd "$state" && apt-get $options -q download $packages >>"$state/log" 2>&1) || { cat "$state/log" >&2; exit 1; }
for deb in "$state"/*.deb; do dpkg-deb -x "$deb" "$out"; done
touch "$out/.complete-$key"
