"""dbt-cloud-cli, the command dbt-cloud."""

from click.testing import CliRunner
from dbt_cloud.cli import dbt_cloud


def connect(url, token):
    return {"DBT_CLOUD_HOST": url.removeprefix("https://"), "DBT_CLOUD_API_TOKEN": token, "DBT_CLOUD_ACCOUNT_ID": "1"}


def run(env, *words):
    """What the command prints; what ends it."""
    result = CliRunner().invoke(dbt_cloud, words, env=env)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code:
        raise RuntimeError(f"exit {result.exit_code}: {result.output}")
    return result.output
