# SPDX-License-Identifier: GPL-2.0-or-later
"""Leases: who holds which channel, by tokens that only grow.

At most one lease a channel. A token is ``host/start/counter``: the start number is durable and grows with every start
of the host, the counter with every lease, so no token is ever given twice and a stale one names nothing.
"""

from __future__ import annotations

from typing import Any

from dahdi_py.core.channel import Channel
from dahdi_py.core.terms import Administrative, Phase
from dahdi_py.errors import ChannelBusy, OutOfService, StaleToken


class Lease:
    """A reservation of a channel.

    Attributes:
        owner: Opaque here: who holds it, in the words of whoever asked.
        call: Id of the call it carries; empty for a bare lease.
        exclusive: An incoming SETUP for its timeslot does not move it.
        orphaned: Its owner is gone and may come back for it.
        opened: A descriptor of the channel was handed out under this lease, so its end needs proof.
        detached: It outlives its owner's connection.
        expires: When it ends by itself, s on the monotonic clock; None for never.
        group: The trunk group it was asked of; empty for a span.
        missed: Opaque here: what its descriptor missed, kept when that was closed before its call ended.

    Synchronization: one thread.
    """

    __slots__ = (
        "call", "channel", "detached", "exclusive", "expires", "group", "missed", "opened", "orphaned", "owner",
        "phase", "slot", "token",
    )  # fmt: skip

    def __init__(self, token: str, channel: Channel, owner: Any, exclusive: bool, call: str) -> None:
        self.token = token
        self.channel = channel
        self.owner = owner
        self.exclusive = exclusive
        self.call = call
        self.phase = Phase.SETUP if call else Phase.RESERVED
        self.orphaned = False
        self.opened = False
        self.detached = False
        self.expires: float | None = None
        self.group = ""
        self.missed: Any = None
        self.slot = 0


def require_free(channel: Channel, *, emergency: bool = False) -> None:
    """The channel can be leased; an emergency passes a drain.

    Raises:
        ChannelBusy: It is leased, or not yet proved free after the last lease.
        OutOfService: It is disabled or locked.
    """
    place = f"timeslot {channel.timeslot} of span {channel.span.name}"
    disabled = channel.disabled
    if disabled:
        raise OutOfService(f"{place} is disabled: {disabled}", reason=str(disabled), cause=44)
    if channel.lease or channel.pending:
        holder = channel.lease.token if channel.lease else str(channel.pending)
        raise ChannelBusy(f"{place} is busy", holder=holder, cause=44)
    if channel.administrative is not Administrative.UNLOCKED and not (emergency and channel.drained):
        state = channel.administrative
        raise OutOfService(f"{place} is {state}", reason=str(state), cause=44)


class LeaseTable:
    """Every lease of one start of a host.

    Args:
        host: The host's name.
        start: Its start number, greater than that of every start before.

    Synchronization: one thread.
    """

    def __init__(self, host: str, start: int) -> None:
        self._prefix = f"{host}/{start}/"
        self._counter = 0
        self._leases: dict[str, Lease] = {}

    def __len__(self) -> int:
        return len(self._leases)

    def all(self) -> list[Lease]:
        """Every lease, oldest first."""
        return list(self._leases.values())

    def reserve(
        self, channel: Channel, owner: Any, *, exclusive: bool = False, call: str = "", emergency: bool = False
    ) -> Lease:
        """The channel is leased to the owner.

        Raises:
            ChannelBusy: It is leased, or not yet proved free after the last lease.
            OutOfService: It is disabled or locked.
        """
        if channel.span.service or not channel.free:
            require_free(channel, emergency=emergency)
        self._counter += 1
        token = f"{self._prefix}{self._counter}"
        lease = self._leases[token] = Lease(token, channel, owner, exclusive, call)
        channel.occupy(lease)
        return lease

    def holds(self, lease: Lease) -> bool:
        """Whether the lease's token is good."""
        return lease.token in self._leases

    def find(self, token: str) -> Lease:
        """The lease of that token.

        Raises:
            StaleToken: It has ended, or never was.
        """
        lease = self._leases.get(token)
        if lease is None:
            raise StaleToken(f"the lease {token} has ended", token=token)
        return lease

    def move(self, lease: Lease, channel: Channel, *, emergency: bool = False) -> Channel:
        """The lease is on the other channel; the one it left is ``releasing`` if its end needs proof, else idle.

        Returns:
            The channel it left.

        Raises:
            ChannelBusy: The other channel is not free.
            OutOfService: The other channel is disabled or locked.
        """
        require_free(channel, emergency=emergency)
        return self._move(lease, channel)

    def park(self, lease: Lease, nowhere: Channel) -> Channel:
        """The lease is on no channel but keeps its token; the one it left is as after `move`.

        Args:
            nowhere: Stands for no channel; it is of no span's.

        Returns:
            The channel it left.
        """
        return self._move(lease, nowhere)

    @staticmethod
    def _move(lease: Lease, channel: Channel) -> Channel:
        left = lease.channel
        left.vacate(Phase.RELEASING if lease.opened else None)
        channel.occupy(lease)
        lease.channel = channel
        lease.opened = False
        return left

    def void(self, lease: Lease) -> None:
        """The token is stale at once; the lease keeps its channel busy until `end`, while its call is being cleared."""
        self._leases.pop(lease.token, None)

    def end(self, lease: Lease) -> Channel:
        """The lease is no more; its channel is ``releasing`` if its end needs proof, else idle.

        Returns:
            The channel it was on.
        """
        self._leases.pop(lease.token, None)
        channel = lease.channel
        channel.vacate(Phase.RELEASING if lease.opened else None)
        return channel
