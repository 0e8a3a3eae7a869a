//! Who is meant: the principal alone.

use super::*;

const ALL: &str = "roles: { r: [ { kafka: { topics: ['*'], actions: [produce] } } ] }
bindings: [ { name: spiffe, role: r, services: [orders] }, { name: both, role: r, services: [both] } ]
deny: [ { name: not-orders, services: [orders], kafka: { topics: [secret] } }, { name: but-orders, kafka: { topics: [own] }, unless_services: [orders] } ]
";

fn ask(subject: &Subject<'_>, topic: &str) -> String {
    rule(&policy(ALL), subject, &format!("{PRODUCE} {topic}"))
}

#[test]
fn a_certificate_beside_a_token_is_not_the_principal() {
    let beside = Subject { spiffe_id: Some("spiffe://d/orders"), ..token("other", None) };
    assert_eq!(ask(&beside, "t"), "default");
    assert_eq!(ask(&certificate("spiffe://d/orders"), "t"), "spiffe");
}

#[test]
fn the_same_holds_in_denials_and_exceptions() {
    let beside = Subject { spiffe_id: Some("spiffe://d/orders"), ..token("x", Some(&["eng"])) };
    let by_group = policy(
        &ALL.replace("name: both, role: r, services: [both]", "name: eng, role: r, groups: [eng]"),
    );
    let ask_beside = |topic: &str| rule(&by_group, &beside, &format!("{PRODUCE} {topic}"));
    assert_eq!(ask_beside("secret"), "eng", "the denial is not for it");
    assert_eq!(ask_beside("own"), "but-orders", "nor the exception");
    assert_eq!(ask(&certificate("spiffe://d/orders"), "secret"), "not-orders");
    assert_eq!(ask(&certificate("spiffe://d/orders"), "own"), "spiffe");
}

#[test]
fn the_principal_of_a_jwt_svid_is_its_spiffe_id() {
    let id = Some("spiffe://d/orders");
    let svid = Subject { principal: id, spiffe_id: id, ..token("spiffe://d/orders", None) };
    assert_eq!(ask(&svid, "t"), "spiffe");
}

#[test]
fn a_line_that_names_a_spiffe_id_and_a_token_asks_for_both() {
    let both = Subject { spiffe_id: Some("spiffe://d/both"), ..token("both", None) };
    assert_eq!(ask(&both, "t"), "both");
    assert_eq!(ask(&token("both", None), "t"), "default");
    assert_eq!(ask(&certificate("spiffe://d/both"), "t"), "default");
    let other = Subject { issuer: Some("entra"), ..both };
    assert_eq!(ask(&other, "t"), "default");
}
