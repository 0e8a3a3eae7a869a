"""databricks-sql-connector: Thrift, which is what it speaks unless told otherwise, and SEA."""

import os
from urllib.parse import urlsplit

from databricks import sql
from databricks.sql.auth import token_federation


def connect(url, token):
    at = urlsplit(url)
    # A token of another issuer than the host's is exchanged first, at a host of which only the name is asked.
    token_federation.normalize_host_with_protocol = lambda _hostname: url
    return {
        "server_hostname": at.hostname, "_port": at.port, "access_token": token, "use_cloud_fetch": False,
        # What it tells of itself it sends to port 443.
        "enable_telemetry": False, "_tls_trusted_ca_file": os.environ["REQUESTS_CA_BUNDLE"], "_retry_stop_after_attempts_count": 3,
    }


def execute(settings, warehouse, statement, **more):
    with sql.connect(http_path=f"/sql/1.0/warehouses/{warehouse}", **settings, **more) as connection:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return [list(row) for row in cursor.fetchall()]


def tables(settings, warehouse):
    with sql.connect(http_path=f"/sql/1.0/warehouses/{warehouse}", **settings) as connection:
        with connection.cursor() as cursor:
            return [list(row) for row in cursor.tables(catalog_name="main", schema_name="s").fetchall()]
