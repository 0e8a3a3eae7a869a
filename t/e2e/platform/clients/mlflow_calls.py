"""mlflow-skinny, with the tracking and the registry of Databricks."""

import os

os.environ["DATABRICKS_CONFIG_FILE"] = os.devnull
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "2"

from mlflow.deployments import get_deploy_client
from mlflow.tracking import MlflowClient


def connect(url, token):
    os.environ.update(DATABRICKS_HOST=url, DATABRICKS_TOKEN=token)
    return MlflowClient(tracking_uri="databricks", registry_uri="databricks-uc")


def log(client, experiment):
    run = client.create_run(experiment, start_time=1)
    client.log_metric(run.info.run_id, "loss", 0.5, timestamp=1)
    client.set_terminated(run.info.run_id, end_time=2)
    return run.info.run_id


def predict(client, endpoint):
    del client
    return get_deploy_client("databricks").predict(endpoint=endpoint, inputs={"messages": []})
