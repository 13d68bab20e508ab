#!/bin/sh
# What a model will see of each example, as pages to check by eye: OUT/index.html.
# usage: gallery.sh GALEN OUT
set -eu
galen=$1 out=$2
mkdir -p "$out"
rows=
look() { # NAME TITLE FILE...
  name=$1 title=$2
  shift 2
  echo "$title: $*"
  "$galen" look "$@" --out "$out/$name" --gallery >"$out/$name.txt"
  rows="$rows<li><a href=\"$name/index.html\">$title</a></li>
"
}
look photograph "A photograph" examples/images/retina.jpg
look radiograph "A radiograph (DICOM)" examples/images/encapsulated_cxr.dcm
look localise "The same, padded for boxes" examples/images/encapsulated_cxr.dcm --recipe localise --question "Where is the heart?"
look slide "A slide (DICOM)" --slide examples/images/multiframe_camelyon_challenge_image.dcm
look volume "A volume (NIfTI), as CT" examples/volumes/head.nii.gz
look page "A page (PDF)" examples/documents/lab_report.pdf
{
  echo '<!doctype html><meta charset="utf-8"><title>galen: what a model sees</title><h1>What a model sees</h1><ul>'
  echo "$rows</ul>"
} >"$out/index.html"
echo "open $out/index.html"
