//! Policies of words that meet often, with faults here and there.

use crate::dice::Dice;
use crate::recipe;

/// A kind, its names and patterns, and its actions.
pub(super) struct Kind {
    pub(super) platform: &'static str,
    pub(super) plural: &'static str,
    pub(super) kind: &'static str,
    pub(super) operation: &'static str,
    pub(super) names: &'static [&'static str],
    patterns: &'static [&'static str],
    /// What is no pattern of it.
    others: &'static [&'static str],
    pub(super) actions: &'static [&'static str],
}

pub(super) const KINDS: [Kind; 5] = [
    Kind {
        platform: "kafka",
        plural: "topics",
        kind: "topic",
        operation: "api.v2.topics.get",
        names: &["a", "b", "ab", "aab", "abab", "a.b"],
        patterns: &["a", "ab", "'a*'", "'*b'", "'a*b'", "'*'", "'**'", "'ab*ab'"],
        others: &["'a**'", "a b"],
        actions: &["describe", "produce", "consume", "delete"],
    },
    Kind {
        platform: "databricks",
        plural: "paths",
        kind: "path",
        operation: "workspace.delete",
        names: &["/", "/a", "/a/b", "/ab", "/a/b/c", "/b"],
        patterns: &[
            "/",
            "/a",
            "/a/b",
            "'/a/*'",
            "'/a/**'",
            "'/**'",
            "'/*/b'",
            "'*'",
            "/Workspace/a",
            "'/a*/b'",
        ],
        others: &["a", "/a/../b", "'/a/**/b'"],
        actions: &["read", "write", "delete", "run", "manage"],
    },
    Kind {
        platform: "databricks",
        plural: "securables",
        kind: "securable",
        operation: "tables.delete",
        names: &["a", "a.b", "a.b.c", "b", "ab.c"],
        patterns: &["a", "A.b", "'a.*'", "'a.*.*'", "'*.b'", "'a.**'", "'*'", "'a*.b*'"],
        others: &["a..b"],
        actions: &["read", "use", "write", "manage", "vend"],
    },
    Kind {
        platform: "dbt",
        plural: "jobs",
        kind: "job",
        operation: "trigger_job_run",
        names: &["1", "2", "42", "18446744073709551615"],
        patterns: &["1", "one", "'t*'", "'*'", "'o*'", "three"],
        others: &["02", "'4*'", "18446744073709551616"],
        actions: &["read", "run", "override", "write"],
    },
    Kind {
        platform: "synapse",
        plural: "pipelines",
        kind: "pipeline",
        operation: "Pipeline.create_pipeline_run",
        names: &["load", "load orders", "x"],
        patterns: &["load", "LOAD", "'l*'", "'*'", "load orders"],
        others: &["'*\u{212a}'", "l\u{17f}"],
        actions: &["read", "run", "write"],
    },
];

/// Whether something is as it should be, most of the time.
fn is_right(dice: &mut Dice<'_>) -> bool {
    !dice.once_in(48)
}

/// Writes a policy.
pub(super) fn made(dice: &mut Dice<'_>) -> String {
    let mut text = match dice.below(24) {
        0 => "version: 2\n",
        1 => "\u{feff}version: 1\n",
        _ => "version: 1\n",
    }
    .to_owned();
    text.push_str("names: { dbt: { jobs: { one: 1, two: 2, three: 3, uno: 1 } } }\n");
    text.push_str(
        "services:
  s: [ { issuer: okta, service: s } ]
  t: [ { issuer: okta, service: t }, { spiffe: 'spiffe://d/t' } ]
  both: [ { issuer: okta, service: s, spiffe: 'spiffe://d/s' } ]
groups: { g: [okta/g, entra/g], h: [okta/h] }
roles:
",
    );
    let roles = 1 + dice.below(4);
    for role in 0..roles {
        let include = match is_right(dice) {
            true if role > 0 => dice.pick(&["r0", "synapse/user"]),
            true => "synapse/user",
            false => dice.pick(&["r0", "r3", "r9"]),
        };
        if dice.once_in(4) {
            text.push_str(&format!("  r{role}:\n    include: [{include}]\n    grants:\n"));
        } else {
            text.push_str(&format!("  r{role}:\n"));
        }
        for _ in 0..=dice.below(3) {
            text.push_str(&format!("      - {}\n", scope(dice, true)));
        }
    }
    text.push_str("bindings:\n  - { name: first, role: r0, groups: [okta/nobody] }\n");
    for at in 0..dice.below(6) {
        let known = roles + usize::from(!is_right(dice));
        let role = dice.below(known);
        let (who, when) = (who(dice), when(dice));
        let name = if is_right(dice) { format!("b{at}") } else { "default".into() };
        text.push_str(&format!("  - {{ name: {name}, role: r{role}, {who}{when} }}\n"));
    }
    text.push_str("deny:\n  - { name: none, kafka: { topics: [none] } }\n");
    for at in 0..dice.below(5) {
        let unless = dice.pick(&[
            "",
            "",
            ", unless_groups: [g]",
            ", unless_services: [t]",
            ", services: [s]",
        ]);
        let (scope, when) = (scope(dice, false), when(dice));
        text.push_str(&format!("  - {{ name: d{at}, {scope}{unless}{when} }}\n"));
    }
    let mut bytes = text.into_bytes();
    if dice.once_in(4) {
        recipe::change(&mut bytes, &dice.rest()[..dice.rest().len().min(8)]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn who(dice: &mut Dice<'_>) -> &'static str {
    if !is_right(dice) {
        return dice.pick(&["services: []", "services: [nobody]", "groups: [x]", "groups: a"]);
    }
    dice.pick(&[
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

fn when(dice: &mut Dice<'_>) -> &'static str {
    if !is_right(dice) {
        return dice.pick(&[
            ", until: 2026-01-01T00:00:00",
            ", addresses: [10.0.0.0/08]",
            ", x: y",
        ]);
    }
    dice.pick(&[
        "",
        "",
        "",
        "",
        ", until: 2026-01-01T00:00:00Z",
        ", from: 2026-01-01T00:00:00+02:00",
        ", addresses: [10.0.0.0/8, '2001:db8::/32']",
        ", claims: { /amr: [mfa, 7] }",
        ", dry_run: true",
    ])
}

fn scope(dice: &mut Dice<'_>, is_grant: bool) -> String {
    let kind = &KINDS[dice.below(KINDS.len())];
    let list = |dice: &mut Dice<'_>, words: &[&str]| {
        let words: Vec<&str> = (0..=dice.below(3)).map(|_| dice.pick(words)).collect();
        words.join(", ")
    };
    let is_pattern = is_right(dice);
    let patterns = list(dice, if is_pattern { kind.patterns } else { kind.others });
    let actions = if dice.once_in(3) { "'*'".to_owned() } else { list(dice, kind.actions) };
    let operations =
        if dice.once_in(6) { format!(", operations: [{}]", kind.operation) } else { String::new() };
    let (platform, plural) = (kind.platform, if is_right(dice) { kind.plural } else { "groups" });
    let has_actions = is_grant || !dice.once_in(4);
    let actions = if has_actions { format!(", actions: [{actions}]") } else { String::new() };
    format!("{platform}: {{ {plural}: [{patterns}]{actions}{operations} }}")
}
