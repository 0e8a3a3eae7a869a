#!/bin/sh
# azure-core repeats a request that was answered by 403, if the answer has a Retry-After.
#
# The statuses that azure-core repeats are 408, 429, 500, 502, 503 and 504, as its own list says. A field Retry-After is
# enough by itself: with it, a request that is answered by 401, 403 or 404 is sent four times in all, a POST as well. Then
# the caller gets the last answer. The clients of the Azure SDK for Python have this policy unless told otherwise.
#
# usage: findings/azure-core-repeats-403-with-retry-after.sh
#
# Exits with 0 if azure-core still does so, and with 1 if it does something else.
set -eu

version=1.41.0
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" --quiet --disable-pip-version-check install "azure-core==$version"

env -i PATH="$PATH" HOME="$directory" NO_PROXY=127.0.0.1 "$directory/venv/bin/python" - <<'PYTHON'
import http.server
import importlib.metadata
import sys
import threading

from azure.core import PipelineClient
from azure.core.pipeline.policies import RetryPolicy
from azure.core.rest import HttpRequest

asked = 0


class Refusing(http.server.BaseHTTPRequestHandler):
    def answer(self):
        global asked
        asked += 1
        _, status, later = self.path.split("/")
        self.send_response(int(status))
        if later == "later":
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
client = PipelineClient(address, policies=[RetryPolicy()])

print("azure-core", importlib.metadata.version("azure-core"))
as_told = True
for method in ("GET", "POST"):
    for status in (401, 403, 404):
        for later, times in (("now", 1), ("later", 4)):
            asked = 0
            got = client.send_request(HttpRequest(method, f"{address}/{status}/{later}")).status_code
            said = "with Retry-After" if later == "later" else "without Retry-After"
            print(f"{method}, {status} {said}: asked {asked} times, then gives {got}")
            as_told = as_told and asked == times and got == status
print("as told" if as_told else "CHANGED")
sys.exit(not as_told)
PYTHON
