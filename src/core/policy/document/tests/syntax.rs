//! What is no document, or none of ours.

use super::faults::assert_faults;
use super::*;

#[test]
fn of_the_document() {
    assert_faults(
        "",
        &[
            ("", "1:1: the document is empty: it begins with \"version: 1\""),
            ("# nothing", "1:1: the document is empty: it begins with \"version: 1\""),
            ("[]", "1:1: a map is expected"),
            ("roles: {}", "1:1: a policy lacks \"version\""),
            ("version: 2", "1:10: this product reads version 1"),
            ("version: \"1\"", "1:10: this product reads version 1"),
            ("version: [1]", "1:10: a text is expected, and neither a list nor a map"),
            ("version: 1\nversion: 1", "2:1: \"version\" is there twice"),
            (
                "version: 1\nbinding: []",
                "2:1: a policy has no \"binding\"; did you mean \"bindings\"?",
            ),
            ("version: 1\n---\nversion: 1", "3:1: a policy is one document"),
            ("version: 1\n...\nversion: 1", "3:1: a policy is one document"),
            ("version: 1\nroles: { r: &a [] }", "2:13: a policy has no anchors, aliases or tags"),
            ("version: 1\nroles: { r: !x [] }", "2:13: a policy has no anchors, aliases or tags"),
            (
                "version: 1\nroles: { r: !!seq [] }",
                "2:13: a policy has no anchors, aliases or tags",
            ),
            (
                "version: 1\nroles: { r: *a }",
                "2:13: a word that begins with \"*\" or \"&\" is in quotes, and a policy has no aliases",
            ),
            (
                "version: 1\nroles: { r: [ { kafka: { topics: [*] } } ] }",
                "2:35: a word that begins with \"*\" or \"&\" is in quotes, and a policy has no aliases",
            ),
            ("version: 1\nroles: { <<: [] }", "2:10: a policy has no merge keys"),
            ("version: 1\nroles: { [a]: [] }", "2:10: a name is a text"),
            (
                "version: 1\nroles: [",
                "2:8: a map is expected\n3:1: this is no YAML: while parsing a node, did not find expected node content",
            ),
            ("version: 1\nroles: { r: [[[[[[[[[]]]]]]]]] }", "2:14: a map is expected"),
            ("version: 1\nroles: 7", "2:8: a map is expected"),
            ("version: 1\nbindings: {}", "2:11: a list is expected"),
            ("version: 1\ndeny:", "2:5: a list is expected"),
        ],
    );
}

#[test]
fn of_json() {
    assert_faults(
        "",
        &[
            (r#"{"version": 1, "roles": {}, "roles": {}}"#, "1:29: \"roles\" is there twice"),
            (r#"{"version": 1, "roles": {}, "\u0072oles": {}}"#, "1:29: \"roles\" is there twice"),
            (r#"{"version": 1, "roles": {},}"#, "1:28: a name in quotes is missing"),
            (r#"{"version": 1, "bindings": [,]}"#, "1:29: this is no JSON: a text is in quotes"),
            (r#"{"version": 1 "roles": {}}"#, "1:15: a comma is missing"),
            (r#"{"version": 1, "roles" {}}"#, "1:24: a colon is missing behind the name"),
            (r#"{"version": 1, roles: {}}"#, "1:16: a name in quotes is missing"),
            (r#"{"version": 1, "roles": {r: []}}"#, "1:26: a name in quotes is missing"),
            (r#"{"version": 1, "deny": ['a']}"#, "1:25: this is no JSON: a text is in quotes"),
            (r#"{"version": 01}"#, "1:13: this is no JSON: a text is in quotes"),
            (r#"{"version": 1} {}"#, "1:16: a policy is one document"),
            (r#"{"version": 1"#, "2:1: the document ends too early"),
            (r#"{"version": 1]"#, "1:14: a comma is missing"),
            (r#"{"version": 1, "roles": {"\ud800": []}}"#, "1:27: this escape is no character"),
            (r#"{"version": 1, "roles": {"\x41": []}}"#, "1:27: JSON has no such escape"),
            (r#"{"version": 1, "roles": {"a"#, "1:28: a control character is written as an escape"),
            (
                "{\"version\": 1, \"roles\": {\"a\tb\": []}}",
                "1:28: a control character is written as an escape",
            ),
            ("{\"version\": 1, // one\n\"roles\": {}}", "1:16: a name in quotes is missing"),
            (
                "{\n  \"version\": 1,\n  \"deny\": [ {\"name\": null} ]\n}",
                "3:13: a denial is of one platform, such as \"kafka: { ... }\"\n3:13: a denial lacks \"name\"\n3:22: \"null\" is no name: put it in quotes if it is one",
            ),
            (
                r#"{"version": 1, "deny": [{"name": 7}]}"#,
                "1:25: a denial is of one platform, such as \"kafka: { ... }\"",
            ),
        ],
    );
}

#[test]
fn json_has_the_escapes_that_yaml_lacks() {
    let text = r#"{"version": 1, "groups": {"\ud83d\ude00": ["okta/\u00e9\/\"\\"]}}"#;
    let policy = read(text).unwrap().policy;
    assert_eq!(&*policy.groups[0].name, "😀");
    assert_eq!(&*policy.groups[0].members[0].group, "é/\"\\");
}

#[test]
fn columns_are_characters_and_a_byte_order_mark_is_none() {
    let expected = "2:9: \"a\" is there twice";
    assert_eq!(
        faults("\u{feff}version: 1\nrol\u{65}s: { é: [], a: [], a: [] }"),
        expected.replace("2:9", "2:24")
    );
    assert_eq!(
        faults("{\"version\": 1,\n\"roles\": {\"é\": [], \"a\": [], \"a\": []}}"),
        expected.replace("2:9", "2:29")
    );
}

#[test]
fn a_document_that_is_too_large_is_not_read() {
    let text = format!("version: 1\n#{}\n", "x".repeat(MAX_BYTES));
    assert_eq!(faults(&text), "1:1: the policy is larger than 64 MiB");
}

#[test]
fn what_is_deep_is_refused_before_it_is_read() {
    for open in ["[", "{\"a\":", "{a: ", "- ", "? "] {
        let text = format!("version: 1\nroles: {{ r: {}", open.repeat(50_000));
        assert!(!faults(&text).is_empty(), "{open}");
        let json = format!("{{\"version\": 1, \"roles\": {{\"r\": {}", open.repeat(50_000));
        assert!(!faults(&json).is_empty(), "{open}");
    }
}

#[test]
fn what_would_take_too_much_memory_is_refused_before_it_is_taken() {
    let role = |open: &str, item: &str, count: usize| {
        format!("version: 1\nroles: {{ r: [ {{ kafka: {{ topics: {open}{}", item.repeat(count))
    };
    let brackets = "2:1: a list or a map in brackets has more than 500,000 items: write its items \
                    with a line each, or the document in JSON";
    assert_eq!(faults(&role("[", "a,", 500_001)), brackets);
    assert_eq!(faults(&role("[ # ' ]\n", "a,\n", 500_001)), brackets.replace("2:", "500003:"));
    let line = "# it's [, one\n- [a, ']', \"\\\"[\", it's]\n";
    let lines = format!("version: 1\ndeny:\n{}", line.repeat(200_000));
    assert!(faults(&lines).starts_with("4:3: a map is expected"), "{}", faults(&lines));
    let mut reader = Reader::new(r#"{"version": 1, "groups": {"g": ["a/b", "a/c"]}}"#);
    reader.names = reader::MAX_NAMES - 1;
    assert!(Sections::new(&TABLES).add(&mut reader).is_err());
    assert_eq!(reader.faults[0].to_string(), "1:40: there are more than 4,000,000 names");
}

#[test]
fn a_million_rules_is_the_most() {
    let mut sections = Sections::new(&TABLES);
    sections.rules = MAX_RULES - 1;
    let rule = "- { name: NAME, kafka: { topics: [a] } }\n";
    let text = ["version: 1\ndeny:\n", &rule.replace("NAME", "a"), &rule.replace("NAME", "b")];
    let text = text.concat();
    let mut reader = Reader::new(&text);
    assert!(sections.add(&mut reader).is_err());
    let faults: Vec<String> = reader.faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults, ["4:3: there are more than 1,000,000 rules"]);
}

#[test]
fn what_is_told_breaks_no_line_and_is_not_long() {
    let text = r#"{"version": 1, "roles": {"a\nb\u001b": [], "a\nb\u001b": []}}"#;
    assert!(faults(text).lines().count() > 1, "the name itself is a fault");
    assert!(!faults(text).chars().any(|it| it.is_control() && it != '\n'), "{}", faults(text));
    assert!(faults(text).contains("\"a\u{fffd}b\u{fffd}\" is there twice"));
    let long = format!("version: 1\n{}: 1\n", "x".repeat(1000));
    assert_eq!(faults(&long).len(), "2:1: ".len() + 403);
}
