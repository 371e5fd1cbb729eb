# SPDX-License-Identifier: GPL-2.0-or-later
"""A simulated card in a process of its own, for tests."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from dahdi_py.backends.card_link import CardLink
from dahdi_py.core.terms import LineType
from dahdi_py.wire.interface import Empty, Request
from dahdi_py.wire.messages import cable
from dahdi_py.wire.messages import card as messages

PATIENCE_S = 60.0
PROGRAM = """
import json, sys
from dahdi_py.core.terms import LineType
from dahdi_py.simcard.main import main
from dahdi_py.simcard.spec import CardSpec
path, ports, cables = json.loads(sys.argv[1])
spec = CardSpec([LineType(kind) for kind in ports], [tuple(pair) for pair in cables])
sys.exit(main(path, spec, lambda: print("ready", flush=True)))
"""


class CardProcess:
    """A running card; `start` starts it again after `kill`."""

    def __init__(self, path: Path, ports: Sequence[LineType], cables: Sequence[tuple[int, int]] = ()) -> None:
        self.path = path
        self._ports = ports
        self._cables = cables
        self.process: subprocess.Popen[bytes]
        self.start()

    def start(self) -> None:

        arguments = json.dumps([str(self.path), list(self._ports), list(self._cables)])
        self.process = subprocess.Popen([sys.executable, "-c", PROGRAM, arguments], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], PATIENCE_S)[0], "the card did not get ready"
        assert self.process.stdout.readline() == b"ready\n"

    def ask(self, method: str, parameters: Request) -> None:
        with closing(CardLink("sim", str(self.path), PATIENCE_S)) as link:
            link.ask(method, parameters, Empty)

    def status(self, port: str) -> messages.CardStatus:
        with closing(CardLink("sim", str(self.path), PATIENCE_S)) as link:
            return link.ask("Status", messages.CardPortRequest(port=port), messages.CardStatus)

    def cable(self, a: str, b: str) -> None:
        self.ask("Cable", cable.CableRequest(a=a, b=b))

    def uncable(self, port: str) -> None:
        self.ask("Uncable", cable.PortRequest(port=port))

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """The process stands still meanwhile."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)
        yield
        self.process.send_signal(signal.SIGCONT)

    def terminate(self) -> int:
        self.process.terminate()
        return self._ended()

    def kill(self) -> None:
        self.process.kill()
        self._ended()

    def _ended(self) -> int:
        code = self.process.wait(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code
