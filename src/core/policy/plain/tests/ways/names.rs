//! One object with several names, and members in another spelling.

use super::*;

#[test]
fn one_object_has_one_name() {
    let databricks = with(
        "{ databricks: { paths: ['*'], actions: ['*'] } }, { databricks: { files: ['*'], actions: ['*'] } }, { databricks: { securables: ['*'], actions: ['*'] } }",
        "{ name: path, databricks: { paths: ['/Workspace/Shared/pii/**'] } }, { name: file, databricks: { files: ['/pii/**', '/Volumes/Main/pii/**'] } }, { name: table, databricks: { securables: ['Main.pii.*'] } }",
    );
    let import = |path: &str| format!("POST /api/2.0/workspace/import {{\"path\":\"{path}\"}}");
    let read = |path: &str| format!("GET /api/2.0/dbfs/read?path={path}");
    for (request, expected) in [
        (import("/Shared/pii/x"), "path"),
        (import("/Workspace/Shared/pii/x"), "path"),
        (import("/Shared/pii/x/"), "path"),
        (import("/Shared//pii/x"), "name_malformed"),
        (import("/Workspace/Workspace/Shared/pii/x"), "name_malformed"),
        ("GET /api/2.0/fs/files/Workspace/Shared/pii/x".into(), "path"),
        ("GET /api/2.0/fs/files/Workspace%2FShared/pii/x".into(), "name_malformed"),
        (read("/pii/x"), "file"),
        (read("dbfs:/pii/x"), "file"),
        (read("/dbfs/pii/x"), "file"),
        (read("dbfs:/dbfs/pii/x"), "name_malformed"),
        (read("/Volumes/MAIN/Pii/x"), "file"),
        (read("/volumes/main/pii/x"), "name_malformed"),
        ("GET /api/2.1/unity-catalog/tables/MAIN.Pii.people".into(), "table"),
        ("GET /api/2.1/unity-catalog/tables/main.p%C4%B0i.people".into(), "name_malformed"),
        ("GET /api/2.1/unity-catalog/tables/%60main%60.pii.people".into(), "name_malformed"),
    ] {
        assert_eq!(ask(&databricks, "databricks", &request), expected, "{request}");
    }
    // Two names for one number, and a number in its only spelling.
    let numbers = policy(
        "roles: { r: [ { dbt: { jobs: ['nightly-*', 7], actions: [run] } } ] }
bindings: [ { name: b, role: r, services: [orders] } ]
deny: [ { name: load, dbt: { jobs: [nightly-load] } } ]
",
    );
    for (job, expected) in
        [("42", "load"), ("43", "b"), ("7", "b"), ("8", "default"), ("042", "name_malformed")]
    {
        let run = format!("POST /api/v2/accounts/1/jobs/{job}/run/ {{\"cause\":\"x\"}}");
        assert_eq!(ask(&numbers, "dbt_cloud", &run), expected, "{job}");
    }
    let synapse = with(
        "{ synapse: { pipelines: ['*'], actions: [run] } }",
        "{ name: pii, synapse: { pipelines: [Load_PII] } }",
    );
    for (name, expected) in
        [("LOAD_pii", "pii"), ("load%5Fpii", "pii"), ("load", "b"), ("%E2%84%AA", "name_malformed")]
    {
        assert_eq!(
            ask(&synapse, "synapse", &format!("POST /pipelines/{name}/createRun")),
            expected,
            "{name}"
        );
    }
}

#[test]
fn a_member_in_another_spelling_is_refused() {
    let policy = with(
        "{ databricks: { jobs: [7], actions: [run] } }, { dbt: { jobs: [7], actions: [run] } }, { synapse: { runs: [g], actions: [read] } }, { synapse: { pipelines: ['*'], actions: [run] } }",
        "",
    );
    let run = |body: &str| format!("POST /api/2.1/jobs/run-now {body}");
    for (request, expected) in [
        (run("{\"job_id\":7}"), "b"),
        (run("{\"job_id\":7,\"jobId\":42}"), "request_ambiguous"),
        (run("{\"job_id\":7,\"JOB_ID\":42}"), "request_ambiguous"),
        (run("{\"jobId\":7}"), "request_ambiguous"),
        (run("{\"job_id\":7,\"job_id\":42}"), "request_ambiguous"),
        (run("{\"job_id\":7,\"pythonParams\":[]}"), "request_ambiguous"),
        ("POST /api/2.1/jobs/run-now?JobId=42 {\"job_id\":7}".into(), "request_ambiguous"),
        ("POST /api/2.1/jobs/run-now?job_id=42 {\"job_id\":7}".into(), "request_ambiguous"),
        ("POST /api/2.1/jobs/run-now?job_id=7 {\"job_id\":\"7\"}".into(), "b"),
    ] {
        assert_eq!(ask(&policy, "databricks", &request), expected, "{request}");
    }
    for (query, expected) in [
        ("referencePipelineRunId=g", "b"),
        ("referencePipelineRunId=h", "default"),
        ("ReferencePipelineRunId=h", "request_ambiguous"),
        ("referencePipelineRunId=g&referencePipelineRunId=h", "request_ambiguous"),
    ] {
        let request = format!("POST /pipelines/x/createRun?{query}");
        assert_eq!(ask(&policy, "synapse", &request), expected, "{query}");
    }
}
