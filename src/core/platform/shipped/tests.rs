use std::path::Path;

use super::*;
use crate::platform::{Asked, Fields, Platform, Refused};
use crate::request::Field;

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

/// A template with values in place of its parameters, and a query if one chooses the row.
fn sample(path: &str) -> (String, Option<&'static str>) {
    let mut sample = String::new();
    for (place, text) in path.split('{').enumerate() {
        if place == 0 {
            sample.push_str(text);
            continue;
        }
        let (name, rest) = text.split_once('}').unwrap();
        sample.push_str(match name {
            // The types that all of these rows know.
            name if name.ends_with("securable_type") => {
                if path.contains("/bindings/") {
                    "catalog"
                } else {
                    "table"
                }
            }
            // The client's own template: its documents say that it is the name of an operation.
            "name+" if path.contains("/postgres/") => "projects/7/operations/7",
            "name+" => "operations/7",
            name if name.ends_with('+') => "7/8",
            _ => "7",
        });
        sample.push_str(rest);
    }
    let is_upload = path.contains("/fs/files/");
    (sample, is_upload.then_some("action=initiate-upload"))
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
fn each_row_is_found_by_its_line() {
    for known in SHIPPED {
        let table = shipped(known.word).unwrap();
        for row in &table.rows {
            assert!(core::ptr::eq(table.row(row.line).unwrap(), row), "{}", row.line);
        }
        assert!(table.row(0).is_none());
    }
}

#[test]
fn no_table_lets_a_field_through_that_says_another_method_or_path() {
    for known in SHIPPED {
        let platform = Platform::new(shipped(known.word).unwrap());
        for field in [
            "X-HTTP-Method-Override",
            "x-http-method",
            "X-Method-Override",
            "X_HTTP_Method_Override",
            "X-Original-URL",
            "x-rewrite-url",
        ] {
            assert!(!platform.passes(None, field.as_bytes()), "{}: {field}", known.word);
        }
        assert!(platform.passes(None, b"X-Other"));
    }
}

#[test]
fn a_guarded_field_passes_in_no_spelling_that_folds_to_it() {
    for known in SHIPPED {
        let platform = Platform::new(shipped(known.word).unwrap());
        for name in &platform.table().guarded {
            let spellings = [
                name.to_ascii_uppercase(),
                name.replace('-', "_"),
                name.replace('-', "."),
                name.to_string(),
            ];
            for it in spellings {
                let is_stopped = !platform.passes(None, it.as_bytes());
                assert!(
                    is_stopped && platform.may_be_guarded(it.as_bytes()),
                    "{}: {it}",
                    known.word
                );
            }
        }
    }
}

#[test]
fn each_operation_of_the_clients_has_a_row() {
    for word in SHIPPED.map(|it| it.word).into_iter().filter(|word| *word != "http") {
        let platform = Platform::new(shipped(word).unwrap());
        let unknown = known(word).into_iter().filter(|it| {
            let (path, query) = sample(&it.path);
            let query = query.filter(|_| it.method == "POST").map(str::as_bytes);
            let route = platform.route(&Asked { query, ..asked(&it.method, &path) });
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
            let (path, _) = sample(&it.path);
            let longer = format!("{}/zzz", path.trim_end_matches('/'));
            let (Ok(one), Ok(other)) = (
                platform.route(&asked(&it.method, &path)),
                platform.route(&asked(&it.method, &longer)),
            ) else {
                continue;
            };
            let spans = ["+}", "{remainder}", "<path:"].iter().any(|part| it.path.contains(part));
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
    "clusters.events",
    "MlflowService.queryTraceMetrics",
];

#[test]
fn what_writes_does_not_read_as_a_read() {
    let mut wrong = std::collections::BTreeSet::new();
    for word in SHIPPED.map(|it| it.word).into_iter().filter(|word| *word != "http") {
        let platform = Platform::new(shipped(word).unwrap());
        for it in known(word).into_iter().filter(|it| it.writes || it.is_secret) {
            let (path, _) = sample(&it.path);
            let Ok(route) = platform.route(&asked(&it.method, &path)) else { continue };
            let table = platform.table();
            let (kind, action) = route.kind_and_action().unwrap();
            let reads = ["read", "describe"].contains(&table.kinds().word(action));
            let name = table.operation_name(route.operation());
            let only_asks = QUERIES.contains(&name);
            if it.writes && reads && !only_asks {
                wrong.insert(format!("{word} reads: {name}"));
            }
            let is_named = route.is_named() || table.kinds().get(kind).unwrap().named.holds(action);
            if it.is_secret && !is_named && !only_asks && it.method != "GET" {
                wrong.insert(format!("{word} is not named: {name}"));
            }
        }
    }
    assert_eq!(wrong, [].into());
}

/// The fields of an example: one in brackets, and JSON unless it says another type.
struct Sent<'r>(Option<(&'r str, &'r str)>);

impl Fields for Sent<'_> {
    fn field(&self, name: &str) -> Field<'_> {
        match self.0 {
            Some((known, value)) if known.eq_ignore_ascii_case(name) => {
                Field::One(value.as_bytes())
            }
            _ if name == "content-type" => Field::One(b"application/json"),
            _ => Field::Absent,
        }
    }
}

/// What a request reads as: `kind:action name` and so on, `refused` or `unknown`.
fn read(platform: &Platform, request: &str) -> Vec<String> {
    let mut words = request.splitn(3, ' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let rest = words.next().unwrap_or_default();
    let field = rest
        .strip_prefix('[')
        .and_then(|it| it.split_once(']'))
        .filter(|(it, _)| it.contains(": "));
    let body = field.map_or(rest, |(_, body)| body.trim_start());
    let fields = Sent(field.and_then(|(field, _)| field.split_once(": ")));
    let (path, query) =
        target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let query = query.map(str::as_bytes);
    let asked = Asked { method, path: path.as_bytes(), query, is_decoded: false, fields: &fields };
    let refused = |refused: Refused<'_>| {
        vec![if refused == Refused::Unknown { "unknown" } else { "refused" }.to_owned()]
    };
    let route = match platform.route(&asked) {
        Ok(route) => route,
        Err(reason) => return refused(reason),
    };
    let found = route.wanted().filter(|_| !body.is_empty()).map(|wanted| {
        let mut reader = crate::body::Reader::new(route.body_type()?, wanted);
        reader.feed(body.as_bytes()).and_then(|()| reader.finish())
    });
    let Ok(found) = found.transpose() else { return vec!["refused".to_owned()] };
    match route.name(found.as_ref()) {
        Err(reason) => refused(reason),
        Ok(operation) => {
            let kinds = operation.table.kinds();
            let resources = operation.resources.iter().map(|it| {
                let kind = &kinds.get(it.kind).unwrap().name;
                format!("{kind}:{} {}", kinds.word(it.action), it.name.as_deref().unwrap_or("*"))
            });
            resources.collect()
        }
    }
}

#[test]
fn each_example_reads_as_it_says() {
    for (file, word, options) in [
        ("kafka_rest", "kafka_rest", &[][..]),
        ("synapse", "synapse", &[]),
        ("dbt_cloud", "dbt_cloud", &[]),
        ("http", "http", &[]),
        ("databricks", "databricks", &[]),
        ("databricks_options", "databricks", &["account_api", "oidc"]),
    ] {
        let mut platform = Platform::new(shipped(word).unwrap());
        assert!(options.iter().all(|option| platform.set_option(option)));
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../t/platform/examples").join(file);
        let text = std::fs::read_to_string(path.with_extension("txt")).unwrap();
        let mut wrong = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            let (request, expected) = line.split_once("  =>  ").unwrap();
            // Names of one kind and action stand behind each other.
            let clauses = expected
                .trim()
                .split(" + ")
                .map(|clause| clause.split_once(' ').unwrap_or((clause, "")));
            let names =
                clauses.flat_map(|(what, names)| names.split(", ").map(move |name| (what, name)));
            let mut expected: Vec<String> =
                names.map(|(what, name)| format!("{what} {name}").trim().to_owned()).collect();
            let mut found = read(&platform, request);
            expected.sort_unstable();
            found.sort_unstable();
            if found != expected {
                wrong.push(format!("{request} => {}", found.join(" + ")));
            }
        }
        assert_eq!(wrong, Vec::<String>::new(), "{file}");
    }
}
