"""dbtc, dbt Cloud's functions in Python."""

from dbtc import dbtCloudClient


def connect(url, token):
    return dbtCloudClient(api_key=token, service_token=token, host=url.removeprefix("https://"), environment_id=3)


def trigger_and_poll(client, *args):
    return client.cloud.trigger_job(*args, should_poll=True, poll_interval=0)
