//! Kinds with parts are trees.

use super::*;

const TREE: &str = "platform files
kind path form=path actions=read,run,use,write,delete,manage,vend named=manage,vend
kind secret form=slashed actions=read,write,delete
GET /status status path:read query:path | list
GET /export export path:read query:path
POST /do do path:run query:path
";

fn ask(deny: &str, request: &str) -> String {
    let table = Arc::new(Table::parse(TREE).unwrap());
    let text = format!(
        "{HEAD}roles: {{ r: [ {{ files: {{ paths: ['/**', '*'], actions: ['*', manage, vend] }} }} ] }}
bindings: [ {{ name: b, role: r, services: [orders] }} ]
deny: [ {{ name: no, files: {{ {deny} }} }} ]
"
    );
    let policy = read(&text.replace("names: { dbt", "# names: { dbt"), &[table]).unwrap().policy;
    rule(&policy, &token("orders", None), &format!("files {request}"))
}

#[test]
fn what_changes_a_node_is_refused_by_a_denial_of_any_node_below_or_above_it() {
    for action in ["write", "delete", "manage", "vend"] {
        for path in ["/", "/Shared", "/Shared/pii", "/Shared/pii/a", "/Shared/pii/a/b"] {
            let request = format!("do path:{action} {path}");
            assert_eq!(ask("paths: ['/Shared/pii/**']", &request), "no", "{request}");
            assert_eq!(ask("paths: ['/Shared/pii']", &request), "no", "{request}");
        }
        for path in ["/Shared/other", "/Shared/pii2", "/Users"] {
            let request = format!("do path:{action} {path}");
            assert_eq!(ask("paths: ['/Shared/pii/**']", &request), "b", "{request}");
        }
    }
}

#[test]
fn what_exports_a_node_is_refused_like_a_change_and_a_list_is_not() {
    assert_eq!(ask("paths: ['/Shared/pii/**']", "export path:read /Shared"), "no");
    assert_eq!(ask("paths: ['/Shared/pii/**']", "status path:read /Shared list"), "b");
    assert_eq!(ask("paths: ['/Shared/pii/**']", "status path:read /Shared/pii/a list"), "no");
}

#[test]
fn what_runs_or_uses_a_node_is_refused_by_a_denial_of_that_node() {
    for action in ["run", "use"] {
        assert_eq!(ask("paths: ['/Shared/pii/**']", &format!("do path:{action} /Shared")), "b");
        assert_eq!(
            ask("paths: ['/Shared/pii/**']", &format!("do path:{action} /Shared/pii/a")),
            "no"
        );
    }
}

#[test]
fn a_get_of_any_http_api_does_not_reach_what_is_below() {
    let policy = policy(
        "roles: { r: [ { http: { paths: ['*'], actions: ['*'] } } ] }
bindings: [ { name: b, role: r, services: [orders] } ]
deny: [ { name: admin, http: { paths: ['/admin/**'] } } ]
",
    );
    let ask = |request: &str| rule(&policy, &token("orders", None), &format!("http {request}"));
    assert_eq!(ask("get path:get /"), "b");
    assert_eq!(ask("get path:get /admin/users"), "admin");
    assert_eq!(ask("put path:put /admin"), "admin");
}
