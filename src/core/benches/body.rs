//! What it costs to read a body, for each of its bytes.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "a bench that cannot be made says so"
)]

mod bench;

use core::fmt::Write as _;
use core::hint::black_box;

use bench::Case;
use mesh_core::body::{Reader, Type, Use, Wanted};

fn run(case: &Case<'_>, body: &str, pointers: &[(&str, Use)]) {
    let wanted = Wanted::new(pointers, None).unwrap();
    let read = |body: &[u8]| {
        let mut reader = Reader::new(Type::Json, &wanted);
        reader.feed(body).unwrap();
        reader.finish().unwrap()
    };
    case.measure(body.len(), &mut || {
        black_box(read(black_box(body.as_bytes())));
    });
}

/// A job with tasks, as clients indent it.
fn jobs_create() -> String {
    let mut body = String::from("{\n  \"name\": \"nightly load\",\n  \"tasks\": [");
    for at in 0..20 {
        write!(
            body,
            "{}\n    {{\n      \"task_key\": \"load_{at}\",\n      \"depends_on\": [{{\"task_key\": \"load_{at}\"}}],\n      \
             \"notebook_task\": {{\"notebook_path\": \"/Shared/load/{at}\", \"base_parameters\": {{\"day\": \"2026-01-{at:02}\"}}}},\n      \
             \"existing_cluster_id\": \"0101-1234-abcdef{at}\",\n      \"timeout_seconds\": {},\n      \"max_retries\": 2,\n      \
             \"retry_on_timeout\": false,\n      \"libraries\": [{{\"pypi\": {{\"package\": \"requests==2.31.0\"}}}}]\n    }}",
            if at == 0 { "" } else { "," },
            3600 + at
        )
        .unwrap();
    }
    body.push_str("\n  ],\n  \"format\": \"MULTI_TASK\",\n  \"max_concurrent_runs\": 1\n}\n");
    body
}

/// Compact records.
fn records() -> String {
    let mut body = String::from("{\"records\":[");
    for at in 0..100 {
        let comma = if at == 0 { "" } else { "," };
        write!(
            body,
            "{comma}{{\"key\":\"k{at}\",\"value\":{{\"id\":{at},\"amount\":{}.25,\"open\":true,\"tags\":[\"a\",\"b\"],\"note\":null}}}}",
            at * 7
        )
        .unwrap();
    }
    body.push_str("],\"name\":\"x\"}");
    body
}

/// A notebook as an import sends it.
fn long_strings() -> String {
    format!("{{\"path\":\"/Shared/x\",\"content\":\"{}\"}}", "aGVsbG8gd29ybGQK".repeat(1000))
}

/// Code as a statement sends it, with escapes.
fn escapes() -> String {
    let line = "SELECT \\\"a\\\", b\\n  FROM main.sales.orders\\n WHERE day >= '2026-01-01' AND name = 'caf\u{e9}'\\n";
    format!("{{\"warehouse_id\":\"w\",\"statement\":\"{}\"}}", line.repeat(40))
}

fn main() {
    let of_tasks: &[(&str, Use)] = &[
        ("/name", Use::Value),
        ("/tasks/*/existing_cluster_id", Use::Value),
        ("/tasks/*/notebook_task/notebook_path", Use::Value),
        ("/tasks/*/run_job_task/job_id", Use::Value),
        ("/tasks/*/sql_task/warehouse_id", Use::Value),
    ];
    bench::run(&[
        ("jobs_create", &|case| run(case, &jobs_create(), &[("/name", Use::Value)])),
        ("jobs_create_of_tasks", &|case| run(case, &jobs_create(), of_tasks)),
        ("records", &|case| run(case, &records(), &[("/name", Use::Value)])),
        ("long_strings", &|case| run(case, &long_strings(), &[("/path", Use::Value)])),
        ("escapes", &|case| run(case, &escapes(), &[("/warehouse_id", Use::Value)])),
    ]);
}
