"""A platform of the end-to-end tests: it writes down every request as it came, and answers as the platform would.

usage: upstream.py PLATFORM RECORDS CERTIFICATE [ADDRESS]

PLATFORM is a module in answers/, CERTIFICATE a path without .pem, and ADDRESS what the platform takes for its own. A
request becomes a line of RECORDS, as `meshctl platform match --requests` reads it, before it is answered. The first
line on standard output says on which ports it listens; it ends with its input.
"""

import base64
import importlib
import json
import re
import socketserver
import ssl
import sys
import threading
from collections import namedtuple
from pathlib import Path
from urllib.parse import unquote


class Request(namedtuple("Request", "method target version fields body")):
    """A request: its fields are pairs, in their order, and its body has no frame."""

    @property
    def path(self):
        return self.target.partition("?")[0]

    def among(self, routes, prefix=""):
        """The function of the first route that it is, and what its groups hold, unescaped."""
        asked = f"{self.method} {self.path.removeprefix(prefix).rstrip('/')}"
        for pattern, function in routes:
            if found := re.fullmatch(pattern, asked, re.IGNORECASE):
                return function, [unquote(group or "") for group in found.groups()]
        return None, ()

    @property
    def query(self):
        return self.target.partition("?")[2]

    def field(self, name):
        return next((value for known, value in self.fields if known.lower() == name), None)

    def json(self):
        return json.loads(self.body or b"{}")


class Answer(namedtuple("Answer", "status body fields", defaults=[b"", ()])):
    """An answer; a body that is no bytes goes out as JSON."""

    def bytes(self, is_head):
        body, fields = self.body, list(self.fields)
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
            fields.insert(0, ("Content-Type", "application/json"))
        if self.status != 204:
            fields.append(("Content-Length", len(body)))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return f"HTTP/1.1 {self.status} Of-Platform\r\n{head}\r\n".encode() + (b"" if is_head else body)


class Handler(socketserver.StreamRequestHandler):
    """A connection, on which requests follow one another."""

    # Or a small answer waits for an acknowledgement.
    disable_nagle_algorithm = True

    def handle(self):
        try:
            while (request := self.read()) and self.serve(request):
                pass
        except (ConnectionError, ssl.SSLError):
            pass

    def serve(self, request):
        self.server.record(request)
        try:
            answer = self.server.platform.answer(request)
        except Exception as error:  # a fault of the test's own: the client shows it
            answer = Answer(500, {"message": f"the upstream of the test failed: {error!r}"})
            print(f"{request.method} {request.target}: {error!r}", file=sys.stderr, flush=True)
        self.wfile.write(answer.bytes(request.method == "HEAD"))
        return request.version != "HTTP/1.0" and (request.field("connection") or "").lower() != "close"

    def read(self):
        line = self.rfile.readline().decode("latin-1")
        if not line:
            return None
        method, target, version = line.rstrip("\r\n").split(" ")
        fields = []
        while line := self.rfile.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(":")
            fields.append((name, value.strip()))
        request = Request(method, target, version, fields, b"")
        if request.field("expect"):
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return request._replace(body=self.read_body(request))

    def read_body(self, request):
        if request.field("transfer-encoding"):
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(request.field("content-length") or 0))


class Server(socketserver.ThreadingTCPServer):
    """A port, in the clear or over TLS."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, platform, record, tls=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.platform, self.record, self.tls = platform, record, tls
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, client_address):
        # In the thread of the connection, since a handshake may wait.
        try:
            super().finish_request(self.tls.wrap_socket(request, server_side=True) if self.tls else request, client_address)
        except (ConnectionError, ssl.SSLError):
            pass


class Records:
    """The file of what was asked."""

    def __init__(self, path):
        self.file, self.lock = open(path, "a", encoding="ascii"), threading.Lock()

    def __call__(self, request):
        about = {"method": request.method, "target": request.target, "headers": request.fields}
        try:
            about["body"] = request.body.decode()
        except UnicodeDecodeError:
            about["body_base64"] = base64.b64encode(request.body).decode()
        with self.lock:
            print(json.dumps(about), file=self.file, flush=True)


def main(name, records, certificate, address=None):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(f"{certificate}.pem", f"{certificate}.key")
    sys.path.insert(0, str(Path(__file__).parent / "answers"))
    platform = importlib.import_module(f"{name}_answers").Platform()
    record = Records(records)
    ports = {"http": Server(platform, record).server_address[1]}
    ports["https"] = Server(platform, record, tls).server_address[1]
    platform.address = address or f"https://localhost:{ports['https']}"
    print(json.dumps(ports), flush=True)
    sys.stdin.read()
    platform.close()


if __name__ == "__main__":
    # `Answer` here and in the platforms' modules is one class.
    sys.modules["upstream"] = sys.modules["__main__"]
    main(*sys.argv[1:])
