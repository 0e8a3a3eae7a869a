use std::path::Path;

use super::*;
use crate::platform::{Asked, Field, Fields, Platform, Refused};

struct Nothing;

impl Fields for Nothing {
    fn field(&self, _name: &str) -> Field<'_> {
        Field::Absent
    }
}

/// A request that a client of the platform can send: of t/platform/routes.
struct Known {
    method: String,
    path: String,
    writes: bool,
    is_secret: bool,
}

fn known(word: &str) -> Vec<Known> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../t/platform/routes").join(word);
    let text = std::fs::read_to_string(file.with_extension("tsv")).unwrap();
    let rows = text.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    let rows = rows.filter(|row| row[1].starts_with('/'));
    rows.map(|row| Known {
        method: row[0].into(),
        path: row[1].into(),
        writes: row[5] == "write",
        is_secret: matches!(row[6], "secret" | "grant" | "credential"),
    })
    .collect()
}

/// A template with values in place of its parameters.
fn sample(path: &str) -> String {
    let mut sample = String::new();
    for (place, text) in path.split('{').enumerate() {
        if place == 0 {
            sample.push_str(text);
            continue;
        }
        let (name, rest) = text.split_once('}').unwrap();
        sample.push_str(if name.ends_with('+') { "7/8" } else { "7" });
        sample.push_str(rest);
    }
    sample
}

fn asked<'r>(method: &'r str, path: &'r str) -> Asked<'r> {
    Asked { method, path: path.as_bytes(), query: None, is_decoded: false, fields: &Nothing }
}

#[test]
fn each_table_is_read_and_no_two_rows_are_one_request() {
    for known in SHIPPED {
        let table =
            Table::parse(known.text).unwrap_or_else(|errors| panic!("{}: {errors:?}", known.word));
        assert_eq!(table.overlaps(), [], "{}", known.word);
    }
}

#[test]
fn each_operation_of_the_clients_has_a_row() {
    for word in SHIPPED.map(|it| it.word).into_iter().filter(|word| *word != "http") {
        let platform = Platform::new(shipped(word).unwrap());
        let unknown = known(word).into_iter().filter(|it| {
            let path = sample(&it.path);
            let route = platform.route(&asked(&it.method, &path));
            !matches!(route, Ok(_) | Err(Refused::OnPurpose(_)))
        });
        let unknown: Vec<String> = unknown.map(|it| format!("{} {}", it.method, it.path)).collect();
        assert_eq!(unknown, Vec::<String>::new(), "{word}");
    }
}

#[test]
fn a_segment_more_is_another_row_or_none() {
    for word in SHIPPED.map(|it| it.word).into_iter().filter(|word| *word != "http") {
        let platform = Platform::new(shipped(word).unwrap());
        for it in known(word) {
            let path = sample(&it.path);
            let longer = format!("{}/zzz", path.trim_end_matches('/'));
            let (Ok(one), Ok(other)) = (
                platform.route(&asked(&it.method, &path)),
                platform.route(&asked(&it.method, &longer)),
            ) else {
                continue;
            };
            let spans = it.path.contains("+}") || it.path.contains("{remainder}");
            assert!(spans || one.line() != other.line(), "{word}: {} {longer}", it.method);
        }
    }
}

/// What only asks, by POST or PUT.
const QUERIES: &[&str] = &[
    "PipelineRun.query_pipeline_runs_by_workspace",
    "PipelineRun.query_activity_runs",
    "TriggerRun.query_trigger_runs_by_workspace",
    "DataFlowDebugSession.query_data_flow_debug_sessions_by_workspace",
    "Trigger.get_event_subscription_status",
    "LinkConnection.query_table_status",
    "RoleAssignments.check_principal_access",
    "get_caller_role_assignments",
    "discovery_api",
];

#[test]
fn what_writes_does_not_read_as_a_read() {
    for word in SHIPPED.map(|it| it.word).into_iter().filter(|word| *word != "http") {
        let platform = Platform::new(shipped(word).unwrap());
        for it in known(word).into_iter().filter(|it| it.writes || it.is_secret) {
            let path = sample(&it.path);
            let Ok(route) = platform.route(&asked(&it.method, &path)) else { continue };
            let table = platform.table();
            let operation = route.operation();
            let (kind, action) = route.kind_and_action().unwrap();
            let reads = ["read", "describe"].contains(&table.kinds().word(action));
            let name = table.operation_name(operation);
            let may = !it.writes || QUERIES.contains(&name);
            assert!(!reads || may, "{word}: {} {} is {name}", it.method, it.path);
            let is_named = route.is_named() || table.kinds().get(kind).unwrap().named.holds(action);
            let only_reads = it.method == "GET" || QUERIES.contains(&name);
            assert!(
                !it.is_secret || is_named || only_reads,
                "{word}: {} {} is {name}",
                it.method,
                it.path
            );
        }
    }
}
