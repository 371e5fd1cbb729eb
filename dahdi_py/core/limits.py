# SPDX-License-Identifier: GPL-2.0-or-later
"""How many channels may be held at a time, and how many calls placed a minute."""

from __future__ import annotations

from dahdi_py.errors import QuotaExceeded, RateLimited

BURST_SHARE = 6
"""A sixth of a minute's calls may come at once: what a client could have placed in 10 s."""


class Rate:
    """Calls placed a minute, as a bucket of tokens that fills evenly. Time is an argument, s of one clock.

    Args:
        per_minute: So many in the long run; 0: none at all.

    Synchronization: one thread.
    """

    __slots__ = ("_at", "_tokens", "per_minute")

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._tokens = self._depth
        self._at = 0.0

    @property
    def _depth(self) -> float:
        return max(1.0, self.per_minute / BURST_SHARE) if self.per_minute else 0.0

    def wait_s(self, now: float) -> float:
        """How long until one more may be placed, 0 for now; infinity when none ever may."""
        self._tokens = min(self._depth, self._tokens + (now - self._at) * self.per_minute / 60)
        self._at = now
        if self._tokens >= 1:
            return 0.0
        return (1 - self._tokens) * 60 / self.per_minute if self.per_minute else float("inf")

    def take(self) -> None:
        """One was placed."""
        self._tokens -= 1


class Limiter:
    """One limit on one client or group: what is on its way counts as held.

    Args:
        setting: Where it was configured, such as ``limits[0]``.
        who: Whom it limits, in words.

    Attributes:
        pending: Leases asked for and not yet had.

    Synchronization: one thread.
    """

    __slots__ = ("_rate", "max_channels", "pending", "setting", "who")

    def __init__(self, setting: str, who: str, max_channels: int | None, calls_per_minute: int | None) -> None:
        self.setting = setting
        self.who = who
        self.max_channels = max_channels
        self.pending = 0
        self._rate = Rate(calls_per_minute) if calls_per_minute is not None else None

    def check(self, held: int, wanted: int, placing: bool, now: float) -> None:
        """So many more channels, and a call when `placing`, are within the limit.

        Raises:
            QuotaExceeded: As many are held or on their way as may be.
            RateLimited: Calls come faster than they may.
        """
        used = held + self.pending
        if self.max_channels is not None and used + wanted > self.max_channels:
            raise QuotaExceeded(
                f"{self.who} holds {used} channels of at most {self.max_channels} ({self.setting}.max_channels)",
                limit=self.max_channels, used=used, setting=f"{self.setting}.max_channels", cause=34,
            )  # fmt: skip
        if placing and self._rate is not None and (wait := self._rate.wait_s(now)) > 0:
            raise RateLimited(
                f"{self.who} may place {self._rate.per_minute} calls a minute ({self.setting}.calls_per_minute)",
                limit=self._rate.per_minute, retry_after_s=min(wait, 3600.0),
                setting=f"{self.setting}.calls_per_minute", cause=42,
            )  # fmt: skip

    def enter(self, wanted: int, placing: bool) -> None:
        """They are asked for."""
        self.pending += wanted
        if placing and self._rate is not None:
            self._rate.take()

    def leave(self, wanted: int) -> None:
        """They are had, or refused."""
        self.pending -= wanted
