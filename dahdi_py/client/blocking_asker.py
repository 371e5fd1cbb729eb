# SPDX-License-Identifier: GPL-2.0-or-later
# Written by scripts/write_blocking_client.py from the asyncio client: change that one.
"""What the blocking client's methods ask through."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar

import msgspec

from dahdi_py.client.tokens import Tokens

R = TypeVar("R", bound=msgspec.Struct)


class Asker(ABC):
    """A connection to the daemon, and what is owned by it.

    Attributes:
        label: How this program is named in lists and logs.

    Synchronization: external.
    """

    label: str
    _tokens: Tokens

    @abstractmethod
    def _call(self, method: str, request: msgspec.Struct | None, reply: type[R]) -> R:
        """The method's answer; descriptors that come with it are closed."""

    @abstractmethod
    def _call_fds(self, method: str, request: msgspec.Struct, reply: type[R]) -> tuple[R, list[int]]:
        """The method's answer and the descriptors that came with it."""

    @abstractmethod
    def _lease(self, method: str, request: msgspec.Struct, reply: type[R]) -> tuple[R, list[int]]:
        """The same for an answer that makes a lease: one whose asker has given up by then is given back."""
