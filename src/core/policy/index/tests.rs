mod sharing;

use core::fmt::Write as _;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;

use super::*;
use crate::claims::{Requirement, Verdict as Claim};
use crate::platform::shipped::shipped;
use crate::platform::table::Table;
use crate::policy::document::read;
use crate::policy::plain::{self, Asks};
use crate::policy::subject::{Judge, Subject};

static TABLES: LazyLock<Vec<Arc<Table>>> = LazyLock::new(|| {
    ["kafka_rest", "databricks", "dbt_cloud"].map(|word| shipped(word).unwrap()).into()
});

struct Claims(Claim);

impl Judge for Claims {
    fn judge(&self, _requirement: &Requirement) -> Claim {
        self.0
    }
}

/// A kind with names, patterns and actions that meet often.
struct Vocabulary {
    platform: &'static str,
    plural: &'static str,
    kind: &'static str,
    operation: &'static str,
    names: &'static [&'static str],
    patterns: &'static [&'static str],
    actions: &'static [&'static str],
}

const WORDS: [Vocabulary; 5] = [
    Vocabulary {
        platform: "kafka",
        plural: "topics",
        kind: "topic",
        operation: "api.v2.topics.get",
        names: &["a", "b", "ab", "ba", "aba", "bab", "aab", "abab"],
        patterns: &[
            "a", "ab", "aba", "a*", "ab*", "*b", "*ab", "a*b", "ab*b", "b*", "*a", "*", "**",
            "ba*", "*ba", "aa*", "*aa", "*bb",
        ],
        actions: &["describe", "produce", "consume", "delete", "'*'"],
    },
    // Of sixteen bytes and more, which are looked at by words.
    Vocabulary {
        platform: "kafka",
        plural: "topics",
        kind: "topic",
        operation: "api.v2.topics.get",
        names: &[
            "shop.orders.eu.west",
            "shop.orders.eu.eastern",
            "shop.returns.eu.west",
            "team.orders.eu.west",
            "team.shop.orders",
            "shop.orders.eu.western.shop.orders.eu.western",
        ],
        patterns: &[
            "shop.orders.eu.west",
            "team.shop.orders",
            "shop.orders.eu.western.shop.orders.eu.western",
            "shop.orders.*",
            "shop.orders.eu.west*",
            "shop.*",
            "team.*",
            "team.shop.*",
            "*.eu.west",
            "*.orders.eu.west",
            "*.eu.eastern",
            "*.shop.orders",
            "shop.*.eu.west",
            "shop.orders.*western",
        ],
        actions: &["describe", "produce", "consume", "'*'"],
    },
    Vocabulary {
        platform: "databricks",
        plural: "paths",
        kind: "path",
        operation: "workspace.delete",
        names: &["/", "/a", "/a/b", "/ab", "/a/b/c", "/b", "/b/a", "/a/ab"],
        patterns: &[
            "/", "/a", "/a/b", "/a/*", "/a/**", "/**", "/*", "/a*", "/*/b", "/b/a", "*", "/a/b/**",
            "/ab", "/*b", "/a/*b",
        ],
        actions: &["read", "write", "delete", "run", "manage", "'*'"],
    },
    Vocabulary {
        platform: "databricks",
        plural: "securables",
        kind: "securable",
        operation: "tables.delete",
        names: &["a", "a.b", "a.b.c", "b", "ab.c", "a.bc", "a.b.cc"],
        patterns: &[
            "a", "a.b", "a.*", "a.*.*", "a.b.*", "*.b", "a.**", "a*", "a.b*.c*", "*", "b", "a.b.c",
        ],
        actions: &["read", "write", "delete", "manage", "vend", "'*'"],
    },
    Vocabulary {
        platform: "dbt",
        plural: "jobs",
        kind: "job",
        operation: "trigger_job_run",
        names: &["1", "2", "3", "42"],
        patterns: &["1", "one", "t*", "*", "o*", "2"],
        actions: &["read", "run", "override", "write", "'*'"],
    },
];

const HEAD: &str = "version: 1
names: { dbt: { jobs: { one: 1, two: 2, three: 3, other: 1 } } }
services:
  s: [ { issuer: okta, service: s } ]
  t: [ { issuer: okta, service: t }, { spiffe: 'spiffe://d/t' } ]
  both: [ { issuer: okta, service: s, spiffe: 'spiffe://d/s' } ]
groups: { g: [okta/g, entra/g], h: [okta/h] }
";

/// What a rule is about, of one kind.
fn scope() -> impl Strategy<Value = String> {
    (0..WORDS.len()).prop_flat_map(|at| {
        let words = &WORDS[at];
        let patterns = prop::collection::vec(prop::sample::select(words.patterns), 1..4);
        let actions = prop::collection::vec(prop::sample::select(words.actions), 1..3);
        (patterns, actions).prop_map(move |(patterns, actions)| {
            let patterns: Vec<String> = patterns.iter().map(|it| format!("'{it}'")).collect();
            let (platform, plural) = (words.platform, words.plural);
            format!(
                "{platform}: {{ {plural}: [{}], actions: [{}] }}",
                patterns.join(", "),
                actions.join(", ")
            )
        })
    })
}

fn subjects() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "services: [s]",
        "services: [t]",
        "services: [both]",
        "groups: [g]",
        "groups: [h]",
        "groups: [okta/x]",
        "services: [s], groups: [h]",
        "services: [s, t]",
    ])
}

fn conditions() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "",
        "",
        ", until: 2026-01-01T00:00:00Z",
        ", from: 2026-01-01T00:00:00Z",
        ", addresses: [10.0.0.0/8]",
        ", claims: { /amr: [mfa] }",
        ", dry_run: true",
    ])
}

fn document() -> impl Strategy<Value = String> {
    let roles = prop::collection::vec((prop::collection::vec(scope(), 1..4), any::<bool>()), 1..4);
    let bindings = prop::collection::vec((0..3_usize, subjects(), conditions()), 0..6);
    let unless = prop::sample::select(vec![
        "",
        "",
        ", unless_groups: [g]",
        ", unless_services: [t]",
        ", groups: [h]",
    ]);
    let denials = prop::collection::vec((scope(), unless, conditions()), 0..4);
    (roles, bindings, denials).prop_map(|(roles, bindings, denials)| {
        let mut text = format!("{HEAD}roles:\n");
        for (place, (grants, includes)) in roles.iter().enumerate() {
            let include = if *includes && place > 0 { "    include: [r0]\n" } else { "" };
            writeln!(text, "  r{place}:\n{include}    grants:").unwrap();
            grants.iter().for_each(|grant| writeln!(text, "      - {grant}").unwrap());
        }
        text.push_str("bindings:\n  - { name: first, role: r0, groups: [okta/nobody] }\n");
        for (place, (role, subjects, conditions)) in bindings.iter().enumerate() {
            let role = role.checked_rem(roles.len()).unwrap_or(0);
            writeln!(text, "  - {{ name: b{place}, role: r{role}, {subjects}{conditions} }}")
                .unwrap();
        }
        text.push_str("deny:\n  - { name: none, kafka: { topics: [none] } }\n");
        for (place, (scope, unless, conditions)) in denials.iter().enumerate() {
            writeln!(text, "  - {{ name: d{place}, {scope}{unless}{conditions} }}").unwrap();
        }
        text
    })
}

/// An identity, and what is asked for: a kind, resources, and whether it is a list.
type Request =
    ((usize, usize, usize, Option<u8>), (usize, Vec<(Option<usize>, usize)>, bool, bool), i64);

fn request() -> impl Strategy<Value = Request> {
    let who = (0..4_usize, 0..4_usize, 0..4_usize, prop::option::of(10..12_u8));
    let resources =
        prop::collection::vec((prop::option::weighted(0.85, 0..8_usize), 0..5_usize), 1..4);
    let what = (0..WORDS.len(), resources, any::<bool>(), prop::bool::weighted(0.2));
    (who, what, prop::sample::select(vec![1_700_000_000, 1_800_000_000]))
}

/// One of some words.
fn pick(words: &'static [&'static str], at: usize) -> &'static str {
    words[at.checked_rem(words.len()).unwrap_or(0)]
}

/// Whether the index and the plain reading decide alike.
fn agree(
    index: &Index,
    shared: &mut Shared,
    held: &mut Vec<Rc<View>>,
    ((who, groups, claims, net), (kind, resources, is_list, is_named), now): &Request,
) -> Result<(), String> {
    let (issuer, service, spiffe_id) = match who {
        0 => (Some("okta"), Some("s"), None),
        1 => (Some("okta"), Some("t"), Some("spiffe://d/s")),
        2 => (None, None, Some("spiffe://d/t")),
        _ => (Some("okta"), Some("s"), Some("spiffe://d/s")),
    };
    let groups: Option<&[&str]> = [None, Some(&["g", "h"][..]), Some(&["x"]), Some(&[])][*groups];
    let claims = Claims([Claim::Holds, Claim::Other, Claim::Absent, Claim::Unknown][*claims]);
    let address = net.map(|net| IpAddr::from([net, 0, 0, 1]));
    let principal = spiffe_id.or(service);
    let subject =
        Subject { issuer, service, principal, spiffe_id, groups, claims: &claims, address };
    let words = &WORDS[*kind];
    let platform = TABLES.iter().position(|table| table.name() == words.platform).unwrap();
    let kinds = TABLES[platform].kinds();
    let asks: Vec<Asks<'_>> = resources
        .iter()
        .map(|(name, action)| Asks {
            kind: kinds.by_name(words.kind).unwrap().0,
            action: kinds.action(pick(words.actions.split_last().unwrap().1, *action)).unwrap(),
            name: name.map(|name| pick(words.names, name)),
        })
        .collect();
    let operation = TABLES[platform].operation(words.operation).unwrap();
    let asked =
        Asked { platform, operation, is_list: *is_list, is_named: *is_named, resources: &asks };
    let now = UnixTime::from_secs(*now);
    let view = shared.view(index, &subject);
    held.push(Rc::clone(&view));
    let fast = index.decide(&view, address, &asked, now);
    let slow = plain::decide(index.policy(), &subject, &asked, now);
    if let Some(verdict) = index.verdict(&view, address, &asked, now) {
        assert_eq!((slow.verdict, slow.noted.len()), (verdict, 0), "what is asked first");
    }
    if fast == slow {
        Ok(())
    } else {
        Err(format!("{subject:?} {asks:?} {is_list}: {fast:?}, plainly {slow:?}"))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_index_decides_as_the_plain_reading_does(
        document in document(),
        requests in prop::collection::vec(request(), 250),
    ) {
        let policy = read(&document, &TABLES).unwrap_or_else(|faults| panic!("{faults:?}\n{document}")).policy;
        let index = Index::new(policy);
        let mut shared = Shared::default();
        let mut held = Vec::new();
        for request in &requests {
            if let Err(difference) = agree(&index, &mut shared, &mut held, request) {
                prop_assert!(false, "{}\n{}", difference, document);
            }
        }
    }
}

#[test]
fn many_patterns_of_one_head_are_found_by_their_ends() {
    many_are_found_by_their_ends(
        &|it| format!("'*-{it}', 'ab*b_{it}'"),
        &[
            ("orders-7", true),
            ("-999", true),
            ("orders-1000", false),
            ("orders7", false),
            ("-7x", false),
            // A beginning and an end do not overlap.
            ("abb_7", true),
            ("ab_7", false),
        ],
    );
}

#[test]
fn many_patterns_of_no_head_are_found_by_their_ends() {
    many_are_found_by_their_ends(
        &|it| format!("'*.orders-{it}'"),
        &[
            ("shop.orders-7", true),
            ("shop.eu.orders-999", true),
            (".orders-7", true),
            ("orders-7", false),
            ("shop.eu.orders-1000", false),
            ("shop.eu.returns-7", false),
            ("shop.eu.orders-7.old", false),
            ("7", false),
        ],
    );
}

fn many_are_found_by_their_ends(pattern: &dyn Fn(usize) -> String, expected: &[(&str, bool)]) {
    let patterns: Vec<String> = (0..1000).map(pattern).collect();
    let text = format!(
        "{HEAD}roles: {{ r: [ {{ kafka: {{ topics: [{}], actions: [describe] }} }} ] }}
bindings: [ {{ name: b, role: r, services: [s] }} ]
",
        patterns.join(", ")
    );
    let index = Index::new(read(&text, &TABLES).unwrap().policy);
    let claims = Claims(Claim::Unknown);
    let subject = Subject {
        issuer: Some("okta"),
        service: Some("s"),
        principal: Some("s"),
        spiffe_id: None,
        groups: None,
        claims: &claims,
        address: None,
    };
    let view = index.view(&subject);
    for (name, expected) in expected {
        assert_eq!(rule_of(&index, &view, name) == "b", *expected, "{name}");
        describe(name, &mut |asked| {
            let plain = plain::decide(index.policy(), &subject, asked, UnixTime::from_secs(0));
            assert_eq!(plain.verdict.is_allowed(), *expected, "{name}");
        });
    }
}

/// Asks to describe a topic.
fn describe(name: &str, ask: &mut dyn FnMut(&Asked<'_>)) {
    let kinds = TABLES[0].kinds();
    let (kind, action) = (kinds.by_name("topic").unwrap().0, kinds.action("describe").unwrap());
    let operation = TABLES[0].operation("api.v2.topics.get").unwrap();
    ask(&Asked {
        platform: 0,
        operation,
        is_list: false,
        is_named: false,
        resources: &[Asks { kind, action, name: Some(name) }],
    });
}

/// The rule by which a topic may be described, or not.
fn rule_of(index: &Index, view: &View, name: &str) -> String {
    let mut rule = String::new();
    describe(name, &mut |asked| {
        let decision = index.decide(view, None, asked, UnixTime::from_secs(0));
        rule = decision.verdict.rule().to_owned();
    });
    rule
}
