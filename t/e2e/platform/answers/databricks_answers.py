"""A Databricks workspace of the end-to-end tests: REST, the SQL execution of both kinds, MLflow and vector search."""

from urllib.parse import parse_qs

from databricks.sql.thrift_api.TCLIService import TCLIService, ttypes
from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
from thrift.transport.TTransport import TMemoryBuffer
from upstream import Answer

PROTOCOL = ttypes.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V8
OK = ttypes.TStatus(statusCode=ttypes.TStatusCode.SUCCESS_STATUS)
HANDLE = ttypes.THandleIdentifier(guid=b"O" * 16, secret=b"S" * 16)


class Thrift:
    """The warehouse behind Thrift: each statement has one column with one row."""

    def OpenSession(self, _request):
        session = ttypes.TSessionHandle(sessionId=HANDLE, serverProtocolVersion=PROTOCOL)
        return ttypes.TOpenSessionResp(status=OK, serverProtocolVersion=PROTOCOL, sessionHandle=session)

    def CloseSession(self, _request):
        return ttypes.TCloseSessionResp(status=OK)

    def ExecuteStatement(self, request):
        return ttypes.TExecuteStatementResp(**self.direct(request.statement, ttypes.TOperationType.EXECUTE_STATEMENT))

    def GetTables(self, _request):
        return ttypes.TGetTablesResp(**self.direct("orders", ttypes.TOperationType.GET_TABLES))

    def CloseOperation(self, _request):
        return ttypes.TCloseOperationResp(status=OK)

    def direct(self, value, kind):
        entry = ttypes.TPrimitiveTypeEntry(type=ttypes.TTypeId.STRING_TYPE)
        types = ttypes.TTypeDesc(types=[ttypes.TTypeEntry(primitiveEntry=entry)])
        schema = ttypes.TTableSchema(columns=[ttypes.TColumnDesc(columnName="said", typeDesc=types, position=1)])
        column = ttypes.TColumn(stringVal=ttypes.TStringColumn(values=[value], nulls=b"\0"))
        return {
            "status": OK,
            "operationHandle": ttypes.TOperationHandle(operationId=HANDLE, operationType=kind, hasResultSet=True),
            "directResults": ttypes.TSparkDirectResults(
                operationStatus=ttypes.TGetOperationStatusResp(status=OK, operationState=ttypes.TOperationState.FINISHED_STATE),
                resultSetMetadata=ttypes.TGetResultSetMetadataResp(
                    status=OK, schema=schema, resultFormat=ttypes.TSparkRowSetType.COLUMN_BASED_SET),
                resultSet=ttypes.TFetchResultsResp(
                    status=OK, hasMoreRows=False, results=ttypes.TRowSet(startRowOffset=0, rows=[], columns=[column])),
                closeOperation=ttypes.TCloseOperationResp(status=OK)),
        }


class Platform:
    """The workspace; it tells its own address, and that of a store beside it."""

    def __init__(self):
        self.thrift, self.polls = TCLIService.Processor(Thrift()), 0

    def answer(self, request):
        if request.path.startswith("/sql/"):
            return self.answer_thrift(request.body)
        function, names = request.among(ROUTES)
        return function(self, request, *names) if function else Answer(200, {})

    def answer_thrift(self, body):
        answer = TMemoryBuffer()
        self.thrift.process(TBinaryProtocolAccelerated(TMemoryBuffer(body)), TBinaryProtocolAccelerated(answer))
        return Answer(200, answer.getvalue(), [("Content-Type", "application/x-thrift")])

    def host_metadata(self, _request):
        return Answer(200, {"oidc_endpoint": f"{self.address}/oidc", "account_id": "acc-1"})

    def run(self, _request):
        self.polls += 1
        done = {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}
        state = {"life_cycle_state": "RUNNING"} if self.polls % 2 else done
        return Answer(200, {"run_id": 7, "job_id": 42, "state": state})

    def presigned(self, _request):
        return Answer(200, {"url": f"{self.address}/presigned/get?sig=s", "headers": []})

    def close(self):
        pass


def says(body):
    return lambda *_: Answer(200, body)


EXPERIMENT = {"experiment_id": "1", "name": "/Shared/exp", "artifact_location": "dbfs:/databricks/mlflow-tracking/1",
    "lifecycle_stage": "active"}
RUN = {"info": {"run_id": "r" * 32, "run_uuid": "r" * 32, "experiment_id": "1", "status": "RUNNING",
    "artifact_uri": "dbfs:/databricks/mlflow-tracking/1/r/artifacts"},
       "data": {}}
MODEL = {"name": "main.s.m", "latest_versions": []}
INDEX = {"endpoint_name": "ep", "primary_key": "id", "index_type": "DELTA_SYNC", "status": {"ready": True},
         "delta_sync_index_spec": {"embedding_source_columns": [{"name": "t"}]}}
SUCCEEDED = {
    "statement_id": "01ef-aa", "status": {"state": "SUCCEEDED"},
    "manifest": {"format": "JSON_ARRAY", "schema": {"column_count": 1,
        "columns": [{"name": "said", "type_name": "STRING", "type_text": "STRING", "position": 0}]},
                 "total_row_count": 1, "total_chunk_count": 1, "chunks": [{"chunk_index": 0, "row_offset": 0, "row_count": 1}]},
    "result": {"chunk_index": 0, "row_offset": 0, "row_count": 1, "data_array": [["one"]]},
}
ROUTES = [
    (r"GET /\.well-known/databricks-config", Platform.host_metadata),
    (r"POST /oidc/v1/token", lambda p, r: Answer(200, {"access_token": parse_qs(r.body.decode())["subject_token"][0]})),
    (r"GET /api/2\.\d/jobs/list", says({"jobs": [{"job_id": 42, "settings": {"name": "nightly-load"}}], "has_more": False})),
    (r"GET /api/2\.\d/jobs/get", says({"job_id": 42, "settings": {"name": "nightly-load"}})),
    (r"POST /api/2\.\d/jobs/(?:run-now|runs/submit)", says({"run_id": 7, "number_in_job": 7})),
    (r"GET /api/2\.\d/jobs/runs/get", Platform.run),
    (r"POST /api/2\.0/sql/statements", says(SUCCEEDED)),
    (r"GET /api/2\.0/sql/statements/[^/]+", says(SUCCEEDED)),
    (r"POST /api/2\.0/sql/sessions", says({"session_id": "sess-1"})),
    (r"GET /api/2\.0/preview/scim/v2/Me", says({"id": "1", "userName": "gateway@example.com"})),
    (r"POST /api/1\.2/commands/execute", says({"id": "command-1"})),
    (r"GET /api/2\.1/unity-catalog/tables/([^/]+)", lambda p, r, n: Answer(200, {"full_name": n, "name": n.split(".")[-1]})),
    (r"GET /api/2\.0/workspace/export", lambda p, r: Answer(200, b"print(1)")),
    (r"POST /api/2\.0/fs/create-download-url", Platform.presigned),
    (r"GET /presigned/get",
     lambda p, r: Answer(200, b"by a presigned address", [("Last-Modified", "Sat, 28 Nov 2026 00:00:00 GMT")])),
    (r"GET /api/2\.0/fs/files/.+", lambda p, r: Answer(200, b"by the gateway", [("Content-Type", "application/octet-stream")])),
    (r"PUT /api/2\.0/fs/files/.+", lambda p, r: Answer(204)),
    (r"HEAD /api/2\.0/fs/.+", lambda p, r: Answer(200)),
    (r"POST /serving-endpoints/[^/]+/invocations", says({"predictions": [1]})),
    (r"POST /serving-endpoints/chat/completions", says({"choices": []})),
    (r"GET /api/2\.0/mlflow/experiments/get(?:-by-name)?", says({"experiment": EXPERIMENT})),
    (r"POST /api/2\.0/mlflow/experiments/search", says({"experiments": [EXPERIMENT]})),
    (r"POST /api/2\.0/mlflow/runs/create", says({"run": RUN})),
    (r"GET /api/2\.0/mlflow/runs/get", says({"run": RUN})),
    (r"POST /api/2\.0/mlflow/runs/update", says({"run_info": RUN["info"]})),
    (r"POST /api/2\.0/mlflow/runs/search", says({"runs": [RUN]})),
    (r"(?:GET|POST) /api/2\.0/mlflow/unity-catalog/registered-models/(?:get|create)", says({"registered_model": MODEL})),
    (r"GET /api/2\.0/mlflow/unity-catalog/model-versions/get", says({"model_version": {"name": "main.s.m", "version": "1"}})),
    (r"GET /api/2\.0/mlflow/registered-models/get", says({"registered_model": MODEL})),
    (r"GET /api/2\.0/vector-search/(?:endpoints/[^/]+/)?indexes/([^/]+)",
     lambda p, r, name: Answer(200, INDEX | {"name": name})),
    (r"(?:GET|POST) /api/2\.0/vector-search/(?:endpoints/[^/]+/)?indexes/[^/]+/(?:query|scan)",
     says({"manifest": {"column_count": 1, "columns": [{"name": "id"}]}, "result": {"row_count": 1, "data_array": [[1]]}})),
]
