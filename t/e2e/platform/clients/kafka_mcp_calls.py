"""kafka-mcp's client of the REST API: version 3, and the consumers of version 2."""

from kafka_mcp.api_client import Api


def connect(url, token):
    return Api(url, token=token)
