//! A policy is read or its faults are told, in YAML as in JSON; and its index decides as it does.

mod json;
mod made;

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use mesh_core::claims::{Requirement, Verdict};
use mesh_core::platform::shipped::{SHIPPED, shipped};
use mesh_core::platform::table::Table;
use mesh_core::policy::index::Index;
use mesh_core::policy::model::Scope;
use mesh_core::policy::pattern::Pattern;
use mesh_core::policy::plain::{self, Asked, Asks};
use mesh_core::policy::subject::Judge;
use mesh_core::policy::{Fault, Policy, Read, Subject, read};
use mesh_core::text::time::UnixTime;

use crate::dice::Dice;
use crate::recipe;
use made::KINDS;

static TABLES: LazyLock<Vec<Arc<Table>>> =
    LazyLock::new(|| SHIPPED.iter().map(|known| shipped(known.word).expect("a table")).collect());

struct Claims(Verdict);

impl Judge for Claims {
    fn judge(&self, _requirement: &Requirement) -> Verdict {
        self.0
    }
}

/// A text gives a policy, or faults with their places; so does the JSON of the same tree, the same policy
/// or the same faults. A policy takes no more than its text, and its index decides as its plain reading.
///
/// Returns whether it is a policy.
pub fn policy(data: &[u8]) -> bool {
    let mut dice = Dice::new(data);
    let made = recipe::is_recipe(data).then(|| made::made(&mut dice));
    let text = match &made {
        Some(text) => text,
        None => match std::str::from_utf8(data) {
            Ok(text) => text,
            Err(_) => return false,
        },
    };
    let found = read(text, &TABLES);
    if let Err(faults) = &found {
        assert_told(text, faults);
    }
    // What begins as an object of JSON does is JSON, and no YAML.
    let bare = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    if !bare.starts_with('{')
        && let Some(json) = json::of_yaml(text)
    {
        assert_same(&found, &read(&json, &TABLES), &json);
    }
    let Ok(Read { policy, .. }) = found else { return false };
    assert_sized(text, &policy);
    let index = Index::new(policy);
    for _ in 0..8 {
        assert_agree(&index, &mut dice);
    }
    true
}

fn assert_told(text: &str, faults: &[Fault]) {
    assert!((1..=20).contains(&faults.len()), "{} faults", faults.len());
    assert!(faults.is_sorted(), "{faults:?}");
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    // The end may be told as a line of its own.
    let lines: Vec<&str> = text.split('\n').chain([""]).collect();
    for fault in faults {
        let line = fault.at.line.checked_sub(1).and_then(|line| lines.get(line));
        let line = line.unwrap_or_else(|| panic!("there is no such line: {fault}"));
        let column = fault.at.column;
        assert!((1..=line.chars().count() + 2).contains(&column), "no such column: {fault}");
        assert!(!fault.text.is_empty() && !fault.text.chars().any(char::is_control), "{fault:?}");
    }
}

fn assert_same(one: &Result<Read, Vec<Fault>>, other: &Result<Read, Vec<Fault>>, json: &str) {
    match (one, other) {
        (Ok(one), Ok(other)) => {
            assert_eq!(format!("{:?}", one.policy), format!("{:?}", other.policy), "{json}");
        }
        (Err(one), Err(other)) => {
            let texts = |faults: &[Fault]| {
                let mut texts: Vec<String> =
                    faults.iter().map(|fault| without_lines(&fault.text)).collect();
                texts.sort_unstable();
                texts
            };
            if one.len() < 20 && other.len() < 20 {
                assert_eq!(texts(one), texts(other), "{json}");
            }
        }
        (one, other) => {
            let show =
                |it: &Result<Read, Vec<Fault>>| it.as_ref().map(|_| ()).map_err(Clone::clone);
            panic!("{:?} in YAML, {:?} in JSON: {json}", show(one), show(other));
        }
    }
}

/// A fault that names another line names another one in another text.
fn without_lines(text: &str) -> String {
    text.split(' ').filter(|word| word.parse::<usize>().is_err()).collect()
}

/// What a policy holds is in its text.
fn assert_sized(text: &str, policy: &Policy) {
    let names =
        |scope: &Scope| scope.kinds.iter().map(|(_, patterns)| patterns.len()).sum::<usize>();
    let of_roles = policy.roles.iter().filter(|role| !role.name.starts_with("synapse/"));
    let grants = of_roles.flat_map(|role| &role.grants).map(|grant| 1 + names(&grant.scope));
    let denials = policy.denials.iter().map(|denial| 1 + names(&denial.scope));
    let lines = policy.services.iter().map(|service| 1 + service.lines.len());
    let groups = policy.groups.iter().map(|group| 1 + group.members.len());
    let all = grants.chain(denials).chain(lines).chain(groups).sum::<usize>();
    assert!(all + policy.bindings.len() <= text.len(), "{all} of {} bytes", text.len());
}

/// Whether the index and the plain reading decide a request alike.
fn assert_agree(index: &Index, dice: &mut Dice<'_>) {
    let (issuer, service, spiffe_id) = dice.pick(&[
        (Some("okta"), Some("s"), None),
        (Some("okta"), Some("t"), Some("spiffe://d/s")),
        (None, None, Some("spiffe://d/t")),
        (Some("okta"), Some("s"), Some("spiffe://d/s")),
        (Some("entra"), Some("s"), None),
    ]);
    let groups: Option<&[&str]> =
        dice.pick(&[None, Some(&["g", "h"][..]), Some(&["x"][..]), Some(&[][..])]);
    let claims = dice.pick(&[Verdict::Holds, Verdict::Other, Verdict::Absent, Verdict::Unknown]);
    let claims = Claims(claims);
    let address: Option<IpAddr> =
        dice.pick(&[None, Some([10, 0, 0, 1].into()), Some([9, 9, 9, 9].into())]);
    let principal = if issuer.is_some() { service } else { spiffe_id };
    let subject =
        Subject { issuer, service, principal, spiffe_id, groups, claims: &claims, address };
    let kind = &KINDS[dice.below(KINDS.len())];
    let platform = TABLES.iter().position(|it| it.name() == kind.platform).expect("a table");
    let table = &TABLES[platform];
    let (id, _) = table.kinds().by_name(kind.kind).expect("a kind");
    let literals = literals(index.policy(), platform, id);
    let mut resources = Vec::new();
    for _ in 0..=dice.below(3) {
        let action = table.kinds().action(dice.pick(kind.actions)).expect("an action");
        let name = match dice.below(6) {
            0 => None,
            1 if !literals.is_empty() => Some(dice.pick(&literals)),
            _ => Some(dice.pick(kind.names)),
        };
        resources.push(Asks { kind: id, action, name });
    }
    let asked = Asked {
        platform,
        operation: table.operation(kind.operation).expect("an operation"),
        is_list: dice.once_in(3),
        is_named: dice.once_in(5),
        resources: &resources,
    };
    let now = UnixTime::from_secs(dice.pick(&[1_700_000_000, 1_800_000_000]));
    let view = index.view(&subject);
    let fast = index.decide(&view, address, &asked, now);
    let slow = plain::decide(index.policy(), &subject, &asked, now);
    assert_eq!(fast, slow, "{subject:?} {asked:?}");
}

/// The literal names of a kind that a policy holds.
fn literals(
    policy: &Policy,
    platform: usize,
    kind: mesh_core::platform::kind::KindId,
) -> Vec<&str> {
    let roles = policy.roles.iter().flat_map(|role| &role.grants).map(|grant| &grant.scope);
    let scopes = roles.chain(policy.denials.iter().map(|denial| &denial.scope));
    let kinds = scopes.filter(|scope| scope.platform == platform).flat_map(|scope| &scope.kinds);
    let patterns = kinds.filter(|(known, _)| *known == kind).flat_map(|(_, patterns)| patterns);
    patterns
        .filter_map(|pattern| match pattern {
            Pattern::Literal(name) => Some(&**name),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_policies_that_are_made_are_read() {
        let mut random = 1_u64;
        let mut read = 0;
        for _ in 0..300 {
            let bytes: Vec<u8> = std::iter::repeat_with(|| {
                random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                (random >> 56) as u8 | 0x80
            })
            .take(200)
            .collect();
            read += u32::from(policy(&bytes));
        }
        assert!((60..300).contains(&read), "{read} of 300 are read");
    }
}
