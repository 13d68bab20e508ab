#!/bin/sh
# The model inside the program reads a picture of a laboratory slip, offline: checked values, then the page beside them.
# usage: demo.sh GALEN SLIP OUT_DIR
set -eu
galen=$1 slip=$2 out=$3

mkdir -p "$out"
echo
echo "The slip: $slip (an invented patient)"
echo "galen-mini, the small model inside the program, reads it line by line, and each value is checked:"
"$galen" extract "$slip" --out "$out/lab_slip.json"
"$galen" extract "$slip" --format html --out "$out/lab_slip.html" 2>/dev/null
sed -n '/^  "document": {/,/^  },/p' "$out/lab_slip.json"
echo
echo "JSON with evidence, confidence and verdicts: $out/lab_slip.json"
echo "The slip with a box for each value: $out/lab_slip.html"
echo "galen-mini reads clean slips in English, French and German, with errors (docs/models/galen-mini.md). It is no medical device; check each value."
echo "The same in the browser: $galen serve galen-mini, then open http://127.0.0.1:11434"
