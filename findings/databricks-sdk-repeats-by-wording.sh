#!/bin/sh
# Databricks' SDK repeats a request that was refused for good, if the message holds a certain phrase.
#
# The SDK looks into the text of every error, whatever its status and its error_code are. It raises a 403 with
# PERMISSION_DENIED at once. If the message of the same 403 holds "Unexpected error", which its list of passing faults
# has, it asks again until retry_timeout_seconds are over, 300 s by default, and then raises TimeoutError instead of
# PermissionDenied. So the wording of a refusal decides how long its caller waits, and what is caught.
#
# usage: findings/databricks-sdk-repeats-by-wording.sh
#
# Exits with 0 if the SDK still does so, and with 1 if it does something else.
set -eu

version=0.162.0
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" --quiet --disable-pip-version-check install "databricks-sdk==$version"

env -i PATH="$PATH" HOME="$directory" NO_PROXY=127.0.0.1 "$directory/venv/bin/python" - <<'PYTHON'
import http.server
import importlib.metadata
import json
import sys
import threading

from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config

asked = []
message = ""


class Refusing(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, answer = 404, {}
        if self.path.startswith("/api/"):
            asked.append(self.path)
            status, answer = 403, {"error_code": "PERMISSION_DENIED", "message": message}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
threading.Thread(target=server.serve_forever, daemon=True).start()

print("databricks-sdk", importlib.metadata.version("databricks-sdk"))
seen = []
for message in ("The notebook is not yours", "Unexpected error: the notebook is not yours"):
    asked.clear()
    workspace = WorkspaceClient(config=Config(
        host=f"http://127.0.0.1:{server.server_port}", token="dapi0", retry_timeout_seconds=4))
    try:
        workspace.workspace.get_status("/Users/a/Report")
        raised = "nothing"
    except Exception as error:
        raised = type(error).__name__
    seen.append((len(asked), raised))
    print(f"403 PERMISSION_DENIED, {message!r}: asked {len(asked)} times, raised {raised}")

(once, raised), (times, raised_at_last) = seen
as_told = once == 1 and raised == "PermissionDenied" and times > 1 and raised_at_last == "TimeoutError"
print("as told" if as_told else "CHANGED")
sys.exit(not as_told)
PYTHON
