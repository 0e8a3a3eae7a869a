"""databricks-sdk, with a token."""

import io
import os
from functools import cache

os.environ["DATABRICKS_CONFIG_FILE"] = os.devnull

from databricks.sdk import AccountClient, WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.service import catalog, compute, jobs, workspace


@cache
def connect(url, token):
    return WorkspaceClient(config=Config(host=url, token=token, auth_type="pat"))


def account_workspaces(client):
    config = client.config
    return AccountClient(host=config.host, account_id="acc-1", token=config.token, auth_type="pat").workspaces.list()


def submit_notebook(client, path, cluster):
    task = jobs.SubmitTask(task_key="t", existing_cluster_id=cluster, notebook_task=jobs.NotebookTask(notebook_path=path))
    return client.jobs.submit(tasks=[task]).response


def run_now(client, job, **parameters):
    return client.jobs.run_now(job, **parameters).response


def run_and_wait(client, job):
    return client.jobs.run_now_and_wait(job)


def execute_code(client, cluster, code):
    where = {"cluster_id": cluster, "context_id": "x", "language": compute.Language.SQL}
    return client.command_execution.execute(**where, command=code).response


def let_read(client, table, who):
    change = catalog.PermissionsChange(add=[catalog.Privilege.SELECT], principal=who)
    return client.grants.update("table", table, changes=[change])


def import_notebook(client, path):
    return client.workspace.import_(path, content="cHJpbnQoMSk=", language=workspace.Language.PYTHON, overwrite=True)


def upload_notebook(client, path):
    return client.workspace.upload(path, io.BytesIO(b"print(1)"), overwrite=True)


def upload(client, path, text):
    return client.files.upload(path, io.BytesIO(text.encode()), overwrite=True)


def download(client, path):
    return client.files.download(path).contents


def me_by_secret(client):
    """Who it is, by a token that the workspace is to give for a secret."""
    return WorkspaceClient(host=client.config.host, client_id="c", client_secret="s", auth_type="oauth-m2m").current_user.me()
