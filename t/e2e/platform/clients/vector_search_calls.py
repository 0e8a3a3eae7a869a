"""databricks-vectorsearch, with a token."""

import os

os.environ["DATABRICKS_CONFIG_FILE"] = os.devnull

from databricks.vector_search.client import VectorSearchClient


def connect(url, token):
    return VectorSearchClient(workspace_url=url, personal_access_token=token, disable_notice=True)


def search(client, endpoint, index):
    return client.get_index(endpoint, index).similarity_search(query_text="q", columns=["id"], num_results=1)


def scan(client, endpoint, index):
    return client.get_index(endpoint, index).scan()


def upsert(client, endpoint, index):
    return client.get_index(endpoint, index).upsert([{"id": 1}])
