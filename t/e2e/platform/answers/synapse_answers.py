"""A Synapse workspace of the end-to-end tests, which works on what takes its time and pages what is long."""

from upstream import Answer

RUN = "0d5f6a6a-0000-4000-8000-000000000001"
VERSION = "api-version=2020-12-01"


class Platform:
    """Answers with addresses of its own, as the workspace does."""

    def __init__(self):
        self.polls = 0

    def answer(self, request):
        function, names = request.among(ROUTES)
        if not function:
            return Answer(404, {"error": {"code": "NotFound", "message": request.target}})
        return function(self, request, *names)

    def begin(self, name):
        """A long operation: the client asks the address in the answer how it goes."""
        self.polls = 0
        return Answer(202, {"recordId": 1, "state": "Creating", "name": name, "operationId": RUN}, self.polled())

    def polled(self):
        return [("Location", f"{self.address}/operationResults/{RUN}?{VERSION}"), ("Retry-After", 0)]

    def result(self, _request):
        self.polls += 1
        if self.polls < 2:
            return Answer(202, {"status": "InProgress"}, self.polled())
        return Answer(200, {"id": "/x", "name": "made", "type": "Microsoft.Synapse/workspaces/x", "properties": {}})

    def page(self, request, what):
        """The second page is at an absolute address."""
        first = "page=2" not in request.query
        values = [{"name": f"{what}-{1 if first else 2}", "properties": {}}]
        return Answer(200, {"value": values} | ({"nextLink": f"{self.address}/{what}?{VERSION}&page=2"} if first else {}))

    def notebook_run(self, request, run):
        if request.method == "GET":
            self.polls += 1
            status = "Succeeded" if self.polls > 1 else "InProgress"
            return Answer(200, {"status": status, "message": "ok", "result": {"runId": run, "runStatus": status}})
        self.polls = 0
        operation = f"{self.address}/notebooks/runs/{run}?api-version=2022-03-01-preview"
        return Answer(202, {"message": "ok", "result": {"runId": run, "runStatus": "Queued"}},
                      [("Operation-Location", operation), ("Retry-After", 0)])

    def close(self):
        pass


def named(_platform, _request, name):
    return Answer(200, {"id": "/x", "name": name, "etag": "e", "properties": {}})


def says(status, body=b""):
    return lambda *_: Answer(status, body)


ROLE = {"id": RUN, "roleDefinitionId": RUN, "principalId": RUN, "scope": "workspaces/w"}
POOL = "/livyApi/versions/[^/]+/sparkPools/[^/]+"
ROUTES = [
    # The client lets a name of two dots take a segment away.
    (r"POST (?:/pipelines/[^/]+)?/createRun", says(202, {"runId": RUN})),
    (r"GET /operationResults/[^/]+", Platform.result),
    (r"GET /(pipelines|notebooks|triggers|sqlScripts)", Platform.page),
    (r"GET /(?:pipelines|sqlScripts|notebooks|linkedservices|triggers)/([^/]+)", named),
    (r"(?:PUT|DELETE) /(?:pipelines|sqlScripts|linkedservices|triggers)/([^/]+)", lambda p, r, n: p.begin(n)),
    (r"POST /pipelines/([^/]+)/rename", lambda p, r, n: p.begin(n)),
    (r"POST /triggers/[^/]+/(?:start|stop)", says(200)),
    (r"POST /sparkJobDefinitions/([^/]+)/execute", lambda p, r, n: p.begin(n)),
    (r"(?:PUT|GET) /notebooks/runs/([^/]+)", Platform.notebook_run),
    (r"POST /queryPipelineRuns", says(200, {"value": [{"runId": RUN, "pipelineName": "load_orders", "status": "Succeeded"}]})),
    (rf"(?:POST|GET) {POOL}/(?:batches|sessions)(?:/\d+)?", says(200, {"id": 7, "state": "idle", "name": "b"})),
    (rf"POST {POOL}/sessions/\d+/statements", says(200, {"id": 1, "state": "waiting", "code": "1"})),
    (r"GET /roleAssignments", says(200, {"count": 1, "value": [ROLE]})),
    (r"(?:PUT|GET) /roleAssignments/[^/]+", says(200, ROLE)),
]
