"""A model hub on this machine, as far as huggingface-hub talks to one when it uploads and fetches folders."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from serving import ROOT

COMMIT = "0" * 40


@dataclass
class Hub:
    """What was uploaded: repository -> path -> bytes. sent: paths that were downloaded.

    breaks: paths whose next download breaks off near its end.
    """

    url: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    made: list[dict[str, Any]] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    breaks: set[str] = field(default_factory=set)
    ranges: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)


@contextmanager
def standing_in() -> Iterator[Hub]:
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (_Answers,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def run(hub: Hub, folder: Path, *command: str, token: str = "stand-in") -> subprocess.CompletedProcess[str]:
    """Run Python with ``command``, which meets ``hub``, and ``folder`` as the package's weights."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": token,
        "HF_HOME": str(folder.parent / "home"),
        "HF_HUB_DISABLE_XET": "1",  # the stand-in speaks the older protocol
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "FACEINP_WEIGHTS": str(folder),
    }
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


class _Answers(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:  # noqa: PLR0911 - one return for each route
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != "Bearer stand-in":
            return self._json({"error": "Invalid user token."}, 401)
        if self.path == "/api/repos/create":
            wanted = json.loads(body)
            name = f"{wanted.get('organization')}/{wanted['name']}"
            self.hub.made.append(wanted)
            self.hub.repositories.setdefault(name, {})
            kind = "spaces/" if wanted.get("type") == "space" else ""
            return self._json({"url": f"{self.hub.url}/{kind}{name}", "name": name})
        if self.path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if "/preupload/" in self.path:
            files = json.loads(body)["files"]
            modes = ["lfs" if file["path"].endswith((".safetensors", ".onnx")) else "regular" for file in files]
            return self._json(
                {
                    "files": [
                        {"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": None}
                        for file, mode in zip(files, modes, strict=True)
                    ]
                }
            )
        if self.path.endswith("/info/lfs/objects/batch"):
            objects = [
                {**each, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{each['oid']}"}}}
                for each in json.loads(body)["objects"]
            ]
            return self._json({"transfer": "basic", "objects": objects})
        if found := re.match(r"/api/(?:models|spaces)/([^/]+/[^/]+)/commit/main", self.path):
            files = self.hub.repositories[found[1]]
            for line in map(json.loads, body.decode().splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = self.hub.objects[value["oid"]]
                elif line["key"] == "deletedFile":
                    del files[value["path"]]
            return self._json({"commitUrl": f"{self.hub.url}/{found[1]}/commit/{COMMIT}", "commitOid": COMMIT})
        return self._json({"error": self.path}, 404)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert hashlib.sha256(body).hexdigest() == self.path.removeprefix("/lfs/")
        self.hub.objects[hashlib.sha256(body).hexdigest()] = body
        self._json({})

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if found := re.match(r"/api/(?:models|spaces)/([^/]+/[^/]+)(?:/revision/[^/]+)?$", path):
            files = self.hub.repositories.get(found[1])
            if files is None:
                return self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
            siblings = [{"rfilename": name} for name in files]
            return self._json({"id": found[1], "sha": COMMIT, "siblings": siblings})
        if found := re.match(r"/api/(?:models|spaces)/([^/]+/[^/]+)/tree/", path):
            entries = [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in self.hub.repositories[found[1]].items()
            ]
            return self._json(entries)
        if found := re.match(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            return self._file(found[2], self.hub.repositories.get(found[1], {}).get(found[2]))
        return self._json({"error": path}, 404)

    do_HEAD = do_GET  # noqa: N815 (the name http.server looks for)

    def _file(self, name: str, data: bytes | None) -> None:
        if data is None:
            return self._json({"error": name}, 404, {"X-Error-Code": "EntryNotFound"})
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(wanted[1]) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(data) - first))
        if wanted:
            self.hub.ranges.append(name)
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if self.command == "HEAD":
            return
        self.hub.sent.append(name)
        if name in self.hub.breaks:
            self.hub.breaks.remove(name)
            self.wfile.write(data[:-1000])
            self.close_connection = True
            return
        self.wfile.write(data[first:])

    def _json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for key, text in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(key, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
