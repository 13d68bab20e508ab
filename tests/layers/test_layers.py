"""The layer check passes on this tree and names file and line of each kind of fault planted into a copy of it."""

import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CHECK = ROOT / "tools" / "check_layers.py"
TOPS = ("src", "include", "apps", "tests", "bench", "examples")
KEPT = ("*.h", "*.cc", "*.inc", "CMakeLists.txt")


def check(root):
    done = subprocess.run([sys.executable, str(CHECK), str(root)], capture_output=True, text=True)
    return done.returncode, done.stderr


class LayersTest(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.root = Path(self.scratch.name)
        for top in TOPS:
            for pattern in KEPT:
                for path in (ROOT / top).rglob(pattern):
                    copy = self.root / path.relative_to(ROOT)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, copy)

    def plant(self, where, text):
        path = self.root / where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def assert_fault(self, *needles):
        code, output = check(self.root)
        self.assertEqual(code, 1, output)
        self.assertTrue(any(all(n in line for n in needles) for line in output.splitlines()), output)

    def test_this_tree_passes(self):
        code, output = check(ROOT)
        self.assertEqual(code, 0, output)

    def test_the_copy_passes(self):
        code, output = check(self.root)
        self.assertEqual(code, 0, output)

    def test_upward_include(self):
        self.plant("src/engine/planted.h", "#pragma once\n")
        self.plant("src/kernels/planted.cc", '#include <vector>\n\n#include "engine/planted.h"\n')
        self.assert_fault("src/kernels/planted.cc:3:", "src/kernels may not use src/engine")

    def test_sideways_include(self):
        self.plant("src/formats/planted.h", "#pragma once\n")
        self.plant("src/text/deep/planted.cc", '#include "formats/planted.h"\n')
        self.assert_fault("src/text/deep/planted.cc:1:", "src/text may not use src/formats")

    def test_tests_beside_the_code_obey_too(self):
        self.plant("src/models/planted.h", "#pragma once\n")
        self.plant("src/base/planted_test.cc", '\n#include "models/planted.h"\n')
        self.assert_fault("src/base/planted_test.cc:2:")

    def test_public_header_stands_alone(self):
        self.plant("src/base/planted.h", "#pragma once\n")
        self.plant("include/galen/planted.h", '#pragma once\n#include "base/planted.h"\n')
        self.assert_fault("include/galen/planted.h:2:")

    def test_low_folder_may_not_use_the_public_api(self):
        self.plant("include/galen/planted.h", "#pragma once\n")
        self.plant("src/ops/planted.cc", '#include "galen/planted.h"\n')
        self.assert_fault("src/ops/planted.cc:1:", "below the public API")

    def test_angle_brackets_hide_nothing(self):
        self.plant("src/nn/planted.h", "#pragma once\n")
        self.plant("src/tensor/planted.cc", "#include <nn/planted.h>\n")
        self.assert_fault("src/tensor/planted.cc:1:", "src/tensor may not use src/nn")

    def test_climbing_out(self):
        self.plant("src/ops/planted.cc", '#include "../nn/x.h"\n')
        self.assert_fault("src/ops/planted.cc:1:", "climbs out")

    def test_headers_in_a_circle(self):
        self.plant("src/base/planted_a.h", '#include "base/planted_b.h"\n')
        self.plant("src/base/planted_b.h", '#include "base/planted_a.h"\n')
        self.assert_fault("include each other", "planted_a.h", "planted_b.h")

    def test_cmake_disagrees(self):
        self.plant("src/formats/CMakeLists.txt", "# USES tensor\n\ngalen_folder(formats USES base)\n")
        self.assert_fault("src/formats/CMakeLists.txt:3:", "the table says tensor")

    def test_link_around_the_table(self):
        path = self.root / "src" / "text" / "CMakeLists.txt"
        path.write_text(path.read_text() + "target_link_libraries(galen_text PRIVATE galen_models)\n")
        self.assert_fault("src/text/CMakeLists.txt:", "links galen_models")

    def test_unknown_folder(self):
        self.plant("src/planted/planted.cc", "\n")
        self.assert_fault("src/planted", "not in the table")


if __name__ == "__main__":
    unittest.main()
