#!/bin/sh
# Runs a command with one instruction set forced, or says why this machine cannot and exits 77 (ctest: skipped).
# usage: with_isa.sh ref|avx2|avx512|avx512_bf16|amx COMMAND...
isa=$1
shift
case $isa in
  ref) needs= ;;
  avx2) needs="avx2 fma f16c" ;;
  avx512) needs="avx512f avx512bw avx512dq avx512vl avx512_vnni" ;;
  avx512_bf16) needs="avx512f avx512bw avx512dq avx512vl avx512_vnni avx512_bf16" ;;
  amx) needs="avx512_bf16 amx_tile amx_bf16 amx_int8" ;;
  *) echo "with_isa.sh: unknown instruction set '$isa'" >&2; exit 2 ;;
esac
for flag in $needs; do
  if ! grep -qw -m1 "$flag" /proc/cpuinfo; then
    echo "SKIPPED: GALEN_ISA=$isa needs $flag, which this processor ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)) lacks"
    exit 77
  fi
done
GALEN_ISA=$isa exec "$@"
