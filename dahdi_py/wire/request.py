# SPDX-License-Identifier: GPL-2.0-or-later
"""One call of a client, as its handler sees it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, Protocol

import msgspec

from dahdi_py.errors import DahdiPyError
from dahdi_py.wire.framing import CallMessage, close_all, format_error, format_reply
from dahdi_py.wire.peer import Peer

log = logging.getLogger("dahdi_py.wire")

Arguments = ParamSpec("Arguments")


class Answering(Protocol):
    """The connection that a request came on."""

    @property
    def waiting(self) -> bool:
        """Whether the client has to read before more can be sent."""

    def answer(self, request: Request, message: bytes, fds: Sequence[int], *, last: bool) -> None:
        """The answer is sent in its turn; the descriptors are the connection's."""

    def completed(self, request: Request) -> None:
        """The request is under way no more."""


class Request:
    """A call to be answered, now or later; answers go out in the order of the calls.

    Attributes:
        fds: Descriptors that came with the call; the handler's to close.
        more: The caller takes more than one reply.
        under_way: It counts against what its client may have under way, until its last answer.
        on_answer: Told of the last reply, or of the error.

    Synchronization: external; only from the loop's thread.
    """

    __slots__ = (
        "_connection",
        "answered",
        "fds",
        "held",
        "method",
        "more",
        "on_answer",
        "oneway",
        "peer",
        "under_way",
    )

    def __init__(self, connection: Answering, peer: Peer, call: CallMessage, fds: list[int]) -> None:
        self._connection = connection
        self.peer = peer
        self.method = call.method
        self.more = call.more
        self.oneway = call.oneway
        self.fds = fds
        self.answered = False
        self.under_way = False
        self.held: list[tuple[bytes, Sequence[int]]] | None = None
        self.on_answer: Callable[[Any, DahdiPyError | None], None] | None = None

    def __del__(self) -> None:
        # Who answers may have dropped it, because nobody hears the answer: then it is answered.
        if self.under_way:
            self._connection.completed(self)

    def reply(
        self,
        parameters: msgspec.Struct | msgspec.Raw,
        *,
        fds: Sequence[int] = (),
        continues: bool = False,
        close_fds: bool = True,
    ) -> None:
        """The caller is answered; with `continues` there is more to come.

        Args:
            parameters: The reply, or its JSON text.
            fds: Descriptors that go with it.
            close_fds: Ours are closed once sent, also when the caller is gone; else they stay whose they are.
        """
        if fds and not close_fds:
            fds = [os.dup(fd) for fd in fds]
        try:
            message = format_reply(parameters, continues=continues, fds=len(fds))
        except BaseException:
            close_all(fds)
            raise
        if not continues:
            self._tell(parameters, None)
        self._connection.answer(self, message, fds, last=not continues)

    @property
    def waiting(self) -> bool:
        """Whether the caller has to read before more can be sent: who has much to say does so when it has."""
        return self._connection.waiting

    def fail(self, error: DahdiPyError) -> None:
        """The caller gets the error; there is no more to come."""
        self._tell(None, error)
        self._connection.answer(self, format_error(error), (), last=True)

    def guard(self, later: Callable[Arguments, None]) -> Callable[Arguments, None]:
        """What is called later to answer; whatever it raises is the answer, so that no caller waits for ever."""

        def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
            try:
                later(*args, **kwargs)
            except Exception as error:
                self.failed(error)

        return guarded

    def failed(self, error: Exception) -> None:
        """The caller gets what was raised, unless it was answered; what nobody foresaw is logged with its trace."""
        if not isinstance(error, DahdiPyError):
            log.error("%s from %r failed", self.method, self.peer, exc_info=error)
            error = DahdiPyError(f"{self.method} failed inside the service; its log has the trace")
        if not self.answered:
            self.fail(error)

    def _tell(self, parameters: Any, error: DahdiPyError | None) -> None:
        # Once, also when what is told raises: the answer goes out all the same.
        told, self.on_answer = self.on_answer, None
        if told is not None:
            told(parameters, error)
