"""How often one address may do something, and how long a wrong log-in makes the next one wait."""

import pytest

pytest.importorskip("gradio", reason="the extra 'demo' is not installed")

from faceinp.demo.server import rates


def test_rates_refill_and_forget_whoever_was_heard_of_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(rates.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(rates, "MAX_ADDRESSES", 50)
    limit = rates.Rates(6)
    assert [limit.wait("a") for _ in range(6)] == [0.0] * 6 and limit.wait("a") == pytest.approx(10)
    assert limit.wait("b") == 0
    now[0] += 10.1
    assert limit.wait("a") == 0 and limit.wait("a") > 9
    assert not any(rates.Rates(0).wait("a") for _ in range(1000))
    for number in range(200):
        limit.wait(str(number))
    assert len(limit._left) == 50


def test_log_ins_are_forgotten_and_never_more_than_some_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(rates.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(rates, "MAX_ADDRESSES", 50)
    logins = rates.Logins()
    waits = [logins.wait("a") for _ in range(100)]
    assert waits[:5] == [0, 0.5, 1.5, 3.5, 7.5] and max(waits) <= logins.MAX_WAIT + logins.MAX_DELAY
    now[0] += logins.FORGET_AFTER + 60
    assert logins.wait("a") == 0 and logins.wait("a") == 0.5
    logins.right("a")
    assert logins.wait("a") == 0
    for number in range(200):
        logins.wait(str(number))
    assert len(logins._wrong) == 50


def test_who_has_a_network_of_ipv6_has_one_address() -> None:
    def address(client: str) -> str:
        return rates.client_address({"client": (client, 1)})

    assert address("2001:db8::1") == address("2001:db8::ffff:1") != address("2001:db8:0:1::1")
    assert address("192.0.2.1") != address("192.0.2.2") and address("a socket") == "a socket"
