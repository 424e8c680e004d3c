"""A stand-in for Triton: a folder's ONNX files behind the inference protocol v2, by HTTP or gRPC, on a free port."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnxruntime

TYPES = {"UINT8": np.uint8, "FP32": np.float32}
NAMES = {np.dtype(kind): name for name, kind in TYPES.items()}


class Models:
    """The ONNX files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def infer(self, model: str, inputs: dict[str, tuple[str, list[int], bytes]]) -> dict[str, np.ndarray]:
        """inputs: type, shape and bytes by name."""
        file = self.folder / f"{model}.onnx"
        if not file.is_file():
            raise KeyError(f"Request for unknown model: '{model}' is not found")
        arrays = {
            name: np.frombuffer(content, TYPES[kind]).reshape(shape) for name, (kind, shape, content) in inputs.items()
        }
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        names = [port.name for port in session.get_outputs()]
        return dict(zip(names, session.run(None, arrays), strict=True))


@contextmanager
def by_http(folder: Path) -> Iterator[str]:
    loaded = Models(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            length = int(self.headers.get("Inference-Header-Content-Length", len(body)))
            at, inputs = length, {}
            for port in json.loads(body[:length])["inputs"]:
                size = port["parameters"]["binary_data_size"]
                inputs[port["name"]] = (port["datatype"], port["shape"], body[at : at + size])
                at += size
            try:
                outputs = loaded.infer(self.path.split("/")[3], inputs)
            except KeyError as error:
                self._answer(404, json.dumps({"error": str(error)}).encode())
                return
            described = [
                {
                    "name": name,
                    "datatype": NAMES[value.dtype],
                    "shape": list(value.shape),
                    "parameters": {"binary_data_size": value.nbytes},
                }
                for name, value in outputs.items()
            ]
            header = json.dumps({"model_name": "restorer", "outputs": described}).encode()
            content = b"".join(value.tobytes() for value in outputs.values())
            self._answer(200, header + content, len(header))

        def _answer(self, code: int, content: bytes, header: int = 0) -> None:
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            if header:
                self.send_header("Inference-Header-Content-Length", str(header))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def by_grpc(folder: Path) -> Iterator[str]:
    import grpc
    from tritonclient.grpc import service_pb2, service_pb2_grpc

    loaded = Models(folder)

    class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):
        def ModelInfer(self, request, context):  # noqa: N802  (the protocol calls it so)
            given = zip(request.inputs, request.raw_input_contents, strict=True)
            inputs = {port.name: (port.datatype, list(port.shape), content) for port, content in given}
            try:
                outputs = loaded.infer(request.model_name, inputs)
            except KeyError as error:
                context.abort(grpc.StatusCode.NOT_FOUND, str(error))
            answer = service_pb2.ModelInferResponse(model_name=request.model_name)
            for name, value in outputs.items():
                answer.outputs.add(name=name, datatype=NAMES[value.dtype], shape=value.shape)
                answer.raw_output_contents.append(value.tobytes())
            return answer

    server = grpc.server(ThreadPoolExecutor(1))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
