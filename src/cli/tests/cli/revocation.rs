//! `meshctl revocation check`.

use crate::desk::Desk;

#[test]
fn a_good_list_is_counted_by_kind() {
    let desk = Desk::new();
    desk.write(
        "revoked.json",
        r#"{"version":1,"revoked":[{"jti":"a"},{"jti":"a","issuer":"okta"},{"sid":"o","until":5},
            {"sub":"s","issuer":"entra","before":"2026-01-01T00:00:00Z"},{"kid":"\u001b[2J"}]}"#,
    );
    let run = desk.run("revocation check revoked.json");
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    let expected = "5 entries\n  jti: 2\n  sub: 1\n  sid: 1\n  kid: 1\n  1 of them past their \"until\"\n\
                    issuers, which were not compared: [\"okta\", \"entra\"]\n";
    assert_eq!(run.out, expected);
    let run = desk.run("revocation check --issuer okta --issuer entra revoked.json");
    assert_eq!((run.status, run.out.lines().count()), (0, 6), "{run:?}");
}

#[test]
fn a_list_that_revokes_nothing_is_good() {
    let desk = Desk::new();
    desk.write("none.json", r#"{"version":1,"revoked":[]}"#);
    assert_eq!(desk.done("revocation check none.json", &[]).lines().next(), Some("0 entries"));
}

#[test]
fn a_fault_is_told_where_editors_look_for_it() {
    let desk = Desk::new();
    for (name, text, expected) in [
        ("empty.json", "", "empty.json:1:1: invalid JSON"),
        ("typo.json", "{\"version\": 1,\n \"revokd\": []}", "typo.json:2:9: unknown member"),
        (
            "issuer.json",
            "{\"version\": 1, \"revoked\": [\n  {\"jti\": \"a\", \"issuer\": \"Okta\"}]}",
            "issuer.json:2:31: no mesh_issuer of that name",
        ),
    ] {
        desk.write(name, text);
        let run = desk.run(&format!("revocation check --issuer okta {name}"));
        assert_eq!((run.status, run.out.trim_end(), run.err.as_str()), (1, expected, ""));
    }
}

#[test]
fn a_file_that_cannot_be_read_is_status_2() {
    let desk = Desk::new();
    let run = desk.run("revocation check nowhere.json");
    assert_eq!((run.status, run.out.as_str()), (2, ""));
    assert!(run.err.starts_with("meshctl: nowhere.json: "), "{}", run.err);
    assert_eq!(desk.run("revocation check").status, 2);
}
