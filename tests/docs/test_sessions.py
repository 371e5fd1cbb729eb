# SPDX-License-Identifier: GPL-2.0-or-later
"""Every example in the documents does what the document says, on a service that runs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.docs.console import Step, blocks, fits, steps
from tests.system.foreground import ECHO_CORE, ROOT, Foreground, foreground

PATIENCE_S = 60.0
DOCUMENTS = sorted(path for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))
SESSIONS = [path for path in DOCUMENTS if any(blocks(path, "console")) or any(blocks(path, "python"))]


def run(service: Foreground, step: Step) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", step.command],
        env=service.environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def run_session(service: Foreground, block: str) -> None:
    for step in steps(block):
        done, limit = run(service, step), time.monotonic() + PATIENCE_S
        # What the step before has begun takes its time.
        while step.looks and not (done.returncode == 0 and fits(step.shown, done.stdout)) and time.monotonic() < limit:
            done = run(service, step)
        assert done.returncode == 0, f"$ {step.command}\n{done.stdout}{done.stderr}"
        shown = "\n".join(step.shown)
        assert fits(step.shown, done.stdout), f"$ {step.command}\nshown:\n{shown}\nprinted:\n{done.stdout}"


def run_program(service: Foreground, block: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block],
        env=service.environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("document", SESSIONS, ids=lambda path: path.name)
def test_a_document_tells_the_truth(document: Path, run_dir: Path) -> None:
    with foreground(run_dir, "--embedded", "--", *ECHO_CORE) as service:
        for block in blocks(document, "console"):
            run_session(service, block)
        for block in blocks(document, "python"):
            run_program(service, block)
