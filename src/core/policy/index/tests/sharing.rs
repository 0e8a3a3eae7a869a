use super::*;

fn index(bindings: &str) -> Index {
    let text = format!(
        "{HEAD}roles: {{ r: [ {{ kafka: {{ topics: ['a*', b], actions: [describe] }} }} ] }}
bindings: [ {bindings} ]
deny: [ {{ name: d, kafka: {{ topics: [ab] }}, unless_groups: [h] }} ]
"
    );
    Index::new(read(&text, &TABLES).unwrap().policy)
}

const TWO: &str = "{ name: one, role: r, groups: [g] }, { name: two, role: r, groups: [okta/x], claims: { /amr: [mfa] } }";

/// A member of some groups of an issuer, of whose claims that is known.
fn member<'s>(groups: &'s [&'s str], claims: &'s Claims) -> Subject<'s> {
    Subject {
        issuer: Some("okta"),
        service: None,
        principal: None,
        spiffe_id: None,
        groups: Some(groups),
        claims,
        address: None,
    }
}

#[test]
fn identities_of_the_same_rules_share_a_view_for_as_long_as_one_holds_it() {
    let (index, mut shared) = (index(TWO), Shared::default());
    let (holds, other) = (Claims(Claim::Holds), Claims(Claim::Other));
    let view = shared.view(&index, &member(&["g"], &holds));
    assert!(view.is_of(&index));
    assert!(Rc::ptr_eq(&view, &shared.view(&index, &member(&["other", "g"], &other))));
    // By another binding, by a claim, and by the exception of a denial.
    for (groups, claims) in [(&["g", "x"][..], &holds), (&[], &holds), (&["g", "h"], &other)] {
        assert!(!Rc::ptr_eq(&view, &shared.view(&index, &member(groups, claims))), "{groups:?}");
    }
    assert!(Rc::ptr_eq(&view, &shared.view(&index, &member(&["g", "x"], &other))));
    assert_eq!(shared.bytes(), view.bytes());
    drop(view);
    assert_eq!(shared.bytes(), 0);
}

#[test]
fn a_view_of_another_policy_holds_nothing_and_is_not_shared() {
    let (old, new) = (index(TWO), index(TWO));
    let (mut shared, claims) = (Shared::default(), Claims(Claim::Unknown));
    let view = shared.view(&old, &member(&["g"], &claims));
    assert_eq!(rule_of(&old, &view, "aa"), "one");
    assert!(!view.is_of(&new));
    assert_eq!(rule_of(&new, &view, "aa"), plain::DEFAULT);
    let of_new = shared.view(&new, &member(&["g"], &claims));
    assert!(!Rc::ptr_eq(&view, &of_new) && of_new.is_of(&new));
    assert_eq!(rule_of(&new, &of_new, "aa"), "one");
}

#[test]
fn views_that_nobody_holds_are_forgotten() {
    let bindings: Vec<String> =
        (0..1000).map(|at| format!("{{ name: b{at}, role: r, groups: [okta/n{at}] }}")).collect();
    let (index, mut shared) = (index(&bindings.join(", ")), Shared::default());
    let claims = Claims(Claim::Unknown);
    for at in 0..1000 {
        let group = format!("n{at}");
        shared.view(&index, &member(&[&group], &claims));
        assert!(shared.len() <= 64, "{at}");
    }
    assert_eq!(shared.bytes(), 0);
}
