# SPDX-License-Identifier: GPL-2.0-or-later
"""The blocking client's connection for calls: it comes back when it was lost, and what is owned by it with it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

import msgspec

from dahdi_py.client.back_off import back_off_s
from dahdi_py.client.blocking_asker import R
from dahdi_py.client.requests import give_back
from dahdi_py.client.tokens import GONE, Tokens
from dahdi_py.errors import DahdiPyError, Timeout, Unreachable
from dahdi_py.wire.blocking import Connection
from dahdi_py.wire.interface import Empty
from dahdi_py.wire.messages.channels import ReclaimReply, ReclaimRequest
from dahdi_py.wire.messages.daemon import Status


class BlockingLink:
    """A connection to the daemon that the next call makes anew when it was lost, reclaiming what is owned first.

    What cannot be done at once is tried again before each call, and by a thread of its own until nothing is left:
    leases that the daemon did not give back yet, answers that came too late for their asker. A lease or call in such
    an answer is nobody's: it is given back.

    Args:
        connect: Makes a connection.
        tokens: What is owned.

    Raises:
        Unreachable: No daemon answers.

    Synchronization: any thread; one call at a time is under way. `close` wakes who waits.
    """

    def __init__(self, connect: Callable[[], Connection], tokens: Tokens) -> None:
        self._connect = connect
        self._tokens = tokens
        self._lock = threading.RLock()
        self._to_reclaim: list[tuple[str, str]] = []
        self._to_give_back: list[tuple[str, msgspec.Struct]] = []
        self._closed = threading.Event()
        self._tending = False
        self._connection = connect()

    def call(
        self, method: str, request: msgspec.Struct | None, reply: type[R], *, lease: bool = False
    ) -> tuple[R, list[int]]:
        """The method's answer and the descriptors that came with it.

        Args:
            lease: The answer makes a lease or call: one that comes after `Timeout` is given back.
        """
        with self._lock:
            try:
                self._ready()
                unwanted = self._given_up if lease else None
                return self._connection.call_fds(f"org.dahdipy.{method}", request, reply, unwanted=unwanted)
            finally:
                self._tend_later()

    def revive(self) -> None:
        """The connection is a live one, and everything owned is reclaimed: a stream has seen the daemon come back."""
        with self._lock:
            if self._closed.is_set():
                return
            try:
                self.call("Daemon.Status", None, Status)
            except Unreachable:
                self.call("Daemon.Status", None, Status)
            else:
                self._to_reclaim = self._tokens.held()
                self._reclaim()
                self._tend_later()

    def close(self) -> None:
        """The connection has ended, and no other will be made."""
        self._closed.set()
        self._connection.close()

    def _ready(self) -> None:
        """The connection is a live one, and what could be done of what waited is done."""
        if self._closed.is_set():
            raise Unreachable("this client is closed")
        with suppress(Unreachable):
            self._connection.settle()
        if self._connection.closed:
            self._to_reclaim = self._tokens.held()
            self._connection = self._connect()
            if self._closed.is_set():  # meanwhile, by another thread, which closed the one before
                self._connection.close()
        if not self._connection.owing:
            self._reclaim()
            self._give_back()

    def _reclaim(self) -> None:
        """What waited is this connection's again; what has ended meanwhile is forgotten, the rest waits on."""
        for lease in list(self._to_reclaim):
            token, label = lease
            try:
                if lease in self._tokens.held():
                    request = ReclaimRequest(token=token, label=label)
                    self._connection.call("org.dahdipy.Channels.Reclaim", request, ReclaimReply)
            except GONE:
                self._tokens.ended(token)
            except Timeout:
                return  # the others would wait as long
            except Unreachable:
                raise
            except DahdiPyError:
                continue
            self._to_reclaim.remove(lease)

    def _given_up(self, reply: Any) -> None:
        self._to_give_back += give_back(reply)

    def _give_back(self) -> None:
        while self._to_give_back and not self._connection.owing:
            method, request = self._to_give_back[0]
            try:
                self._connection.call(f"org.dahdipy.{method}", request, Empty)
            except Timeout:
                pass  # it has been asked, and will be done
            except Unreachable:
                raise
            except DahdiPyError:
                pass
            del self._to_give_back[0]

    @property
    def _busy(self) -> bool:
        return bool(self._to_reclaim or self._to_give_back or self._connection.owing)

    def _tend_later(self) -> None:
        if self._busy and not self._tending and not self._closed.is_set():
            self._tending = True
            threading.Thread(target=self._tend, name="dahdi-py client", daemon=True).start()

    def _tend(self) -> None:
        for attempt in count():
            if self._closed.wait(back_off_s(attempt)):
                return
            with self._lock:
                with suppress(DahdiPyError, OSError):  # an OSError: no descriptor is free here
                    self._ready()
                if not self._busy:
                    self._tending = False
                    return
