//! SQL, parameters of code, and consumers.

use super::*;

#[test]
fn code_needs_more_than_a_run() {
    let run = "{ databricks: { jobs: ['*'], actions: ['*'] } }, { dbt: { jobs: ['*'], actions: ['*'] } }, { databricks: { clusters: ['*'], actions: ['*'] } }, { databricks: { warehouses: [w], actions: [use] } }, { synapse: { sparkpools: ['*'], actions: ['*'] } }";
    let runs = with(run, "");
    let mine = with(
        &format!(
            "{run}, {{ databricks: {{ jobs: [42], actions: [override] }} }}, {{ dbt: {{ jobs: [22], actions: [override] }} }}, {{ databricks: {{ securables: ['main.sales'], actions: [use] }} }}"
        ),
        "{ name: pii, databricks: { securables: ['main.pii'] } }",
    );
    for (word, request, alone, more) in [
        ("databricks", "POST /api/2.1/jobs/run-now {\"job_id\":42}", "b", "b"),
        (
            "databricks",
            "POST /api/2.1/jobs/run-now {\"job_id\":42,\"notebook_params\":{\"a\":\"b\"}}",
            "b",
            "b",
        ),
        (
            "databricks",
            "POST /api/2.1/jobs/run-now {\"job_id\":42,\"python_params\":[]}",
            "default",
            "b",
        ),
        (
            "databricks",
            "POST /api/2.1/jobs/run-now {\"job_id\":7,\"python_params\":[\"x\"]}",
            "default",
            "default",
        ),
        ("databricks", "POST /api/2.1/jobs/runs/submit {}", "default", "default"),
        (
            "databricks",
            "POST /api/1.2/commands/execute {\"clusterId\":\"c\"}",
            "default",
            "default",
        ),
        ("databricks", "POST /api/2.1/jobs/update {\"job_id\":42}", "default", "default"),
        ("databricks", "POST /sql/1.0/warehouses/w", "b", "b"),
        (
            "databricks",
            "POST /api/2.0/sql/statements {\"warehouse_id\":\"w\",\"catalog\":\"main\",\"schema\":\"sales\"}",
            "default",
            "b",
        ),
        (
            "databricks",
            "POST /api/2.0/sql/statements {\"warehouse_id\":\"w\",\"catalog\":\"main\",\"schema\":\"pii\"}",
            "default",
            "pii",
        ),
        (
            "databricks",
            "POST /api/2.0/sql/statements {\"warehouse_id\":\"w\",\"schema\":\"pii\"}",
            "default",
            "pii",
        ),
        (
            "dbt_cloud",
            "POST /api/v2/accounts/1/jobs/22/run/ {\"cause\":\"x\",\"steps_override\":null}",
            "b",
            "b",
        ),
        (
            "dbt_cloud",
            "POST /api/v2/accounts/1/jobs/22/run/ {\"cause\":\"x\",\"git_sha\":\"\"}",
            "default",
            "b",
        ),
        (
            "dbt_cloud",
            "POST /api/v2/accounts/1/jobs/22/ {\"execute_steps\":[]}",
            "default",
            "default",
        ),
        (
            "synapse",
            "POST /livyApi/versions/v/sparkPools/p/sessions/1/statements {}",
            "default",
            "default",
        ),
    ] {
        assert_eq!(ask(&runs, word, request), alone, "{request}");
        assert_eq!(ask(&mine, word, request), more, "{request}");
    }
}

#[test]
fn a_group_reads_no_topic_that_is_denied() {
    let policy = with(
        "{ kafka: { topics: ['*'], actions: [consume, describe] } }, { kafka: { groups: [g], actions: [consume, describe] } }",
        "{ name: pii, kafka: { topics: [pii] } }",
    );
    let of = |rest: &str| format!("/consumers/g/instances/i/{rest}");
    let partitions = "{\"partitions\":[{\"topic\":\"pii\",\"partition\":0}]}";
    for (request, expected) in [
        (format!("POST {} {{\"topics\":[\"pii\"]}}", of("subscription")), "pii"),
        (format!("POST {} {partitions}", of("assignments")), "pii"),
        (format!("POST {} {partitions}", of("positions/beginning")), "pii"),
        (format!("POST {} {partitions}", of("positions/end")), "pii"),
        (format!("POST {} {{\"offsets\":[{{\"topic\":\"pii\"}}]}}", of("positions")), "pii"),
        (format!("POST {} {{\"offsets\":[{{\"topic\":\"pii\"}}]}}", of("offsets")), "pii"),
        (format!("GET {} {partitions}", of("offsets")), "pii"),
        ("GET /topics/pii/partitions/0/records".into(), "pii"),
        // The records name the group alone: it reads what it could subscribe to.
        (format!("GET {}", of("records")), "b"),
        ("GET /consumers/h/instances/i/records".into(), "default"),
        (
            format!(
                "POST {} {{\"topics\":[\"orders\"]}}",
                of("subscription").replace("/g/", "/h/")
            ),
            "default",
        ),
    ] {
        assert_eq!(ask(&policy, "kafka_rest", &request), expected, "{request}");
    }
}
