use proptest::prelude::*;

use super::*;
use crate::config::{DryRun, LogLevel, RawLimitKey};
use crate::issuer::KeySource;

mod bearer;
mod introspection;
mod issuer;

fn location(name: &str, words: &[&str]) -> Result<RawLocation, String> {
    let mut raw = RawLocation::default();
    read(LOCATION, &mut raw, name, words, &Place::default()).map_err(|error| error.to_string())?;
    Ok(raw)
}

fn refused(name: &str, words: &[&str]) -> String {
    location(name, words).expect_err(&format!("{name} {words:?}"))
}

fn issuer(lines: &[(&str, &[&str])]) -> Result<RawMain, String> {
    let mut main = RawMain::default();
    read(MAIN, &mut main, "mesh_issuer", &["idp"], &Place { file: "x.conf".into(), line: 3 })
        .map_err(|error| error.to_string())?;
    for (name, words) in lines {
        let open = main.open.as_mut().unwrap();
        read(ISSUER, open, name, words, &Place::default()).map_err(|error| error.to_string())?;
    }
    main.close_issuer().map_err(|error| error.to_string())?;
    Ok(main)
}

#[test]
fn each_row_has_its_documentation() {
    for row in rows() {
        let doc = row.doc.trim();
        let last = doc.chars().next_back();
        assert!(
            doc.starts_with(|first: char| first.is_uppercase() || first == '`'),
            "{}",
            row.name
        );
        assert!(last.is_some_and(|last| ".:`|*".contains(last)), "{} ends in {last:?}", row.name);
    }
}

#[test]
fn each_file_of_documentation_is_one_of_a_row() {
    let names: Vec<_> = rows().iter().map(|row| row.name).collect();
    let files =
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/config/directive/doc")).unwrap();
    for file in files {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(names.contains(&name), "{name}");
    }
}

#[test]
fn a_default_is_what_the_directive_itself_would_set() {
    for row in LOCATION.iter().filter(|row| row.default != "—") {
        let words: Vec<_> = row.default.split(' ').collect();
        let mut raw = RawLocation::default();
        read(LOCATION, &mut raw, words[0], &words[1..], &Place::default())
            .unwrap_or_else(|error| panic!("{}: {error}", row.default));
    }
}

#[test]
fn bodies_are_bounded_by_default_as_the_rows_say() {
    fn default<C: Default>(rows: &[Directive<C>], name: &str) -> C {
        let row = rows.iter().find(|row| row.name == name).unwrap();
        let words: Vec<_> = row.default.split(' ').skip(1).collect();
        let mut raw = C::default();
        read(rows, &mut raw, name, &words, &Place::default()).unwrap();
        raw
    }
    let memory = default(MAIN, "mesh_body_memory").body_memory;
    assert_eq!(memory, Some(crate::config::BODY_MEMORY));
    let timeout = default(LOCATION, "mesh_body_timeout").body_timeout;
    assert_eq!(timeout, Some(crate::config::BODY_TIMEOUT));
    let inspect = default(LOCATION, "mesh_body_inspect").body_inspect;
    assert_eq!(inspect, Some(crate::config::platforms::INSPECT));
}

#[test]
fn methods_are_read_in_either_order_and_nothing_else_is() {
    let methods =
        |words| location("mesh_authenticate", words).unwrap().authenticate.unwrap().methods;
    let both = methods(&["token", "certificate"]);
    assert!(both.is_some());
    assert_eq!(both, methods(&["certificate", "token"]));
    assert_eq!(methods(&["off"]), None);
    for words in
        [&["on"][..], &["token", "token"], &["any", "token"], &["off", "token"], &[""], &[]]
    {
        refused("mesh_authenticate", words);
    }
}

#[test]
fn a_limit_is_read_whole_or_refused_with_a_sentence() {
    let raw = location("mesh_limit", &["calls", "rate=100r/s", "burst=20", "key=$tenant"]).unwrap();
    let limits = raw.limits.unwrap();
    assert_eq!(limits[0].quota.name(), "calls");
    assert_eq!(limits[0].key, RawLimitKey::Variable("tenant".into()));
    for words in [
        &["calls"][..],
        &["calls", "rate=0r/s"],
        &["calls", "rate=5"],
        &["calls", "rate=-5r/s"],
        &["calls", "rate=5r/w"],
        &["calls", "rate=99999999r/s"],
        &["calls", "rate=5r/s", "burst=-1"],
        &["calls", "rate=5r/s", "burst=99999999999"],
        &["calls", "rate=5r/s", "cost=0"],
        &["calls", "rate=5r/s", "cost=7"],
        &["calls", "rate=5r/s", "key=$"],
        &["calls", "rate=5r/s", "key=host"],
        &["calls", "rate=5r/s", "rate=5r/s"],
        &["calls", "rate=5r/s", "bytes=1m/s"],
        &["a b", "rate=5r/s"],
        &["", "rate=5r/s"],
    ] {
        assert!(refused("mesh_limit", words).len() > 5, "{words:?}");
    }
}

#[test]
fn off_stands_alone_in_a_list() {
    for (name, words) in [
        ("mesh_limit", &["calls", "rate=5r/s"][..]),
        ("mesh_accept", &["idp"]),
        ("mesh_require_claim", &["/scope", "read"]),
    ] {
        for (first, second) in [(&["off"][..], words), (words, &["off"])] {
            let mut raw = RawLocation::default();
            read(LOCATION, &mut raw, name, first, &Place::default()).unwrap();
            assert!(read(LOCATION, &mut raw, name, second, &Place::default()).is_err(), "{name}");
        }
    }
}

#[test]
fn a_value_is_set_once_a_level() {
    let without_words = LOCATION.iter().chain(ANSWER).filter(|row| row.words == (0, 0));
    let with_default = LOCATION.iter().filter(|row| row.default != "—");
    for row in with_default.chain(without_words) {
        let words: Vec<_> = row.default.split(' ').skip(1).collect();
        let mut raw = RawLocation::default();
        let mut read = || apply(row, &mut raw, &words, &Place::default());
        read().unwrap();
        let error = read().unwrap_err().to_string();
        let expected = match row.name {
            "mesh_accept" | "mesh_limit" | "mesh_require_claim" => "\"off\" must be alone",
            "mesh_token_source" => "names a place twice",
            _ => "is duplicate",
        };
        assert_eq!(error, expected, "{}", row.name);
    }
}

#[test]
fn wrong_words_are_refused() {
    for (name, word) in [
        ("mesh_dry_run", "platform"),
        ("mesh_platform", "kafka"),
        ("mesh_platform", "file="),
        ("mesh_policy", ""),
        ("mesh_body_inspect", "0"),
        ("mesh_body_inspect", "1025m"),
        ("mesh_body_timeout", "0"),
        ("mesh_body_timeout", "2h"),
        ("mesh_explain", "yes"),
        ("mesh_export", "on"),
        ("mesh_failure_limit", "burst=5"),
        ("mesh_forward_credential", "yes"),
        ("mesh_limit_status", "200"),
        ("mesh_limit_status", "600"),
        ("mesh_limit_status", "4x9"),
        ("mesh_limit_status", "+429"),
        ("mesh_log_level", "debug"),
        ("mesh_subrequests", "on"),
        ("mesh_subrequests", "off"),
        ("mesh_certificate_name", "uri"),
        ("mesh_certificate_name", "dns="),
        ("mesh_certificate_name", "dns=*..example"),
        ("mesh_certificate_name", "dns=**.example"),
        ("mesh_certificate_name", "cn=orders"),
        ("mesh_require_claim", "scope"),
        ("mesh_require_claim", "/scope"),
    ] {
        refused(name, &[word]);
    }
    for words in [&["/scope", "read write"][..], &["/scp", "read", ""]] {
        assert!(refused("mesh_require_claim", words).contains("is no scope"), "{words:?}");
    }
    assert!(location("mesh_require_claim", &["/team", "two words", ""]).is_ok());
    assert_eq!(location("mesh_dry_run", &["limit"]).unwrap().dry_run, Some(DryRun::Limit));
    assert_eq!(location("mesh_log_level", &["info"]).unwrap().log_level, Some(LogLevel::Info));
}

#[test]
fn names_of_certificates_are_kinds_and_a_pattern() {
    let names = |words| location("mesh_certificate_name", words).unwrap().names.unwrap();
    for (words, expected) in [
        (&["cn"][..], "cn"),
        (&["cn", "dns", "spiffe"], "spiffe dns cn"),
        (&["cn", "dns=*.Example"], "dns=*.example cn"),
        (&["dns=a.example"], "dns=a.example"),
    ] {
        assert_eq!(names(words).to_string(), expected);
    }
    for words in [&["dns", "dns=*.example"][..], &["dns=a", "dns=b"], &["cn", "cn"]] {
        let error = refused("mesh_certificate_name", words);
        assert!(error.contains("is named twice"), "{error}");
    }
    let error = refused("mesh_certificate_name", &["dns=10.0.0.1"]);
    assert_eq!(error, "\"10.0.0.1\" is not a DNS name or a pattern such as *.example");
}

#[test]
fn proofs_are_configured_whole_or_refused_with_a_sentence() {
    use crate::proof::Mode;

    let dpop = |words| location("mesh_dpop", words).unwrap().dpop.unwrap();
    assert_eq!(dpop(&["off"]).mode, Mode::Off);
    assert_eq!(dpop(&["accept"]), crate::config::RawDpop { mode: Mode::Accept, max_age: None });
    assert_eq!(dpop(&["require", "max_age=2m"]).max_age, Some(120));
    let nonce = |words| location("mesh_dpop_nonce", words).unwrap().dpop_nonce.unwrap();
    assert_eq!(
        [nonce(&["off"]), nonce(&["on"]), nonce(&["on", "lifetime=1m"])],
        [None, Some(300), Some(60)]
    );
    for (name, words) in [
        ("mesh_dpop", &["on"][..]),
        ("mesh_dpop", &["accept", "max_age=0"]),
        ("mesh_dpop", &["accept", "max_age=601"]),
        ("mesh_dpop", &["accept", "max_age"]),
        ("mesh_dpop", &["off", "max_age=1m"]),
        ("mesh_dpop_nonce", &["off", "lifetime=1m"]),
        ("mesh_dpop_nonce", &["on", "lifetime=2d"]),
        ("mesh_dpop_nonce", &["on", "lifetime="]),
        ("mesh_dpop_origin", &["api.example"]),
        ("mesh_dpop_origin", &["https://api.example/path"]),
        ("mesh_resource", &["http://api.example"]),
        ("mesh_resource", &["https://api.example/#a"]),
        ("mesh_resource", &["https://api.example", "scope=a b"]),
        ("mesh_resource", &["https://api.example", "scope="]),
        ("mesh_resource", &["https://api.example", "name=a", "name=b"]),
        ("mesh_resource", &["https://api.example", "documentation=docs"]),
        ("mesh_resource", &["off", "name=a"]),
        ("mesh_resource_metadata", &["on"]),
    ] {
        assert!(refused(name, words).len() > 5, "{name} {words:?}");
    }
}

#[test]
fn sizes_and_times_have_nginx_units() {
    assert_eq!(bytes("8m").unwrap(), 8 << 20);
    assert_eq!(bytes("512K").unwrap(), 512 << 10);
    assert_eq!(bytes("65536").unwrap(), 65536);
    for word in ["", "m", "8mm", "8g", "-1", "+1", "1.5m", "99999999999999999999m"] {
        assert!(bytes(word).is_err(), "{word}");
    }
    assert_eq!(seconds("90").unwrap(), 90);
    assert_eq!(seconds("5m").unwrap(), 300);
    assert_eq!(seconds("1d").unwrap(), 86400);
    for word in ["", "h", "5w", "1h30m", "-5s", "+5s", "٣s"] {
        assert!(seconds(word).is_err(), "{word}");
    }
}

proptest! {
    #[test]
    fn no_words_make_a_directive_panic(
        row in any::<prop::sample::Index>(),
        words in proptest::collection::vec("(off|rate=|key=|[a-z0-9=/$~ü.\\-]{0,12}|\\PC{0,20})", 0..6),
    ) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (mut main, mut raw) = (RawMain::default(), RawLocation::default());
        let place = Place::default();
        let _ = apply(row.get(MAIN), &mut main, &words, &place);
        let _ = apply(row.get(LOCATION), &mut raw, &words, &place);
        let _ = apply(row.get(ISSUER), main.open.get_or_insert_default(), &words, &place);
        let _ = main.close_issuer();
    }
}
