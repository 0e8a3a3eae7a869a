#!/bin/sh
# The connector for Databricks SQL tells why it was refused by Thrift, and not by REST.
#
# A server refuses a statement with 403, and says why in the two places that Databricks uses: the members
# "error_code" and "message" of a JSON body, and the field X-Databricks-Error-Or-Redirect-Message. By Thrift, the
# exception holds the field's text. With use_sea=True, the same connector raises an exception of the same class
# that holds only the number 403: it reads neither place. A gateway cannot tell its users more by any answer.
#
# usage: findings/databricks-sql-rest-drops-error-text.sh
#
# Exits with 0 if the connector still does so, and with 1 if it does something else.
set -eu

version=4.9.0
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" --quiet --disable-pip-version-check install "databricks-sql-connector==$version" setuptools
openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -keyout "$directory/key.pem" -out "$directory/certificate.pem" 2>"$directory/openssl"

env -u HTTPS_PROXY -u https_proxy NO_PROXY=localhost "$directory/venv/bin/python" -W ignore - "$directory" 2>"$directory/log" <<'PYTHON' || {
import http.server
import importlib.metadata
import json
import ssl
import sys
import threading

from databricks import sql

directory = sys.argv[1]
certificate = f"{directory}/certificate.pem"
because = "the warehouse is not yours"
asked = []


class Refusing(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked.append(self.path)
        body = json.dumps({"error_code": "PERMISSION_DENIED", "message": because}).encode()
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Databricks-Error-Or-Redirect-Message", because)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, f"{directory}/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()

print("databricks-sql-connector", importlib.metadata.version("databricks-sql-connector"))
said = {}
for use_sea in (False, True):
    asked.clear()
    try:
        sql.connect(
            server_hostname="localhost", http_path="/sql/1.0/warehouses/w-1", access_token="dapi0", use_sea=use_sea,
            _port=server.server_port, _tls_trusted_ca_file=certificate, enable_telemetry=False,
        )
        said[use_sea] = ("no exception", "")
    except Exception as error:
        said[use_sea] = (type(error).__name__, str(error))
    print(f"use_sea={use_sea}: {' '.join(asked)}: {said[use_sea][0]}: {said[use_sea][1]}")

as_told = (
    said[False][0] == said[True][0] == "RequestError"
    and because in said[False][1]
    and because not in said[True][1]
    and "403" in said[True][1]
)
print("as told" if as_told else "CHANGED")
sys.exit(not as_told)
PYTHON
    cat "$directory/log" >&2
    exit 1
}
