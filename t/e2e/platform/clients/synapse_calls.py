"""azure-synapse-artifacts, -spark and -accesscontrol."""

import uuid

from azure.core.credentials import AccessToken
from azure.synapse.accesscontrol import AccessControlClient
from azure.synapse.artifacts import ArtifactsClient, models
from azure.synapse.spark import SparkClient
from azure.synapse.spark import models as spark


class Credential:
    """A token that somebody else has got."""

    def __init__(self, token):
        self.token = token

    def get_token(self, *_scopes, **_more):
        return AccessToken(self.token, 1 << 40)


class Clients:
    """One of each; the spark client knows its pool."""

    def __init__(self, url, token, certificate=None):
        self.url, self.credential = url, Credential(token)
        # A path without .pem.
        self.more = {"connection_cert": (f"{certificate}.pem", f"{certificate}.key")} if certificate else {}
        self.artifacts = ArtifactsClient(self.credential, url, **self.more)
        self.access = AccessControlClient(self.credential, url, **self.more)

    def spark(self, pool):
        return SparkClient(self.credential, self.url, pool, **self.more)


connect = Clients


def names(pages):
    return [it.name for it in pages]


def list_pipelines(clients):
    return names(clients.artifacts.pipeline.get_pipelines_by_workspace())


def list_notebooks(clients):
    return names(clients.artifacts.notebook.get_notebooks_by_workspace())


def write_pipeline(clients, name):
    pipeline = models.PipelineResource(activities=[])
    return clients.artifacts.pipeline.begin_create_or_update_pipeline(name, pipeline, polling_interval=0).result().name


def write_script(clients, name):
    content = models.SqlScriptContent(query="select 1", current_connection=None)
    script = models.SqlScriptResource(name=name, properties=models.SqlScript(content=content))
    return clients.artifacts.sql_script.begin_create_or_update_sql_script(name, script, polling_interval=0).result().name


def start_trigger(clients, name):
    return clients.artifacts.trigger.begin_start_trigger(name, polling_interval=0).result()


def write_trigger(clients, name, *pipelines):
    references = [
        models.PipelineReference(type="PipelineReference", reference_name=pipeline) for pipeline in pipelines
    ]
    pipelines = [models.TriggerPipelineReference(pipeline_reference=it) for it in references]
    hourly = models.ScheduleTriggerRecurrence(frequency="Hour", interval=1)
    trigger = models.ScheduleTrigger(pipelines=pipelines, recurrence=hourly)
    poller = clients.artifacts.trigger.begin_create_or_update_trigger(name, trigger, polling_interval=0)
    return poller.result().name


def run_notebook(clients, run, notebook, pool):
    request = models.RunNotebookRequest(notebook=notebook, spark_pool=pool)
    return clients.artifacts.run_notebook.begin_create_run(run, request, polling_interval=0).result()


def query_runs(clients):
    filters = models.RunFilterParameters(last_updated_after="2026-01-01T00:00:00Z", last_updated_before="2026-01-02T00:00:00Z")
    return clients.artifacts.pipeline_run.query_pipeline_runs_by_workspace(filters)


def submit_batch(clients, pool):
    options = spark.SparkBatchJobOptions(name="b", file="abfss://x@y/z.jar")
    return clients.spark(pool).spark_batch.create_spark_batch_job(options, detailed=True).id


def run_statement(clients, pool, code):
    return clients.spark(pool).spark_session.create_spark_statement(1, spark.SparkStatementOptions(code=code, kind="sql")).id


def roles(clients):
    return clients.access.role_assignments.list_role_assignments()


def assign_role(clients, name):
    who = uuid.UUID(int=1)
    return clients.access.role_assignments.create_role_assignment(name, role_id=who, principal_id=who, scope="workspaces/w")
