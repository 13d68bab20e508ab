#!/bin/sh
# Makes galen_VERSION_ARCH.deb from a finished build. usage: make_deb.sh BUILD OUT   (make deb)
# The same commit gives the same bytes: times are those of the last commit, owners are root.
set -eu
build=${1:?usage: make_deb.sh BUILD OUT}
out=${2:?usage: make_deb.sh BUILD OUT}
tree=$(cd "$(dirname "$0")/.." && pwd)
packaging=$tree/packaging/debian
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$tree" log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
umask 022

mkdir -p "$out"
out=$(cd "$out" && pwd)
rm -rf "$out/root" "$out/debian"
DESTDIR="$out/root" cmake --install "$build" --prefix /usr --strip >/dev/null

root=$out/root
doc=$root/usr/share/doc/galen
# Debian's own places.
mkdir -p "$root/lib" "$root/usr/share/zsh"
mv "$root/usr/lib/systemd" "$root/lib/systemd"
rmdir "$root/usr/lib"
mv "$root/usr/share/zsh/site-functions" "$root/usr/share/zsh/vendor-completions"
rm "$doc/LICENSE"
cp "$packaging/copyright" "$doc/copyright"
gzip -9n <"$packaging/changelog" >"$doc/changelog.gz"
gzip -9nr "$root/usr/share/man"
find "$root" -type d -exec chmod 0755 {} +
find "$root" -type f ! -path "$root/usr/bin/*" ! -name "*.py" -exec chmod 0644 {} +

mkdir -p "$root/DEBIAN" "$out/debian"
printf 'Source: galen\n\nPackage: galen\nArchitecture: any\n' >"$out/debian/control"
depends=$(cd "$out" && dpkg-shlibdeps -O "$root/usr/bin/galen" | sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || { echo "make_deb.sh: dpkg-shlibdeps names no library" >&2; exit 1; }
version=$("$root/usr/bin/galen" --version | sed 's/^galen //')
[ "$version" = "$(sed -n '1s/.*(\(.*\)).*/\1/p' "$packaging/changelog")" ] ||
  { echo "make_deb.sh: packaging/debian/changelog is not about version $version" >&2; exit 1; }
arch=$(dpkg --print-architecture)
sed -e "s|@VERSION@|$version|; s|@ARCH@|$arch|; s|@DEPENDS@|$depends|" \
  -e "s|@SIZE@|$(du -k -s --apparent-size "$root" | cut -f1)|" "$packaging/control.in" >"$root/DEBIAN/control"
cp "$packaging/conffiles" "$packaging/postinst" "$packaging/prerm" "$packaging/postrm" "$root/DEBIAN/"
chmod 0755 "$root/DEBIAN/postinst" "$root/DEBIAN/prerm" "$root/DEBIAN/postrm"
(cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\n' | LC_ALL=C sort | tr '\n' '\0' | xargs -0 md5sum >DEBIAN/md5sums)
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
deb=$out/galen_${version}_$arch.deb
dpkg-deb --root-owner-group -Zxz -b "$root" "$deb" >/dev/null
rm -rf "$out/root" "$out/debian"
echo "$deb ($(du -h "$deb" | cut -f1))"
