#!/bin/sh
# The connector for Databricks SQL sends a token of another issuer to port 443, whatever port it was given.
#
# An access token that is a JWT, and whose "iss" is not the host, is exchanged first: the connector sends it to
# /oidc/v1/token of the host. For that it knows only server_hostname: _port, which holds for the statements themselves,
# is lost. If the exchange fails, it goes on with the token that it was given. So beside a gateway on another port, each
# connection first offers the token to whoever listens on 443, or waits for nobody to answer there.
#
# The addresses are read from the CONNECT requests to a proxy that lets none of them through.
#
# usage: findings/databricks-sql-exchanges-tokens-at-port-443.sh
#
# Exits with 0 if the connector still does so, and with 1 if it does something else.
set -eu

version=4.9.0
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" --quiet --disable-pip-version-check install "databricks-sql-connector==$version" setuptools

env -i PATH="$PATH" HOME="$directory" "$directory/venv/bin/python" -W ignore - 2>"$directory/log" <<'PYTHON' || {
import base64
import http.server
import importlib.metadata
import json
import os
import sys
import threading
import time

connects = []


class Proxy(http.server.BaseHTTPRequestHandler):
    def do_CONNECT(self):
        connects.append(self.path)
        self.send_response(502)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
threading.Thread(target=proxy.serve_forever, daemon=True).start()
os.environ["HTTPS_PROXY"] = os.environ["https_proxy"] = f"http://127.0.0.1:{proxy.server_port}"

from databricks import sql


def token(issuer):
    parts = ({"alg": "RS256"}, {"iss": issuer, "exp": int(time.time()) + 600})
    head, claims = (base64.urlsafe_b64encode(json.dumps(it).encode()).decode().rstrip("=") for it in parts)
    return f"{head}.{claims}.c2ln"


print("databricks-sql-connector", importlib.metadata.version("databricks-sql-connector"))
seen = {}
for issuer in ("https://gateway.test", "https://idp.test"):
    connects.clear()
    try:
        sql.connect(
            server_hostname="gateway.test", _port=8443, http_path="/sql/1.0/warehouses/w-1", access_token=token(issuer),
            enable_telemetry=False, _retry_stop_after_attempts_count=1, _retry_stop_after_attempts_duration=3,
        )
    except Exception:
        pass
    seen[issuer] = sorted(set(connects))
    print(f"server_hostname gateway.test, _port 8443, iss {issuer}: connects to {' '.join(seen[issuer])}")

as_told = seen["https://gateway.test"] == ["gateway.test:8443"] \
    and seen["https://idp.test"] == ["gateway.test:443", "gateway.test:8443"]
print("as told" if as_told else "CHANGED")
sys.exit(not as_told)
PYTHON
    cat "$directory/log" >&2
    exit 1
}
