"""What a server that others reach needs besides the page: headers, limits, and no alarm about odd requests.

One ASGI middleware around Gradio's application, and not Starlette's base class for them, which would hold back streams.
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
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import uploads
from .rates import Logins, Rates, client_address

FILLS = 30  # a minute from one address, uploads twice as many, see ``Rules``
UPLOADS_A_FILL = 2
PICTURES_AN_UPLOAD = 60  # of the editor, which sends three at every turn, and many turns a second
HEAVY = ("fill", "find", "identity")  # what counts as a fill, by Gradio's concurrency_id
LARGEST_BODY = 32 << 20  # bytes of a request that uploads nothing
PEEKED = 4096  # bytes of an upload in which the name of its first file stands
UNKNOWN_HOST = "This server does not accept the host name {!r}. Its operator can allow it with --allowed-host."
HERE = frozenset({"localhost", "127.0.0.1", "::1"})
# Gradio's page starts by inline scripts, makes functions of its HTML's templates and of the editor's shaders, styles
# itself inline, and shows pictures and runs workers from memory.
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
# What Gradio's routes raise about requests of a shape that they do not know.
_ODD = (LookupError, TypeError, ValueError, AttributeError, FnIndexInferError)


@dataclass(frozen=True)
class Rules:
    """What is served to whom.

    allowed_hosts: the names that a request may ask for; empty for any. frame_ancestors: who may show the page in a
    frame, as Content-Security-Policy says it. fills: how many one address may order in a minute, 0 for any number; of
    uploads it may send twice as many.
    """

    allowed_hosts: tuple[str, ...] = ()
    frame_ancestors: str = "'self'"
    fills: int = FILLS

    @classmethod
    def of(cls, host: str, allowed_hosts: tuple[str, ...], frame_ancestors: str, fills: int) -> "Rules":
        """The rules of a server that listens on ``host``.

        One that serves this machine alone answers to this machine's names, so that no web page elsewhere reaches it by
        a name of its own that leads here; any other one answers to every name unless some are allowed.
        """
        if not allowed_hosts and not _loopback(host):
            return cls((), frame_ancestors, fills)
        return cls((*sorted(HERE), host, *allowed_hosts), frame_ancestors, fills)


class Guard:
    """The middleware. blocks: the page, whose endpoints it knows."""

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
        self.fills, self.uploads = Rates(rules.fills), Rates(UPLOADS_A_FILL * rules.fills)
        self.pictures = Rates(PICTURES_AN_UPLOAD * UPLOADS_A_FILL * rules.fills)
        self.logins = Logins()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(send, self.headers)
        try:
            refusal, receive = await self._look(scope, receive)
            await (refusal or self.app)(scope, receive, answer)
            if answer.status < 400 and _is_login(scope):
                self.logins.right(client_address(scope))
        except ClientDisconnect:  # whoever left wants no answer
            return
        except Exception as error:
            await self._calm(error, scope, receive, answer)

    async def _look(self, scope: Scope, receive: Receive) -> tuple[Response | None, Receive]:
        """Why a request is refused, if it is, and how to receive it."""
        host = _name(Headers(scope=scope).get("host", ""))
        if self.rules.allowed_hosts and host not in map(_name, self.rules.allowed_hosts):
            return _refusal(403, UNKNOWN_HOST.format(host[:100])), receive
        if scope["method"] != "POST":
            return None, receive
        if _is_login(scope):
            return await self._login(scope), receive
        if scope["path"].rstrip("/").endswith("/upload"):
            name, receive = await _peek(receive)
            rates = self.pictures if uploads.EDITORS.fullmatch(name) else self.uploads
            seconds = rates.wait(client_address(scope))
            return (_too_often("uploads", seconds, plain=True) if seconds else None), receive
        if Headers(scope=scope).get("content-type", "").startswith("multipart/"):
            return None, receive
        body, receive = await _read(receive)
        if body is None:
            return _refusal(413, f"Requests are limited to {LARGEST_BODY >> 20} MB. Upload files first."), receive
        return self._call(scope, body), receive

    async def _login(self, scope: Scope) -> Response | None:
        seconds = self.logins.wait(client_address(scope))
        if seconds > self.logins.LONGEST:
            return _too_often("log-ins", seconds)
        await asyncio.sleep(seconds)
        return None

    def _call(self, scope: Scope, body: bytes) -> Response | None:
        """Why a call of an endpoint is refused, if it is one."""
        call = _CALL.search(scope["path"])
        if call is None:
            return None
        name, number = call[1] or call[2], None
        if call[1] is None:  # where a number in the body goes before the name
            try:
                sent = json.loads(body)["fn_index"]
                number = sent if isinstance(sent, int) else None
            except (ValueError, LookupError, TypeError, RecursionError):
                pass  # Gradio says what is wrong with it
        if number is None and name is not None:
            number = self.names.get(name, -1)
        if number is not None and number not in self.heavy:
            return _refusal(404, f"Unknown endpoint {name or number!r:.80}. {_SEE_INFO}")
        if number is None or not self.heavy[number]:
            return None
        seconds = self.fills.wait(client_address(scope))
        return _too_often("fills", seconds) if seconds else None

    async def _calm(self, error: Exception, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        """Answer what Gradio failed at because of the request; raises what is the server's own fault."""
        if answer.status and "/file=" in scope["path"] and isinstance(error, OSError):
            return  # it went while it was being sent: the connection ends early
        if answer.status:
            if not isinstance(error.__cause__, HTTPException):
                raise error
            await answer({"type": "http.response.body", "body": b""})  # a stream that nobody is heard on
        elif "/file=" in scope["path"] and isinstance(error, RuntimeError | OSError):
            await _refusal(404, "The file no longer exists.")(scope, receive, answer)
        elif isinstance(error, _ODD):
            log(f"{scope['method']} {scope['path']}", error)
            text = f"The server does not understand this request. {_first_line(error)} {_SEE_INFO}"
            await _refusal(400, text)(scope, receive, answer)
        else:
            raise error


_SEE_INFO = "GET /gradio_api/info describes the endpoints."


def take_calmly(blocks: gr.Blocks) -> None:
    """Have ``blocks`` say in one line which arguments an endpoint does not take, and not as a traceback in the log."""
    takes: Callable[..., Any] = blocks.preprocess_data

    async def preprocess_data(block_fn: Any, *rest: Any, **more: Any) -> Any:
        try:
            return await takes(block_fn, *rest, **more)
        except gr.Error:
            raise
        except Exception as error:
            log(f"arguments of {block_fn.api_name}", error)
            text = f"/{block_fn.api_name} cannot use these arguments. {_first_line(error)} {_SEE_INFO}"
            raise gr.Error(text, print_exception=False) from error

    setattr(blocks, "preprocess_data", preprocess_data)  # noqa: B010 (to mypy a method is nothing to assign to)


def end_after_errors(blocks: gr.Blocks) -> None:
    """Wire what comes ``then``, and changes nothing but the page, after what failed, too: Gradio's page runs it after
    what went well only, and a button that a refused fill had switched off would stay so.
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
    """One line about a request that was refused."""
    print(f"Refused {what!r:.200}: {type(error).__name__}: {_first_line(error)!r:.200}", flush=True)


class _Answer:
    """Sends an answer with headers of ours. status: of the answer once it has begun; 0 before."""

    def __init__(self, send: Send, headers: dict[str, str]) -> None:
        self.send, self.headers, self.status = send, headers, 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message).update(self.headers)
        await self.send(message)


def _refusal(status: int, said: str, seconds: float = 0, plain: bool = False) -> Response:
    headers = {"Retry-After": str(int(seconds) + 1)} if seconds else None
    if plain:
        return PlainTextResponse(said, status, headers)
    return JSONResponse({"detail": said}, status, headers)


def _too_often(what: str, seconds: float, plain: bool = False) -> Response:
    said = f"Too many {what} from your address. Try again in {int(seconds) + 1} s."
    return _refusal(429, said, seconds, plain)


async def _read(receive: Receive) -> tuple[bytes | None, Receive]:
    """The body of a request, None where it is too large, and a way to receive it again. Raises ClientDisconnect."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LARGEST_BODY:
            return None, receive
        if not message.get("more_body"):
            body = b"".join(parts)
            return body, _again([{"type": "http.request", "body": body, "more_body": False}], receive)


async def _peek(receive: Receive) -> tuple[str, Receive]:
    """The name of the first file of an upload, empty where it is not at its start, and a way to receive all of it."""
    messages: list[Message] = []
    head = b""
    while True:
        messages.append(await receive())
        head += messages[-1].get("body", b"")
        name = _FILE_NAME.search(head)
        if name or len(head) > PEEKED or not messages[-1].get("more_body"):
            return name[1].decode(errors="replace") if name else "", _again(messages, receive)


def _again(messages: list[Message], receive: Receive) -> Receive:
    waiting = deque(messages)

    async def again() -> Message:
        return waiting.popleft() if waiting else await receive()

    return again


def _is_login(scope: Scope) -> bool:
    return scope["method"] == "POST" and str(scope["path"]).rstrip("/").endswith("/login")


def _name(host: str) -> str:
    """A host without its port, in lower case."""
    found = re.fullmatch(r"\[(.*)\](?::\d*)?|([^:]*)(?::\d*)?", host.strip())
    return (next(filter(None, found.groups()), "") if found else host).lower()


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _first_line(error: Exception) -> str:
    """What an error says, shortly and without the server's folders."""
    lines = uploads.without_folders(str(error)).strip().splitlines() or [type(error).__name__]
    return lines[0][:200].rstrip(".") + "."
