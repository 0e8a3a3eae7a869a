//! What is wrong, where, and the nearest right word.

use super::*;

/// Each text, and what is said of it.
#[track_caller]
pub(super) fn assert_faults(head: &str, table: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (text, expected) in table {
        let found = faults(&format!("{head}{text}\n"));
        if found != *expected {
            wrong.push(format!("{text}\n  found    {found}\n  expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn of_sections() {
    assert_faults(
        "version: 1\n",
        &[
            (
                "roles: { r: [ { kafka: { topics: [a], actions: [produces] } } ] }",
                "2:49: topics have no action \"produces\"; did you mean \"produce\"?",
            ),
            (
                "roles: { r: [ { kafka: { topic: [a], actions: [produce] } } ] }",
                "2:26: \"kafka\" has no \"topic\"; did you mean \"topics\"?",
            ),
            (
                "roles: { r: [ { kafak: { topics: [a], actions: [produce] } } ] }",
                "2:17: there is no platform \"kafak\"; did you mean \"kafka\"?",
            ),
            (
                "roles: { r: [ { kafka: { topics: [a], groups: [a], actions: [produce] } } ] }",
                "2:62: groups have no action \"produce\"",
            ),
            (
                "roles: { r: [ { kafka: { topics: [a] } } ] }",
                "2:24: a grant has actions or operations",
            ),
            (
                "roles: { r: [ { kafka: { topics: [a], operations: [api.v2.topics.gets] } } ] }",
                "2:52: \"kafka\" has no operation \"api.v2.topics.gets\"; did you mean \"api.v2.topics.get\"?",
            ),
            (
                "roles: { r: [ { kafka: { topics: [a b], actions: [produce] } } ] }",
                "2:35: no resource of this kind can have such a name",
            ),
            (
                "roles: { r: [ { dbt: { jobs: ['4*'], actions: [run] } } ] }",
                "2:31: a number is whole: a pattern matches the names in \"names\"",
            ),
            (
                "roles: { r: [ { dbt: { jobs: [nightly], actions: [run] } } ] }",
                "2:31: \"names\" has no such name as \"nightly\"",
            ),
            (
                "roles: { r: [ { dbt: { jobs: [042], actions: [run] } } ] }",
                "2:31: a number fits into 64 bits, and has no leading zero",
            ),
            (
                "names: { dbt: { jobs: { 7: 42 } } }",
                "2:25: a name is not of digits alone, and has no asterisk",
            ),
            ("names: { kafka: { topics: { a: 42 } } }", "2:19: \"topics\" have names of their own"),
            (
                "services: { a: [ { issuer: okta } ] }",
                "2:18: \"issuer\" and \"service\" stand together",
            ),
            ("services: { a: [ { spiffe: a } ] }", "2:28: a SPIFFE ID begins with \"spiffe://\""),
            (
                "services: { null: [] }",
                "2:13: \"null\" is no name: put it in quotes if it is one\n2:19: this list is empty: fill or remove it",
            ),
            (
                "groups: { a/b: [] }",
                "2:11: the name of a group has no slash: that is an issuer's own\n2:16: this list is empty: fill or remove it",
            ),
            ("groups: { a: [b] }", "2:15: a group of an issuer is ISSUER/GROUP"),
            (
                "roles: { synapse/user: [] }",
                "2:10: the role \"synapse/user\" ships with the product",
            ),
            ("bindings: [ { name: b, role: r, groups: [a/b] } ]", "2:30: there is no role \"r\""),
            (
                "roles: { r: [] }\nbindings: [ { name: b, role: r } ]",
                "3:13: a binding says whom it is for: services or groups",
            ),
            (
                "roles: { r: [] }\nbindings: [ { name: b, role: r, groups: [devs] } ]",
                "3:42: there is no group \"devs\"; an issuer's own is ISSUER/GROUP",
            ),
            (
                "roles: { r: [] }\nbindings: [ { name: b, role: r, groups: [a/b], untill: 2026-01-01T00:00:00Z } ]",
                "3:48: a binding has no \"untill\"; did you mean \"until\"?",
            ),
            (
                "roles: { r: [] }\nbindings: [ { name: b, role: r, groups: [a/b], until: 2026-01-01 } ]",
                "3:55: a time has whole seconds and an offset, such as 2026-01-01T00:00:00Z",
            ),
            (
                "roles: { r: [] }\nbindings: [ { name: default, role: r, groups: [a/b] } ]",
                "3:21: \"default\" is the rule of what no binding holds: choose another name",
            ),
            (
                "deny: [ { name: d, kafka: { topics: [a] } }, { name: d, kafka: { topics: [b] } } ]",
                "2:54: the rule \"d\" is in line 2 as well",
            ),
            (
                "deny: [ { name: d } ]",
                "2:9: a denial is of one platform, such as \"kafka: { ... }\"",
            ),
            (
                "limits: [ { role: r, rate: 1r/s } ]",
                "2:11: limits by role are not built yet: use mesh_limit, and remove this",
            ),
            (
                "roles: { a: { include: [b] }, b: { include: [a] } }",
                "2:10: the role \"a\" includes itself, by itself or by another",
            ),
            (
                "roles: { r: [ { kafka: { topics: [a], actions: [produce], operations: [] } } ] }",
                "2:71: this list is empty: fill or remove it",
            ),
            (
                "roles: { r: [ { kafka: { topics: [], actions: [produce] } } ] }",
                "2:34: this list is empty: fill or remove it",
            ),
            (
                "roles: { r: [ { kafka: { topics: [a], actions: [] } } ] }",
                "2:48: this list is empty: fill or remove it",
            ),
            (
                "roles: { r: [ { kafka: { actions: [produce] } } ] }",
                "2:24: this names no kind of resource",
            ),
            (
                "roles: { r: [ { kafka: { topics: [a], topics: [b], actions: [produce] } } ] }",
                "2:39: \"topics\" is there twice",
            ),
            (
                "roles: { r: [ { kafka: { topics: a, actions: [produce] } } ] }",
                "2:34: a list is expected",
            ),
            (
                "roles: { r: [ { kafka: { topics: [a], actions: [produce] }, dbt: { jobs: ['*'], actions: [run] } } ] }",
                "2:15: a grant is of one platform, such as \"- kafka: { ... }\"",
            ),
            (
                "roles: { r: [ {} ] }",
                "2:15: a grant is of one platform, such as \"- kafka: { ... }\"",
            ),
            (
                "roles: { r: { includes: [a] } }",
                "2:15: a role has no \"includes\"; did you mean \"include\"?",
            ),
            (
                "roles: { r: { include: [synapse/compute-operater] } }",
                "2:25: there is no role \"synapse/compute-operater\"; did you mean \"synapse/compute-operator\"?",
            ),
            (
                "roles: { r: { include: [r] } }",
                "2:10: the role \"r\" includes itself, by itself or by another",
            ),
            (
                "roles: { r: [ { kafka: { topics: ['a*b*'], actions: [produce] } } ] }",
                "2:35: a part of a name has at most one \"*\", and \"**\" stands at the end, behind a separator",
            ),
            (
                "roles: { r: [ { http: { paths: ['/a/**/b'], actions: [get] } } ] }",
                "2:33: a part of a name has at most one \"*\", and \"**\" stands at the end, behind a separator",
            ),
            (
                "roles: { r: [ { http: { paths: [a], actions: [get] } } ] }",
                "2:33: no resource of this kind can have such a name",
            ),
            (
                "roles: { r: [ { http: { paths: [/a/../b], actions: [get] } } ] }",
                "2:33: no resource of this kind can have such a name",
            ),
            (
                "roles: { r: [ { kafka: { topics: [true], actions: [produce] } } ] }",
                "2:35: \"true\" is no name: put it in quotes if it is one",
            ),
            (
                "roles: { r: [ { kafka: { topics: [~], actions: [produce] } } ] }",
                "2:35: \"~\" is no name: put it in quotes if it is one",
            ),
            (
                "roles: { r: [ { kafka: { topics: [null], actions: [produce] } } ] }",
                "2:35: \"null\" is no name: put it in quotes if it is one",
            ),
            (
                "roles: { r: [ { kafka: { topics: [''], actions: [produce] } } ] }",
                "2:35: a name is missing, or empty",
            ),
            (
                "roles: { r: [ { kafka: { topics: ['a\\nb'], actions: [produce] } } ] }",
                "2:35: no resource of this kind can have such a name",
            ),
            (
                "roles: { 'true': [], false: [] }",
                "2:22: \"false\" is no name: put it in quotes if it is one",
            ),
            (
                "names: { dbt: { jobs: { a: 042 } } }",
                "2:28: this is a number, without a leading zero",
            ),
            ("names: { dbt: { jobs: { a: 42, a: 43 } } }", "2:32: \"a\" is there twice"),
            (
                "names: { dbt: { job: { a: 42 } } }",
                "2:17: \"dbt\" has no \"job\"; did you mean \"jobs\"?",
            ),
            (
                "names: { dbt_cloud: { jobs: { a: 42 } } }",
                "2:10: there is no platform \"dbt_cloud\"; did you mean \"dbt\"?",
            ),
            ("services: { a: [] }", "2:16: this list is empty: fill or remove it"),
            (
                "services: { a: [ {} ] }",
                "2:18: a line says \"spiffe\", or \"issuer\" and \"service\"",
            ),
            (
                "services: { a: [ { issuer: okta, services: b } ] }",
                "2:18: \"issuer\" and \"service\" stand together\n2:34: a line of a service has no \"services\"; did you mean \"service\"?",
            ),
            (
                "services: { a: [ { spiffe: 'spiffe://d/a' } ], a: [] }",
                "2:48: \"a\" is there twice",
            ),
            ("groups: { a: [] }", "2:14: this list is empty: fill or remove it"),
            ("groups: { a: [ /b ] }", "2:16: a group of an issuer is ISSUER/GROUP"),
            (
                "deny: [ { name: d, kafka: { topics: [a] }, services: [] } ]",
                "2:54: this list is empty: fill or remove it",
            ),
            (
                "deny: [ { name: d, kafka: { topics: [a] }, unless_group: [a/b] } ]",
                "2:44: a denial has no \"unless_group\"; did you mean \"unless_groups\"?",
            ),
            (
                "deny: [ { name: d, kafka: { topics: [a] }, dbt: { jobs: ['*'] } } ]",
                "2:9: a denial is of one platform, such as \"kafka: { ... }\"",
            ),
            (
                "deny: [ { name: d, kafka: { topics: [a] }, addresses: [] } ]",
                "2:55: this list is empty: fill or remove it",
            ),
            (
                "deny: [ { name: d, kafka: { topics: [a] }, claims: {} } ]",
                "2:52: this map is empty: fill or remove it",
            ),
            (
                "deny: [ { name: d, kafka: { topics: [a] }, claims: { /amr: [] } } ]",
                "2:60: this list is empty: fill or remove it",
            ),
            (
                "deny: [ { name: d, kafka: { topics: [a] }, claims: { /amr: [null] } } ]",
                "2:61: this is no value: put it in quotes if it is one",
            ),
            (
                "deny: [ { name: d, kafka: { topics: [a] }, claims: { amr: [mfa] } } ]",
                "2:54: the claim \"amr\" is not a JSON pointer such as /realm_access/roles (RFC 6901)",
            ),
            (
                "deny: [ { name: d, kafka: { topics: [a] }, addresses: [10.0.0.1/8] } ]",
                "2:56: this is an address or a network, such as 10.0.0.0/8, with the bits of hosts zero",
            ),
            (
                "deny: [ { name: d, kafka: { topics: [a] }, from: 2026-01-01T00:00:00 } ]",
                "2:50: a time has whole seconds and an offset, such as 2026-01-01T00:00:00Z",
            ),
            (
                "deny: [ { name: d, kafka: { topics: [a] }, from: 2026-01-01T00:00:00.5Z } ]",
                "2:50: a time has whole seconds and an offset, such as 2026-01-01T00:00:00Z",
            ),
            (
                "deny: [ { name: d, kafka: { topics: [a] }, dry_run: yes } ]",
                "2:53: true or false is expected",
            ),
            ("deny: [ { kafka: { topics: [a] } } ]", "2:9: a denial lacks \"name\""),
            ("deny: [ 7 ]", "2:9: a map is expected"),
            (
                "bindings: [ { name: b, role: r, services: [a], groups: [g] } ]",
                "2:30: there is no role \"r\"\n2:44: there is no service \"a\"\n2:57: there is no group \"g\"; an issuer's own is ISSUER/GROUP",
            ),
            (
                "bindings: [ { } ]",
                "2:13: a binding lacks \"name\"\n2:13: a binding lacks \"role\"\n2:13: a binding says whom it is for: services or groups",
            ),
            (
                "bindings: [ { name: [a], role: {}, groups: [a/b] } ]",
                "2:21: a text is expected, and neither a list nor a map\n2:32: a text is expected, and neither a list nor a map",
            ),
            (
                "limits: [ { role: r, rates: 1r/s } ]",
                "2:11: a limit lacks \"rate\"\n2:11: limits by role are not built yet: use mesh_limit, and remove this\n2:22: a limit has no \"rates\"; did you mean \"rate\"?",
            ),
        ],
    );
}

#[test]
fn of_several_things_at_once() {
    let text = "version: 1
roles:
  r:
    - kafka: { topics: [a b], actions: [produces, describe, deletes] }
    - kafka: { topic: [a], actions: [produce] }
bindings:
  - { name: b, role: s, services: [x], until: tomorrow }
  - { name: b, role: r, group: [x] }
";
    let expected = "4:25: no resource of this kind can have such a name
4:41: topics have no action \"produces\"; did you mean \"produce\"?
4:61: topics have no action \"deletes\"; did you mean \"delete\"?
5:16: \"kafka\" has no \"topic\"; did you mean \"topics\"?
7:22: there is no role \"s\"
7:36: there is no service \"x\"
7:47: a time has whole seconds and an offset, such as 2026-01-01T00:00:00Z
8:5: a binding says whom it is for: services or groups
8:13: the rule \"b\" is in line 7 as well
8:25: a binding has no \"group\"; did you mean \"groups\"?";
    assert_eq!(faults(text), expected);
}
