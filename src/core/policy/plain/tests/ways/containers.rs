//! What a container holds.

use super::*;

#[test]
fn a_container_needs_what_it_holds() {
    let submit = "{ databricks: { jobs: ['*'], actions: [submit, write, run] } }";
    let runs = "POST /api/2.2/jobs/runs/submit";
    let tasks = |task: &str| format!("{runs} {{\"tasks\":[{{}},{task}]}}");
    let held = [
        ("clusters", "[c]", "use", "{\"existing_cluster_id\":\"c\"}"),
        ("warehouses", "[w]", "use", "{\"sql_task\":{\"warehouse_id\":\"w\"}}"),
        ("pipelines", "[p]", "run", "{\"pipeline_task\":{\"pipeline_id\":\"p\"}}"),
        (
            "paths",
            "['/Shared/x/**']",
            "run",
            "{\"notebook_task\":{\"notebook_path\":\"/Shared/x/n\"}}",
        ),
        (
            "paths",
            "['/Shared/x/**']",
            "run",
            "{\"for_each_task\":{\"task\":{\"notebook_task\":{\"notebook_path\":\"/Shared/x/n\"}}}}",
        ),
    ];
    for (plural, names, action, task) in held {
        let alone = with(submit, "");
        assert_eq!(ask(&alone, "databricks", &tasks(task)), "default", "{task}");
        let grant = format!("{{ databricks: {{ {plural}: {names}, actions: [{action}] }} }}");
        let both = with(&format!("{submit}, {grant}"), "");
        assert_eq!(ask(&both, "databricks", &tasks(task)), "b", "{task}");
        let denied = format!("{{ name: d, databricks: {{ {plural}: {names} }} }}");
        let both = with(&format!("{submit}, {grant}"), &denied);
        assert_eq!(ask(&both, "databricks", &tasks(task)), "d", "{task}");
    }
    let jobs = with(submit, "{ name: load, databricks: { jobs: [42], actions: [run] } }");
    assert_told(
        &jobs,
        "databricks",
        &[
            (
                "POST /api/2.2/jobs/runs/submit {\"tasks\":[{\"run_job_task\":{\"job_id\":42}}]}",
                "load",
            ),
            (
                "POST /api/2.2/jobs/create {\"tasks\":[{\"run_job_task\":{\"job_id\":\"42\"}}]}",
                "load",
            ),
            ("POST /api/2.2/jobs/create {\"tasks\":[{\"run_job_task\":{\"job_id\":7}}]}", "b"),
            ("POST /api/2.0/jobs/create {\"run_job_task\":{\"job_id\":42}}", "load"),
            (
                "POST /api/2.1/jobs/reset {\"job_id\":7,\"new_settings\":{\"tasks\":[{\"run_job_task\":{\"job_id\":42}}]}}",
                "load",
            ),
        ],
    );
    let trigger = |name: &str| {
        format!(
            "PUT /triggers/t {{\"properties\":{{\"pipelines\":[{{\"pipelineReference\":{{\"referenceName\":\"{name}\"}}}}]}}}}"
        )
    };
    let synapse = with(
        "{ synapse: { triggers: ['*'], actions: [write] } }, { synapse: { pipelines: ['load_*'], actions: [run] } }",
        "{ name: pii, synapse: { pipelines: [load_pii] } }",
    );
    for (name, expected) in [("load_x", "b"), ("other", "default"), ("Load_PII", "pii")] {
        assert_eq!(ask(&synapse, "synapse", &trigger(name)), expected, "{name}");
    }
}
