# SPDX-License-Identifier: GPL-2.0-or-later
"""Two want one channel: who gets it, and where the other goes."""

from __future__ import annotations

from dahdi_py.core import cause as causes
from dahdi_py.core.call import CallPhase
from dahdi_py.errors import AllocationError, Glare
from dahdi_py.linehost.calls import Calls
from dahdi_py.linehost.line import BChannel
from dahdi_py.linehost.linecall import OutgoingCall


class Contention:
    """Settles who has a channel that is taken.

    Synchronization: the loop's thread.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._channels = calls.channels

    def outgoing_at_setup(self, channel: BChannel) -> OutgoingCall | None:
        """Our call on the channel whose SETUP has no answer yet: the other side of glare."""
        if channel.lease is None:
            return None
        call = self._calls.by_id.get(channel.lease.call)
        return call if isinstance(call, OutgoingCall) and call.phase is CallPhase.SETUP else None

    def far_end_wins(self, ours: OutgoingCall, exclusive: bool) -> bool:
        """Whether the far end's SETUP gets the channel that ours asked for.

        On a public network the network's call has it; between equals exclusive beats preferred, and only then the
        network's call has it. Source: Q.931 5.7; Annex D.3.
        """
        if ours.line.config.symmetric_glare and ours.exclusive != exclusive:
            return exclusive
        return not ours.line.network

    def yield_channel(self, ours: OutgoingCall) -> None:
        """Our call has no channel: until the far end says which, or it is set up again; one that accepts no other ends.

        A preferred channel that the far end did not get us costs nothing: its answer names the one it gave us instead.
        To hold another for it meanwhile would only keep that from a call that can have it.
        """
        if ours.bound:
            ours.error = Glare.code
            self._calls.lose_channel(ours)
            reason = f"glare: the far end took timeslot {ours.timeslot} at the same moment"
            self._calls.hangup(ours, causes.CHANNEL_NOT_AVAILABLE, "peer", reason)
            return
        assert ours.lease is not None
        self._channels.park(ours.lease)
        if ours.exclusive:
            self.set_up_again(ours, causes.CHANNEL_NOT_AVAILABLE)

    def set_up_again(self, ours: OutgoingCall, cause: int) -> None:
        """The call's SETUP is being cleared, and another will follow."""
        ours.glared = True
        ours.cause = cause
        self._calls.pump.hangup(ours.handle, cause)
        self._calls.wake()

    def make_room(self, channel: BChannel) -> bool:
        """A bare lease on the channel that only reserves capacity is on another now; whether it was so.

        Where a client holds the channel's descriptor it is not free yet even then.
        """
        lease = channel.lease
        if lease is None or lease.call or lease.exclusive:
            return False
        try:
            self._channels.move(lease, self._channels.hunt([channel.line.name]))
        except AllocationError:
            return False
        return True
