"""What a server that others reach sends and refuses, asked as nobody should ask it, and what its log says of that."""

import asyncio
import http.client
import json
import re
import socket
import sys
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from serving import ROOT, Server, serving, until

gr = pytest.importorskip("gradio", reason="the extra 'demo' is not installed")

from faceinp.demo import space  # noqa: E402
from faceinp.demo.server import hosting  # noqa: E402
from starlette.applications import Starlette  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from starlette.responses import FileResponse  # noqa: E402
from starlette.routing import Route  # noqa: E402
from starlette.testclient import TestClient  # noqa: E402

FILLS = 3
API = "/gradio_api"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=x"}


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for others: with a log-in, one name, few fills, and a site that shows it in a frame."""
    options = ["--host", "0.0.0.0", "--auth", "me:secret", "--allowed-host", "faces.example"]
    options += ["--frame-ancestors", "https://hub.example", "--fills-per-minute", str(FILLS)]
    command = [sys.executable, "-m", "demo", *options]
    with serving(tmp_path_factory.mktemp("hosted"), command=command, FACEINP_WEIGHTS=str(ROOT / "weights")) as served:
        yield served


def ask(
    server: Server, path: str, body: bytes | None = None, headers: dict[str, str] | None = None, *, host: str = ""
) -> tuple[int, http.client.HTTPMessage, str]:
    """Status, headers and text of an answer; a request with a body is a POST."""
    address = urllib.parse.urlsplit(server.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=120)
    try:
        method = "GET" if body is None else "POST"
        connection.request(method, path, body, {"Host": host or address.netloc} | (headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode(errors="replace")
    finally:
        connection.close()


def upload(name: str, data: str = "a picture") -> bytes:
    head = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    return f"{head}{data}\r\n--x--\r\n".encode()


def log_in(server: Server, password: str, visitor: str) -> tuple[int, http.client.HTTPMessage, str]:
    form = {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": visitor}
    return ask(server, "/login", f"username=me&password={password}".encode(), form)


@pytest.fixture(scope="module")
def cookie(hosted: Server) -> dict[str, str]:
    """What a visitor who has logged in sends."""
    status, headers, _ = log_in(hosted, "secret", "192.0.2.1")
    assert status == 200
    sent = [line.partition(";")[0] for line in headers.get_all("set-cookie") or ()]
    return {"Cookie": "; ".join(sent)}


@pytest.mark.parametrize("path", ["/", "/config", "/theme.css", f"{API}/file=/etc/passwd", "/nowhere"])
def test_every_answer_lets_a_browser_load_from_this_server_only(path: str, server: Server) -> None:
    _, headers, _ = ask(server, path)
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    sources = {source for part in policy.values() for source in part.split()}
    quoted = {"'self'", "'none'", "'unsafe-inline'", "'unsafe-eval'"}
    assert sources <= quoted | {"data:", "blob:"} and policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'self'" and policy["object-src"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "same-origin"


def test_a_server_of_this_machine_answers_to_no_name_of_another(server: Server) -> None:
    port = urllib.parse.urlsplit(server.url).port
    for name in ("localhost", "LOCALHOST", "127.0.0.1", "[::1]"):
        assert ask(server, "/config", host=f"{name}:{port}")[0] == 200, name
    for name in ("rebound.example", "localhost.example", "127.0.0.1.example", "[::2]", "[::1", "a b:c"):
        status, _, said = ask(server, "/config", host=f"{name}:{port}")
        assert status == 403 and "--allowed-host" in said, name


def test_a_named_server_answers_to_its_name_and_shows_in_a_frame_where_it_may(hosted: Server) -> None:
    for name, expected in (("faces.example", 200), ("localhost", 200), ("other.example", 403)):
        status, headers, _ = ask(hosted, "/", host=name)
        assert status == expected and "frame-ancestors https://hub.example" in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("host", "allowed", "any_name"),
    [("127.0.0.1", (), False), ("0.0.0.0", (), True), ("0.0.0.0", ("a.example",), False)],
)
def test_names_are_free_only_where_others_are_served_and_none_is_named(
    host: str, allowed: tuple[str, ...], any_name: bool
) -> None:
    assert hosting.Rules.of(host, allowed, "'self'", 1).allowed_hosts == () or not any_name
    assert any_name == (not hosting.Rules.of(host, allowed, "'self'", 1).allowed_hosts)


def test_the_space_shows_in_its_hubs_frame() -> None:
    assert '"--frame-ancestors", "https:"' in space.APP
    compile(space.APP, "app.py", "exec")


def ways_to_fill(server: Server, cookie: dict[str, str]) -> list[tuple[str, dict[str, Any]]]:
    """Requests that order a fill, one as programs, one as the page, and one that would go past the queue."""
    functions = json.loads(ask(server, "/config", None, cookie)[2])["dependencies"]
    (number,) = (one["id"] for one in functions if one["api_name"] == "fill")
    order = {"data": [None] * 21, "session_hash": "mine"}
    return [
        (f"{API}/call/v2/fill", {"photo": None}),
        (f"{API}/call/fill", order | {"fn_index": 0}),
        (f"{API}/queue/join", order | {"fn_index": number}),
        (f"{API}/run/engines", order | {"fn_index": number}),
    ]


@pytest.mark.parametrize("way", range(4), ids=["v2", "call", "page", "run"])
def test_who_orders_too_much_is_told_when_to_try_again_and_others_go_on(
    way: int, hosted: Server, cookie: dict[str, str]
) -> None:
    path, order = ways_to_fill(hosted, cookie)[way]
    mine, another = ({"X-Forwarded-For": f"192.0.2.{10 + way}{last}"} for last in (0, 1))
    statuses = []
    while 429 not in statuses and len(statuses) < 10 * FILLS:
        status, headers, said = ask(hosted, path, json.dumps(order).encode(), JSON | cookie | mine)
        statuses.append(status)
    assert len(statuses) > FILLS and statuses[-1] == 429, statuses
    assert set(statuses[:-1]) == {404 if "run" in path else 200}, "nobody goes past the queue"
    seconds = int(headers["retry-after"])
    assert 0 < seconds <= 60 / FILLS + 1 and f"Too many fills from your address. Try again in {seconds} s." in said
    assert ask(hosted, path, json.dumps(order).encode(), JSON | cookie | another)[0] == statuses[0]
    for _ in range(2 * FILLS):  # what is no fill is not counted
        assert ask(hosted, f"{API}/call/v2/engines", b"{}", JSON | cookie | mine)[0] == 200


def test_uploads_are_counted_and_what_the_editor_sends_at_every_stroke_is_not(
    hosted: Server, cookie: dict[str, str]
) -> None:
    mine = FORM | cookie | {"X-Forwarded-For": "192.0.2.200"}
    for name in ("background.png", "layer_0.png", "composite.png") * 8:
        assert ask(hosted, f"{API}/upload", upload(name), mine)[0] == 200
    statuses = []
    while 429 not in statuses and len(statuses) < 20 * FILLS:
        status, _, said = ask(hosted, f"{API}/upload", upload("photo.png"), mine)
        statuses.append(status)
    assert len(statuses) > 2 * FILLS and set(statuses) == {200, 429}
    assert re.fullmatch(r"Too many uploads from your address. Try again in \d+ s\.", said)
    assert ask(hosted, f"{API}/upload", upload("layer_0.png"), mine)[0] == 200


def test_each_wrong_log_in_makes_the_next_answer_slower_and_nobody_elses(hosted: Server) -> None:
    started = time.monotonic()
    ends = []
    for _ in range(4):
        assert log_in(hosted, "wrong", "192.0.2.50")[0] == 400
        ends.append(time.monotonic() - started)
    assert all(end > least for end, least in zip(ends, (0, 0.45, 1.4, 3.4), strict=True)), ends
    started = time.monotonic()
    assert log_in(hosted, "secret", "192.0.2.51")[0] == 200
    assert time.monotonic() - started < 3, "others wait for nothing"
    for password, expected in (("secret", 200), ("wrong", 400)):
        started = time.monotonic()
        assert log_in(hosted, password, "192.0.2.50")[0] == expected
    assert time.monotonic() - started < 3, "who knows the password starts anew"


def test_guesses_sent_side_by_side_wait_for_each_other_or_are_refused(hosted: Server) -> None:
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: log_in(hosted, "wrong", "192.0.2.60"), range(24)))
    statuses = [status for status, _, _ in answers]
    assert set(statuses) == {400, 429} and statuses.count(400) < 12
    assert any("Too many log-ins from your address. Try again in" in said for _, _, said in answers)


def traceback_free(
    server: Server, path: str, body: bytes | None, headers: dict[str, str] | None = None
) -> tuple[int, str]:
    before = len(server.log)
    status, _, said = ask(server, path, body, headers or JSON)
    assert "Traceback" not in server.log[before:]
    assert len(said) < 1500
    return status, said


ODD = {
    "refused path": (f"{API}/file=/etc/passwd", None, 403),
    "no such file": (f"{API}/file=/tmp/gone/face.png", None, 403),
    "file of another server": (f"{API}/file=https://example.org/face.png", None, 403),
    "no words": (f"{API}/call/v2/fill", b"{{{", 422),
    "a list": (f"{API}/call/v2/fill", b"[]", 422),
    "no arguments": (f"{API}/call/v2/fill", b"{}", 400),
    "unknown argument": (f"{API}/call/v2/fill", b'{"nothing": 1}', 400),
    "unknown endpoint": (f"{API}/call/nothing", b'{"data": []}', 404),
    "unknown endpoint, v2": (f"{API}/call/v2/nothing", b"{}", 404),
    "unknown number": (f"{API}/queue/join", b'{"data": [], "session_hash": "s", "fn_index": 9999}', 404),
    "no number": (f"{API}/queue/join", b'{"data": [], "session_hash": "s", "fn_index": [1]}', 422),
    "NaN": (f"{API}/queue/join", b'{"data": NaN}', 400),
    "very deep": (f"{API}/queue/join", b'{"data":' + b"[" * 5000 + b"]" * 5000 + b"}", 400),
    "past the queue": (f"{API}/run/engines", b'{"data": []}', 404),
    "cancel": (f"{API}/cancel", b'{"data": NaN}', 400),
    "unknown part": (
        f"{API}/component_server",
        b'{"data":1,"component_id":9999,"session_hash":"s","fn_name":"x"}',
        400,
    ),
    "monitoring": ("/monitoring", None, 403),
    "key of monitoring": ("/monitoring/key", None, 403),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_requests_are_refused_in_a_sentence_and_not_by_a_traceback(name: str, server: Server) -> None:
    path, body, expected = ODD[name]
    status, said = traceback_free(server, path, body)
    assert status == expected and said and "Monitoring URL" not in server.log


@pytest.mark.parametrize(
    "body",
    [b"--x--\r\n", upload("a.png").replace(b'; filename="a.png"', b""), upload("..")],
    ids=["nothing in it", "no file", "a folder"],
)
@pytest.mark.parametrize("path", ["upload", "component_server"])
def test_odd_forms_are_refused_quietly(path: str, body: bytes, server: Server) -> None:
    status, _ = traceback_free(server, f"{API}/{path}", body, FORM)
    assert 400 <= status < 500 or (path, body) == ("upload", b"--x--\r\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "cannot use these arguments"),
        ([5], "cannot use these arguments"),
        ([5] * 8, "cannot use these arguments"),
        ([{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, *[None] * 7], "not uploaded by a user"),
        (
            [{"path": "https://example.org/a.png", "meta": {"_type": "gradio.FileData"}}, *[None] * 7],
            "downloads no files",
        ),
    ],
    ids=["none", "one", "numbers", "a file of the server", "a file of another server"],
)
def test_arguments_that_an_endpoint_does_not_take_are_one_sentence(
    arguments: list[Any], says: str, server: Server
) -> None:
    before = len(server.log)
    _, _, event = ask(server, f"{API}/call/find", json.dumps({"data": arguments}).encode(), JSON)
    _, _, said = ask(server, f"{API}/call/find/{json.loads(event)['event_id']}")
    assert "event: error" in said and says in said and len(said) < 600
    assert "Traceback" not in server.log[before:] and str(server.folder) not in said


@pytest.mark.parametrize("path", ["upload", "component_server", "queue/join", "call/v2/fill", "cancel"])
def test_a_request_that_is_cut_off_is_nothing_for_the_log(path: str, server: Server) -> None:
    before, address = len(server.log), urllib.parse.urlsplit(server.url)
    form = path in ("upload", "component_server")
    kind, start = (FORM["Content-Type"], upload("a.png")[:-20]) if form else ("application/json", b'{"data": [')
    head = f"POST {API}/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 100000\r\n\r\n"
    with socket.create_connection((str(address.hostname), address.port or 80)) as sender:
        sender.sendall(head.encode() + start)
        time.sleep(0.2)
    assert ask(server, f"{API}/startup-events")[0] == 200
    time.sleep(0.5)
    assert "Traceback" not in server.log[before:]


@pytest.mark.parametrize("path", ["queue/data?session_hash=nobody", "call/fill/unknown"])
def test_a_stream_that_nobody_is_heard_on_ends(path: str, server: Server) -> None:
    before = len(server.log)
    status, headers, said = ask(server, f"{API}/{path}")
    assert status == 200 and headers["content-type"].startswith("text/event-stream") and said
    assert "Traceback" not in server.log[before:]


def test_streams_come_while_they_are_made_and_may_be_left(server: Server) -> None:
    before, address = len(server.log), urllib.parse.urlsplit(server.url)
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=60) as reader:
        reader.sendall(f"GET {API}/heartbeat/someone HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        seen = b""
        while b"ALIVE" not in seen:  # it has no end
            seen += reader.recv(4096)
    until(lambda: ask(server, f"{API}/startup-events")[0] == 200)
    assert "Traceback" not in server.log[before:]


def guarded(tmp_path: Path, error: Exception | None = None) -> TestClient:
    """A page that serves one file, which is gone, or fails."""

    def file(_: Any) -> FileResponse:
        if error is not None:
            raise error
        return FileResponse(tmp_path / "gone.png")

    with gr.Blocks() as blocks:
        pass
    guard = Middleware(hosting.Guard, rules=hosting.Rules(), blocks=blocks)
    return TestClient(Starlette(routes=[Route("/gradio_api/file={path}", file)], middleware=[guard]))


def test_a_file_that_goes_while_it_is_asked_for_is_not_found(tmp_path: Path) -> None:
    answer = guarded(tmp_path).get("/gradio_api/file=gone.png")
    assert answer.status_code == 404 and answer.json() == {"detail": "The file no longer exists."}
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_file_that_goes_while_it_is_sent_is_nothing_for_the_log() -> None:
    async def send_and_fail(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise FileNotFoundError("painted.png")

    async def ignore(*_: Any) -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    with gr.Blocks() as blocks:
        pass
    guard = hosting.Guard(send_and_fail, hosting.Rules(), blocks)
    scope = {"type": "http", "method": "GET", "headers": [(b"host", b"localhost")]}
    asyncio.run(guard({**scope, "path": f"{API}/file=/visit/painted.png"}, ignore, ignore))
    with pytest.raises(FileNotFoundError):
        asyncio.run(guard({**scope, "path": "/config"}, ignore, ignore))


def test_what_is_the_servers_own_fault_is_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        guarded(tmp_path, ZeroDivisionError("ours")).get("/gradio_api/file=a.png")


def test_a_request_that_is_too_large_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosting, "MAX_BODY", 1 << 20)
    answer = guarded(tmp_path).post("/gradio_api/call/fill", content=bytes(2 << 20))
    assert answer.status_code == 413 and "limited to 1 MB" in answer.text
