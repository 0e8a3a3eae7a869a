//! What it costs to read a table, and to find the row and the names of a request.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "a bench that cannot be made says so"
)]

mod bench;

use core::hint::black_box;

use bench::Case;
use mesh_core::platform::shipped::{SHIPPED, shipped};
use mesh_core::platform::table::Table;
use mesh_core::platform::{Asked, Fields, Platform};
use mesh_core::request::Field;

struct Nothing;

impl Fields for Nothing {
    fn field(&self, _name: &str) -> Field<'_> {
        Field::Absent
    }
}

/// Reads a table.
fn table(case: &Case<'_>, word: &str) {
    let text = SHIPPED.iter().find(|known| known.word == word).unwrap().text;
    case.measure(1, &mut || drop(black_box(Table::parse(black_box(text)).unwrap())));
}

/// Finds the row of a request, and if `is_named` its names as well.
fn route(case: &Case<'_>, word: &str, method: &str, target: &str, is_named: bool) {
    let platform = Platform::new(shipped(word).unwrap());
    let (path, query) =
        target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let asked = Asked {
        method,
        path: path.as_bytes(),
        query: query.map(str::as_bytes),
        is_decoded: false,
        fields: &Nothing,
    };
    case.measure(1, &mut || {
        let route = platform.route(black_box(&asked)).unwrap();
        if is_named {
            black_box(route.name(None).unwrap());
        }
        black_box(route);
    });
}

const TABLE: &str =
    "/api/2.1/unity-catalog/tables/main.sales_europe_2026.orders_by_customer_and_day_v12";
const RECORDS: &str =
    "/v3/clusters/4L6g3nShT-eMCtK--X86sw/topics/shop.orders.europe.by_customer.v1/records";
const RUN: &str = "/api/2.2/jobs/runs/get?run_id=759600000001&include_history=true&page=2&x=yyy";

fn main() {
    assert!([TABLE, RECORDS, RUN].iter().all(|target| (76..=84).contains(&target.len())));
    bench::run(&[
        ("route_databricks", &|case| route(case, "databricks", "GET", TABLE, false)),
        ("route_kafka", &|case| route(case, "kafka_rest", "POST", RECORDS, false)),
        ("route_query", &|case| route(case, "databricks", "GET", RUN, false)),
        ("name_databricks", &|case| route(case, "databricks", "GET", TABLE, true)),
        ("name_kafka", &|case| route(case, "kafka_rest", "POST", RECORDS, true)),
        ("name_query", &|case| route(case, "databricks", "GET", RUN, true)),
        ("table_databricks", &|case| table(case, "databricks")),
        ("table_kafka", &|case| table(case, "kafka_rest")),
        ("table_synapse", &|case| table(case, "synapse")),
        ("table_dbt", &|case| table(case, "dbt_cloud")),
    ]);
}
