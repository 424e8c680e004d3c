"""A public server: headers, limits, and short answers to malformed requests.

A plain ASGI middleware around Gradio's application; Starlette's base class would buffer streams.
"""

import asyncio
import ipaddress
import json
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.events import EventListenerMethod
from gradio.route_utils import FnIndexInferError
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import uploads
from .rates import Logins, Rates, client_address

FILLS_PER_MINUTE = 30  # from one address
UPLOADS_PER_FILL = 2
PICTURES_PER_UPLOAD = 60  # of the editor, which sends three after every stroke
HEAVY = ("fill", "find", "identity")  # counted as fills, by Gradio's concurrency_id
MAX_BODY = 32 << 20  # bytes of a request without an upload
MAX_UPLOAD_HEAD = 4096  # bytes of an upload in which the name of its first file must be
UNKNOWN_HOST = "This server does not accept the host name {!r}. Its operator can allow it with --allowed-host."
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
# Gradio's page uses inline scripts and styles, evaluates the templates of HTML components and the editor's shaders, and
# loads pictures and workers from memory.
POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
}
_CALL = re.compile(r"/gradio_api/(?:queue/join|call/(?:v2/)?([^/]+)|(?:run|api)/([^/]+))/?$")
_FILE_NAME = re.compile(rb'filename="([^"]*)"')
# What Gradio's routes raise for malformed requests.
_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, FnIndexInferError)


@dataclass(frozen=True)
class Rules:
    """Who may use the server, and how often.

    allowed_hosts: accepted host names; empty for any. frame_ancestors: sites that may show the page in a frame, in the
    syntax of Content-Security-Policy. fills: per minute and address, with twice as many uploads; 0: unlimited.
    """

    allowed_hosts: tuple[str, ...] = ()
    frame_ancestors: str = "'self'"
    fills: int = FILLS_PER_MINUTE

    @classmethod
    def of(cls, host: str, allowed_hosts: tuple[str, ...], frame_ancestors: str, fills: int) -> "Rules":
        """The rules of a server that listens on ``host``.

        A server for this machine only accepts this machine's names only, so that no web page can reach it through a
        host name of its own (DNS rebinding). Another server accepts every name unless ``allowed_hosts`` has some.
        """
        if not allowed_hosts and not _loopback(host):
            return cls((), frame_ancestors, fills)
        return cls((*sorted(LOCAL_NAMES), host, *allowed_hosts), frame_ancestors, fills)


class Guard:
    """The middleware. blocks: the page, for the numbers and names of its endpoints."""

    def __init__(self, app: ASGIApp, rules: Rules, blocks: gr.Blocks) -> None:
        self.app, self.rules = app, rules
        self.heavy = {number: fn.concurrency_id in HEAVY for number, fn in blocks.fns.items()}
        self.names = {str(fn.api_name): number for number, fn in blocks.fns.items() if fn.api_name}
        sources = POLICY | {"frame-ancestors": rules.frame_ancestors}
        self.headers = {
            "Content-Security-Policy": "; ".join(f"{what} {source}" for what, source in sources.items()),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
        }
        self.fills, self.uploads = Rates(rules.fills), Rates(UPLOADS_PER_FILL * rules.fills)
        self.pictures = Rates(PICTURES_PER_UPLOAD * UPLOADS_PER_FILL * rules.fills)
        self.logins = Logins()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(send, self.headers)
        try:
            refusal, receive = await self._check(scope, receive)
            await (refusal or self.app)(scope, receive, answer)
            if answer.status < 400 and _is_login(scope):
                self.logins.right(client_address(scope))
        except ClientDisconnect:  # nobody waits for an answer
            return
        except Exception as error:
            await self._answer_error(error, scope, receive, answer)

    async def _check(self, scope: Scope, receive: Receive) -> tuple[Response | None, Receive]:  # noqa: PLR0911 - one return for each refusal
        """The refusal of a request, or None, and a function that receives its body."""
        host = _name(Headers(scope=scope).get("host", ""))
        if self.rules.allowed_hosts and host not in map(_name, self.rules.allowed_hosts):
            return _refusal(403, UNKNOWN_HOST.format(host[:100])), receive
        if scope["method"] != "POST":
            return None, receive
        if _is_login(scope):
            return await self._login(scope), receive
        if scope["path"].rstrip("/").endswith("/upload"):
            name, receive = await _peek(receive)
            rates = self.pictures if uploads.EDITOR_FILE.fullmatch(name) else self.uploads
            seconds = rates.wait(client_address(scope))
            return (_too_often("uploads", seconds, plain=True) if seconds else None), receive
        if Headers(scope=scope).get("content-type", "").startswith("multipart/"):
            return None, receive
        body, receive = await _read(scope, receive)
        if body is None:
            return _refusal(413, f"Requests are limited to {MAX_BODY >> 20} MB. Upload files first."), receive
        return self._call(scope, body), receive

    async def _login(self, scope: Scope) -> Response | None:
        seconds = self.logins.wait(client_address(scope))
        if seconds > self.logins.MAX_WAIT:
            return _too_often("log-ins", seconds)
        await asyncio.sleep(seconds)
        return None

    def _call(self, scope: Scope, body: bytes) -> Response | None:
        """The refusal of a call of an endpoint, or None."""
        call = _CALL.search(scope["path"])
        if call is None:
            return None
        name, number = call[1] or call[2], None
        if call[1] is None:  # Gradio uses a number in the body before the name
            try:
                sent = json.loads(body)["fn_index"]
                number = sent if isinstance(sent, int) else None
            except (ValueError, LookupError, TypeError, RecursionError):
                pass  # Gradio answers with the error
        if number is None and name is not None:
            number = self.names.get(name, -1)
        if number is not None and number not in self.heavy:
            return _refusal(404, f"Unknown endpoint {name or number!r:.80}. {_SEE_INFO}")
        if number is None or not self.heavy[number]:
            return None
        seconds = self.fills.wait(client_address(scope))
        return _too_often("fills", seconds) if seconds else None

    async def _answer_error(self, error: Exception, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        """Answer an error that the request caused; raise an error of the server itself."""
        if answer.status and "/file=" in scope["path"] and isinstance(error, OSError):
            return  # the file was deleted while it was sent: the connection ends early
        if answer.status:
            if not isinstance(error.__cause__, HTTPException):
                raise error
            await answer({"type": "http.response.body", "body": b""})  # end the stream
        elif "/file=" in scope["path"] and isinstance(error, RuntimeError | OSError):
            await _refusal(404, "The file no longer exists.")(scope, receive, answer)
        elif isinstance(error, _MALFORMED):
            log(f"{scope['method']} {scope['path']}", error)
            text = f"The server does not understand this request. {_first_line(error)} {_SEE_INFO}"
            await _refusal(400, text)(scope, receive, answer)
        else:
            raise error


_SEE_INFO = "GET /gradio_api/info describes the endpoints."


def log_bad_arguments(blocks: gr.Blocks) -> None:
    """Log bad arguments of an endpoint in one line instead of a traceback."""
    original: Callable[..., Any] = blocks.preprocess_data

    async def preprocess_data(block_fn: Any, *rest: Any, **more: Any) -> Any:
        try:
            return await original(block_fn, *rest, **more)
        except gr.Error:
            raise
        except Exception as error:
            log(f"arguments of {block_fn.api_name}", error)
            text = f"/{block_fn.api_name} cannot use these arguments. {_first_line(error)} {_SEE_INFO}"
            raise gr.Error(text, print_exception=False) from error

    setattr(blocks, "preprocess_data", preprocess_data)  # noqa: B010 (mypy allows no assignment to a method)


def end_after_errors(blocks: gr.Blocks) -> None:
    """Run each unqueued ``then`` after a failure as well.

    Gradio's page runs it after a success only, so a button that a failed fill had disabled would stay disabled.
    """
    for after in list(blocks.fns.values()):
        always = not (after.trigger_only_on_success or after.trigger_only_on_failure)
        if after.trigger_after is not None and always and not after.queue:
            blocks.default_config.set_event_trigger(
                [EventListenerMethod(None, "failure")],
                after.fn,
                set(after.inputs) if after.inputs_as_dict else after.inputs,
                after.outputs,
                show_progress=after.show_progress,
                show_progress_on=after.show_progress_on,
                queue=False,
                trigger_after=after.trigger_after,
                trigger_only_on_failure=True,
                api_visibility="private",
            )


def log(what: str, error: Exception) -> None:
    """Log a refused request in one line."""
    print(f"Refused {what!r:.200}: {type(error).__name__}: {_first_line(error)!r:.200}", flush=True)


class _Answer:
    """Sends an answer with additional headers. status: of the answer once it has begun; 0 before."""

    def __init__(self, send: Send, headers: dict[str, str]) -> None:
        self.send, self.headers, self.status = send, headers, 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message).update(self.headers)
        await self.send(message)


def _refusal(status: int, text: str, seconds: float = 0, plain: bool = False) -> Response:
    headers = {"Retry-After": str(int(seconds) + 1)} if seconds else None
    if plain:
        return PlainTextResponse(text, status, headers)
    return JSONResponse({"detail": text}, status, headers)


def _too_often(what: str, seconds: float, plain: bool = False) -> Response:
    text = f"Too many {what} from your address. Try again in {int(seconds) + 1} s."
    return _refusal(429, text, seconds, plain)


async def _read(scope: Scope, receive: Receive) -> tuple[bytes | None, Receive]:
    """The body of a request (None: too large), and a function that receives it again. Raises ClientDisconnect."""
    body = bytearray()
    async for part in Request(scope, receive).stream():
        body += part
        if len(body) > MAX_BODY:
            return None, receive
    return bytes(body), _again([{"type": "http.request", "body": bytes(body), "more_body": False}], receive)


async def _peek(receive: Receive) -> tuple[str, Receive]:
    """The name of the first file of an upload, empty if it is not at the start, and a function that receives it all."""
    messages: list[Message] = []
    head = b""
    while True:
        messages.append(await receive())
        head += messages[-1].get("body", b"")
        name = _FILE_NAME.search(head)
        if name or len(head) > MAX_UPLOAD_HEAD or not messages[-1].get("more_body"):
            return name[1].decode(errors="replace") if name else "", _again(messages, receive)


def _again(messages: list[Message], receive: Receive) -> Receive:
    """A function that receives ``messages`` first."""
    waiting = deque(messages)

    async def again() -> Message:
        return waiting.popleft() if waiting else await receive()

    return again


def _is_login(scope: Scope) -> bool:
    return scope["method"] == "POST" and str(scope["path"]).rstrip("/").endswith("/login")


def _name(host: str) -> str:
    """A host without its port, in lower case."""
    match = re.fullmatch(r"\[(.*)\](?::\d*)?|([^:]*)(?::\d*)?", host.strip())
    return (next(filter(None, match.groups()), "") if match else host).lower()


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _first_line(error: Exception) -> str:
    """The first line of an error, shortened, without the server's folders."""
    lines = uploads.without_folders(str(error)).strip().splitlines() or [type(error).__name__]
    return lines[0][:200].rstrip(".") + "."
