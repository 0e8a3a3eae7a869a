"""kafka-bridge-client, for Strimzi's bridge and Confluent's proxy."""

import asyncio

import requests
from kafka_bridge_client import KafkaBridgeConsumer, KafkaBridgeProducer

default_headers = requests.utils.default_headers


def connect(url, token):
    fields = {"Authorization": f"Bearer {token}"}
    # The producer has no place for a credential: a sidecar would add it.
    requests.sessions.default_headers = lambda: requests.structures.CaseInsensitiveDict(default_headers(), **fields)
    return url, fields


def send(client, topic, value, binary=False):
    record = {"key": "1", "value": value.encode() if binary else value}
    return KafkaBridgeProducer(client[0], timeout=20).send(topic, record, binary)


def consume(client, group, *topics, proxy="strimzi"):
    """Subscribes, reads what there is, commits, and leaves."""

    async def run():
        consumer = KafkaBridgeConsumer(
            *topics, bootstrap_server=client[0], group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
            consumer_name="c1", sleep_interval_seconds=0, headers=client[1], proxy=proxy,
        )
        async with consumer:
            records = []
            for _ in range(20):
                records += await consumer.poll_records(max_bytes=100_000, timeout=1000)
                if records:
                    break
            await consumer.commit()
            return records

    return asyncio.run(run())
