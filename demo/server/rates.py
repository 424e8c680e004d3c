"""Limits for each address, and delays after wrong log-ins, kept in memory."""

import ipaddress
import time
from typing import Any

from starlette.types import Scope

MAX_ADDRESSES = 10_000  # that are remembered


def client_address(scope: Scope) -> str:
    """The address of a client; for IPv6 its /64 network, which one connection has for itself."""
    client = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return str(client)
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


class Rates:
    """A limit per minute for each address (token bucket)."""

    def __init__(self, per_minute: int) -> None:
        self._limit, self._left = per_minute, dict[str, tuple[float, float]]()

    def wait(self, address: str) -> float:
        """Seconds until this address may do it again; 0.0 if it may now, which then counts."""
        if not self._limit:
            return 0.0
        now = time.monotonic()
        left, updated = self._left.get(address, (self._limit, now))
        left = min(self._limit, left + (now - updated) * self._limit / 60)
        _remember(self._left, address, (left - (left >= 1), now))
        return 0.0 if left >= 1 else (1 - left) * 60 / self._limit


class Logins:
    """Wrong log-ins: each delays the next answer to its address."""

    FIRST_DELAY = 0.5  # seconds after the first wrong log-in; each further delay is twice as long
    MAX_DELAY = 8.0
    MAX_WAIT = 30.0  # seconds of all delays together, if log-ins are sent at once
    FORGET_AFTER = 900.0

    def __init__(self) -> None:
        self._wrong: dict[str, tuple[int, float]] = {}

    def wait(self, address: str) -> float:
        """Seconds to delay the answer. More than ``MAX_WAIT`` means to refuse the log-in, which is then not counted.

        A log-in counts as wrong until ``right`` is called, so that guesses sent at once wait for each other.
        """
        now = time.monotonic()
        wrong, ready = self._wrong.get(address, (0, now))
        if now - ready > self.FORGET_AFTER:
            wrong = 0
        starts = max(now, ready)
        if starts - now <= self.MAX_WAIT:
            step = min(self.MAX_DELAY, self.FIRST_DELAY * 2.0 ** min(wrong, 10))
            _remember(self._wrong, address, (wrong + 1, starts + step))
        return starts - now

    def right(self, address: str) -> None:
        """Forget the wrong log-ins of an address after a right one."""
        self._wrong.pop(address, None)


def _remember(values: dict[str, Any], address: str, value: Any) -> None:
    """Store a value for an address, and drop the oldest address if there are too many."""
    values.pop(address, None)
    values[address] = value
    if len(values) > MAX_ADDRESSES:
        del values[next(iter(values))]
