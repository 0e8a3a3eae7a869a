//! What a decision costs, in the shapes of a policy that are hard for an index.
//!
//! See `bench` beside it for how to run it.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "a bench that cannot be made says so"
)]

mod bench;

use core::fmt::Write as _;
use core::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bench::Case;
use mesh_core::claims::{Requirement, Verdict};
use mesh_core::platform::shipped::shipped;
use mesh_core::platform::table::Table;
use mesh_core::policy::index::{Index, View};
use mesh_core::policy::plain::{Asked, Asks};
use mesh_core::policy::subject::{Judge, Subject};
use mesh_core::policy::{Policy, read};
use mesh_core::text::time::UnixTime;

struct Unknown;

impl Judge for Unknown {
    fn judge(&self, _requirement: &Requirement) -> Verdict {
        Verdict::Unknown
    }
}

fn tables() -> Vec<Arc<Table>> {
    vec![shipped("kafka_rest").unwrap()]
}

fn policy(text: &str) -> Policy {
    read(text, &tables()).unwrap().policy
}

/// A policy, who asks, and for what.
struct Shape {
    text: String,
    groups: Vec<String>,
    name: String,
    is_allowed: bool,
}

const HEAD: &str = "version: 1\nservices: { s: [ { issuer: okta, service: s } ] }\n";

/// A name of 40 bytes.
fn name(prefix: &str, number: usize, suffix: &str) -> String {
    let digits = 40_usize.saturating_sub(prefix.len()).saturating_sub(suffix.len());
    format!("{prefix}{number:0digits$}{suffix}")
}

fn literals() -> Shape {
    let mut text = format!("{HEAD}roles:\n  r:\n    - kafka: {{ topics: [\n");
    for at in 0..100_000 {
        writeln!(text, "        {},", name("shop.orders.", at, ".v1")).unwrap();
    }
    text.push_str(
        "        ], actions: [produce] }\nbindings: [ { name: b, role: r, services: [s] } ]\n",
    );
    Shape { text, groups: Vec::new(), name: name("shop.orders.", 77_777, ".v1"), is_allowed: true }
}

/// Bindings of one pattern, each for a group of its own, of which the identity has 200.
fn one_pattern() -> Shape {
    let mut text = format!(
        "{HEAD}roles: {{ r: [ {{ kafka: {{ topics: ['shop.*'], actions: [produce] }} }} ] }}\nbindings:\n"
    );
    for at in 0..50_000 {
        writeln!(text, "- {{ name: b{at}, role: r, groups: [okta/g{at}] }}").unwrap();
    }
    let groups = (0..200).map(|at| format!("g{}", at * 250 + 7)).collect();
    Shape { text, groups, name: name("shop.orders.", 7, ".v1"), is_allowed: true }
}

/// Bindings of a role each, of which an identity with 200 groups holds as many.
fn groups() -> Shape {
    let mut text = format!("{HEAD}roles:\n");
    for at in 0..10_000 {
        writeln!(text, "  r{at}: [ {{ kafka: {{ topics: ['team-{at}.*', 'shared-{at}'], actions: [produce] }} }} ]").unwrap();
    }
    text.push_str("bindings:\n");
    for at in 0..10_000 {
        writeln!(text, "- {{ name: b{at}, role: r{at}, groups: [okta/g{at}] }}").unwrap();
    }
    let groups = (0..200).map(|at| format!("g{}", at * 50 + 7)).collect();
    Shape { text, groups, name: name("team-5007.", 1, ".v1"), is_allowed: true }
}

fn suffixes() -> Shape {
    let mut text = format!("{HEAD}roles:\n  r:\n    - kafka: {{ topics: [\n");
    for at in 0..10_000 {
        writeln!(text, "        '*.orders-{at}',").unwrap();
    }
    text.push_str(
        "        ], actions: [produce] }\nbindings: [ { name: b, role: r, services: [s] } ]\n",
    );
    Shape { text, groups: Vec::new(), name: name("shop.", 1, ".orders-7777"), is_allowed: true }
}

/// Denials with an exception: each of a name of its own, or all of one.
fn denials(is_one: bool, is_excepted: bool) -> Shape {
    let mut text = format!(
        "{HEAD}roles: {{ r: [ {{ kafka: {{ topics: ['pii.*'], actions: [produce] }} }} ] }}
bindings: [ {{ name: b, role: r, services: [s] }} ]\ndeny:\n"
    );
    for at in 0..1000 {
        let topic = if is_one { "pii.*".to_owned() } else { format!("pii.{at:03}.*") };
        writeln!(
            text,
            "- {{ name: d{at}, kafka: {{ topics: ['{topic}'] }}, unless_groups: [okta/privacy] }}"
        )
        .unwrap();
    }
    let groups = if is_excepted { vec!["privacy".to_owned()] } else { Vec::new() };
    Shape { text, groups, name: name("pii.777.", 1, ".v1"), is_allowed: is_excepted }
}

/// A name that none of the denials is about, which are about names of another beginning.
fn denials_of_others() -> Shape {
    let denials = denials(false, false);
    let text = denials.text.replace("['pii.*']", "['pii.*', 'shop.*']");
    Shape { text, name: name("shop.orders.", 7, ".v1"), is_allowed: true, ..denials }
}

/// What the identity of a shape may do.
fn view(index: &Index, groups: &[String]) -> View {
    let groups: Vec<&str> = groups.iter().map(|group| &**group).collect();
    index.view(&Subject {
        issuer: Some("okta"),
        service: Some("s"),
        principal: Some("s"),
        spiffe_id: None,
        groups: Some(&groups),
        claims: &Unknown,
        address: None,
    })
}

fn run(case: &Case<'_>, shape: &Shape) {
    let index = Index::new(policy(&shape.text));
    let view = view(&index, &shape.groups);
    let table = index.policy().tables.first().unwrap();
    let kinds = table.kinds();
    let asks = [Asks {
        kind: kinds.by_name("topic").unwrap().0,
        action: kinds.action("produce").unwrap(),
        name: Some(&shape.name),
    }];
    let operation = table.operation("api.v2.topics.get").unwrap();
    let asked = Asked { platform: 0, operation, is_list: false, is_named: false, resources: &asks };
    let now = UnixTime::from_secs(0);
    let decision = index.decide(&view, None, &asked, now);
    assert_eq!(decision.verdict.is_allowed(), shape.is_allowed);
    case.measure(1, &mut || {
        black_box(index.verdict(&view, None, black_box(&asked), now).unwrap());
    });
}

fn run_view(case: &Case<'_>, shape: &Shape) {
    let index = Index::new(policy(&shape.text));
    case.measure(1, &mut || {
        black_box(view(&index, black_box(&shape.groups)));
    });
}

/// A policy of 100,000 rules: roles with a grant each, bindings, denials.
fn rules() -> String {
    let mut text = format!("{HEAD}roles:\n");
    for at in 0..30_000 {
        let topic = name("shop.orders.", at, ".*");
        writeln!(
            text,
            "  role-{at}: [ {{ kafka: {{ topics: ['{topic}'], actions: [produce] }} }} ]"
        )
        .unwrap();
    }
    text.push_str("bindings:\n");
    for at in 0..60_000 {
        let role = at / 2;
        writeln!(text, "- {{ name: binding-{at}, role: role-{role}, groups: [okta/group-{at}] }}")
            .unwrap();
    }
    text.push_str("deny:\n");
    for at in 0..10_000 {
        let topic = name("pii.orders.", at, ".*");
        writeln!(text, "- {{ name: denial-{at}, kafka: {{ topics: ['{topic}'] }}, unless_groups: [okta/privacy] }}").unwrap();
    }
    text
}

/// How long it takes to read a policy and to make its index, and what memory both take.
fn compile(text: &str) {
    let before = resident();
    let began = Instant::now();
    let index = Index::new(policy(text));
    let took = began.elapsed();
    let after = resident();
    println!(
        "100,000 rules: {} MB of text, {took:.2?}, {:.1} MB of memory, with what reading them left",
        text.len() >> 20,
        after.saturating_sub(before) as f64 / f64::from(1 << 20)
    );
    drop(black_box(index));
}

/// Bytes of memory that the process has.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

fn main() {
    if std::env::args().any(|word| word == "compile") {
        return compile(&rules());
    }
    bench::run(&[
        ("literals", &|case| run(case, &literals())),
        ("one_pattern", &|case| run(case, &one_pattern())),
        ("groups", &|case| run(case, &groups())),
        ("suffixes", &|case| run(case, &suffixes())),
        ("denials", &|case| run(case, &denials(false, false))),
        ("denials_excepted", &|case| run(case, &denials(false, true))),
        ("denials_of_one_pattern", &|case| run(case, &denials(true, true))),
        ("denials_of_others", &|case| run(case, &denials_of_others())),
        ("view_of_groups", &|case| run_view(case, &groups())),
    ]);
}
