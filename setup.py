# SPDX-License-Identifier: GPL-2.0-or-later
"""Build the extensions, one a folder of native/; everything else is in pyproject.toml.

cffi's ``cffi_modules`` has no place in pyproject.toml. Its paths are relative to the project.
"""

from pathlib import Path

from setuptools import setup

NATIVE = Path(__file__).parent / "native"

setup(cffi_modules=[f"native/{build.parent.name}/build.py:ffibuilder" for build in sorted(NATIVE.glob("*/build.py"))])
