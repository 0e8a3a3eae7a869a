//! When two locations have the same settings, and what a request owes.

use super::*;

/// The numbers of locations whose lines follow `mesh_authenticate token`.
fn numbers(locations: &[Lines<'_>]) -> Vec<usize> {
    let whole: Vec<Vec<_>> = (locations.iter())
        .map(|lines| [&[("mesh_authenticate", &["token"][..])], *lines].concat())
        .collect();
    let whole: Vec<_> = whole.iter().map(Vec::as_slice).collect();
    let server = Server::new(&Key::new("k"), &[], &whole);
    server.locations.iter().map(|location| location.id).collect()
}

#[test]
fn locations_are_the_same_only_if_all_of_their_settings_are() {
    let each: &[Lines<'_>] = &[
        &[],
        &[("mesh_require_claim", &["/scope", "read"])],
        &[("mesh_require_claim", &["/scope", "write"])],
        &[("mesh_limit", &["calls", "rate=5r/s"])],
        &[("mesh_limit", &["others", "rate=5r/s"])],
        &[("mesh_failure_limit", &["rate=5r/s"])],
        &[("mesh_forward_credential", &["on"])],
        &[("mesh_export", &["off"])],
        &[("mesh_dry_run", &["all"])],
        &[("mesh_subrequests", &["pass"])],
        &[("mesh_log_level", &["info"])],
        &[("mesh_limit_status", &["503"])],
        &[("mesh_resource", &["https://api.example"])],
        &[("mesh_accept", &["idp", "audience=other"])],
        &[("mesh_token_source", &["cookie", "session"])],
        &[("mesh_dpop", &["require"])],
    ];
    let all: Vec<_> = (0..each.len()).collect();
    assert_eq!(numbers(each), all);
    assert_eq!(numbers(&[each, each].concat()), [all.clone(), all].concat());
    // What is said and what is the default are the same.
    assert_eq!(numbers(&[&[], &[("mesh_export", &["headers"])]]), [0, 0]);
}

#[test]
fn a_request_owes_once_for_its_credential() {
    let key = Key::new("k");
    let lines: Lines<'_> =
        &[("mesh_authenticate", &["token"]), ("mesh_failure_limit", &["rate=1r/m"])];
    for owes_already in [false, true] {
        let mut server = Server::new(&key, &[], &[lines]);
        let bad = Sent::token(&key.token(&json!({ "aud": "other" })));
        let mut memo = Memo::default();
        if owes_already {
            assert!(memo.owes());
            assert!(!memo.owes());
        }
        server.ask_in(0, &bad, &mut memo).unwrap_err();
        assert!(!memo.owes(), "a failure is owed for");
        // Nothing was charged here for a failure that is charged elsewhere.
        let expected = if owes_already { Reason::AudienceRefused } else { Reason::FailureLimited };
        let other = Sent::token(&key.token(&json!({ "aud": "else" })));
        assert_eq!(server.reason(&other), expected);
    }
}
