# SPDX-License-Identifier: GPL-2.0-or-later
"""Write the blocking client's methods from the asyncio client's: the same words without waiting.

The two differ in nothing else, so one of them is the source; `make idl` runs this, and a test holds the results.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).resolve().parent.parent / "dahdi_py" / "client"
PARTS = ("asker", "state", "leases", "calls")
_WORDS = (
    (r"\basync def ", "def "),
    (r"\bawait ", ""),
    (r"\bAsync(\w)", r"\1"),
    (r"\bclient\.aio_", "client.blocking_"),
    (r"\basyncio client\b", "blocking client"),
)


def blocking(source: str) -> str:
    """The blocking form of a part of the asyncio client, formatted."""
    for pattern, instead in _WORDS:
        source = re.sub(pattern, instead, source)
    source = re.sub(r"\((self\._call\([^()]*(?:\([^()]*\)[^()]*)*\))\)\.", r"\1.", source)
    head, _, rest = source.partition("\n")
    text = f"{head}\n# Written by scripts/write_blocking_client.py from the asyncio client: change that one.\n{rest}"
    command = [sys.executable, "-m", "ruff", "format", "--quiet", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Every part is written anew."""
    for part in PARTS:
        (CLIENT / f"blocking_{part}.py").write_text(blocking((CLIENT / f"aio_{part}.py").read_text()))


if __name__ == "__main__":
    main()
