"""How often one address may do something, and how long an answer to a wrong log-in waits. All of it in memory."""

import ipaddress
import time
from typing import Any

from starlette.types import Scope

MOST_ADDRESSES = 10_000  # that are remembered


def client_address(scope: Scope) -> str:
    """Who asks: an address, of IPv6 the network that one connection has for itself."""
    client = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return str(client)
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


class Rates:
    """How often each address may do something. The addresses that were seen last are remembered."""

    def __init__(self, per_minute: int) -> None:
        self._most, self._left = per_minute, dict[str, tuple[float, float]]()

    def wait(self, address: str) -> float:
        """Seconds until this address may do it once more; 0.0 where it may now, which then counts."""
        if not self._most:
            return 0.0
        now = time.monotonic()
        left, seen = self._left.get(address, (self._most, now))
        left = min(self._most, left + (now - seen) * self._most / 60)
        _remember(self._left, address, (left - (left >= 1), now))
        return 0.0 if left >= 1 else (1 - left) * 60 / self._most


class Logins:
    """Wrong log-ins: each makes the next answer to its address slower."""

    FIRST, SLOWEST, LONGEST = 0.5, 8.0, 30.0  # seconds: a step after the first wrong one, any step, all in a row
    FORGOTTEN = 900.0

    def __init__(self) -> None:
        self._wrong: dict[str, tuple[int, float]] = {}

    def wait(self, address: str) -> float:
        """Seconds by which the answer has to wait. It counts as wrong until ``right``, so that guesses sent side by
        side wait for each other; one that would wait for more than ``LONGEST`` is to be refused, and is not counted.
        """
        now = time.monotonic()
        wrong, ready = self._wrong.get(address, (0, now))
        if now - ready > self.FORGOTTEN:
            wrong = 0
        starts = max(now, ready)
        if starts - now <= self.LONGEST:
            step = min(self.SLOWEST, self.FIRST * 2.0 ** min(wrong, 10))
            _remember(self._wrong, address, (wrong + 1, starts + step))
        return starts - now

    def right(self, address: str) -> None:
        """The name and the password were right: all is forgotten."""
        self._wrong.pop(address, None)


def _remember(known: dict[str, Any], address: str, value: Any) -> None:
    """Keep what is known of an address, and forget the one that was heard of longest ago where they are too many."""
    known.pop(address, None)
    known[address] = value
    if len(known) > MOST_ADDRESSES:
        del known[next(iter(known))]
