use std::sync::Arc;

use crate::body::{Reader, Type as BodyType};
use crate::platform::{Asked, Fields, Platform, Refused};
use crate::refusal::Reason;
use crate::request::Field;

use super::*;

const HEAD: &str = "
platform test
scope account path:account_id query:account
dialect strimzi redpanda
option oidc the login page is not passed on
kind topic form=token actions=describe,produce,consume,create
kind group form=plain actions=describe,consume
kind job form=number actions=read,run,override,write named=override,write
kind file form=file actions=read,write
kind securable form=dotted actions=read,use
kind path form=path actions=read,write
kind secret form=slashed actions=read,write named=*
";

const ROWS: &str = "
GET /topics topics.list topic:describe all | list
GET /topics/{topic} topics.get topic:describe path:topic
POST /topics/{topic} produce topic:produce path:topic | stream
POST /topics/{topic} v1.produce refused: version 1 is not served | type=application/vnd.kafka.v1+json
GET /v3/topics/-/configs configs.list topic:describe all | list
GET /v3/topics/{topic}/configs configs.get topic:describe path:topic | dash
POST /v3/topics/{topic}/configs:alter configs.alter topic:create path:topic | dash
POST /subscription subscribe topic:consume body:/topics/*? when body:/topic_pattern topic:consume all group:consume query:group
POST /api/2.{v#}/jobs/run-now run_now job:run body:/job_id | override=/dbt_commands
POST /api/v2/accounts/{account_id}/jobs/{id}/run trigger job:run path:id | override=any except=cause
GET /runs runs.get job:read query:run_id = query:run_uuid
GET /many many job:read query:id* | list
POST /cancel-all cancel_all job:run body:/job_id?all
GET /fs/files/{path+} files.get file:read path:path
GET /fs/files/Workspace/{path+} workspace.get path:read const:/Workspace / path:path
PUT /fs/files/{path+} files.put file:write path:path | any_character
POST /fs/files/{path+}?action=complete-upload files.complete file:write path:path | any_character
POST /fs/files/{path+} files.post file:write path:path | any_character
POST /statements execute securable:use body:/catalog? . body:/schema?
GET /secret secrets.get secret:read query:scope / query:key
GET /index/{index} index.get securable:read path:index
POST /index/{index}:query index.query securable:read path:index
POST /submit submit job:run all path:read query:from? path:write query:to?
GET /brokers brokers.list topic:describe all | dialect=redpanda
GET /authorize oidc.authorize topic:describe all | option=oidc
";

struct None_;

impl Fields for None_ {
    fn field(&self, _name: &str) -> Field<'_> {
        Field::Absent
    }
}

struct Type(&'static str);

impl Fields for Type {
    fn field(&self, name: &str) -> Field<'_> {
        if name == "content-type" { Field::One(self.0.as_bytes()) } else { Field::Absent }
    }
}

fn table() -> Arc<Table> {
    Arc::new(Table::parse(&format!("{HEAD}{ROWS}")).unwrap())
}

/// What a request with a body of JSON reads as: `operation kind:action name ...`, or why not.
fn read(platform: &Platform, request: &str, fields: &dyn Fields, body: &str) -> String {
    let (method, target) = request.split_once(' ').unwrap();
    let (path, query) =
        target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let asked = Asked {
        method,
        path: path.as_bytes(),
        query: query.map(str::as_bytes),
        is_decoded: false,
        fields,
    };
    let route = match platform.route(&asked) {
        Ok(route) => route,
        Err(refused) => return refusal(refused),
    };
    let found = route.wanted().map(|wanted| {
        let mut reader = Reader::new(BodyType::Json, wanted);
        reader.feed(body.as_bytes()).and_then(|()| reader.finish())
    });
    let found = match found.transpose() {
        Ok(found) => found,
        Err(error) => return Reason::from(error).word().into(),
    };
    match route.name(found.as_ref()) {
        Err(refused) => refusal(refused),
        Ok(operation) => {
            let kinds = operation.table.kinds();
            let resources = operation.resources.iter().map(|it| {
                let kind = &kinds.get(it.kind).unwrap().name;
                format!(" {kind}:{} {}", kinds.word(it.action), it.name.as_deref().unwrap_or("*"))
            });
            format!("{}{}", operation.name(), resources.collect::<String>())
        }
    }
}

fn refusal(refused: Refused<'_>) -> String {
    match refused {
        Refused::Unknown => "unknown".into(),
        Refused::OnPurpose(_) => "refused".into(),
        Refused::Ambiguous(_) => "ambiguous".into(),
        Refused::Malformed(_) => "malformed".into(),
        Refused::Name => "name".into(),
        Refused::Missing => "missing".into(),
        Refused::TooMany => "many".into(),
    }
}

#[track_caller]
fn assert_reads(rows: &[(&str, &str)]) {
    let platform = Platform::new(table());
    for (request, expected) in rows {
        assert_eq!(read(&platform, request, &None_, ""), *expected, "{request}");
    }
}

#[test]
fn a_path_is_the_row_that_says_most() {
    assert_reads(&[
        ("GET /topics", "topics.list topic:describe *"),
        ("GET /topics/", "topics.list topic:describe *"),
        ("GET /topics/orders", "topics.get topic:describe orders"),
        ("HEAD /topics/orders/", "topics.get topic:describe orders"),
        ("GET /topics/%6frders", "topics.get topic:describe orders"),
        ("GET /%74opics/orders", "topics.get topic:describe orders"),
        ("GET /v3/topics/-/configs", "configs.list topic:describe *"),
        ("GET /v3/topics/t/configs", "configs.get topic:describe t"),
        ("POST /v3/topics/t/configs:alter", "configs.alter topic:create t"),
        ("POST /v3/topics/-/configs:alter", "configs.alter topic:create *"),
    ]);
}

#[test]
fn what_no_row_knows_is_unknown() {
    assert_reads(&[
        ("GET /", "unknown"),
        ("GET //", "unknown"),
        ("GET /topics/a/b", "unknown"),
        ("GET /Topics", "unknown"),
        ("GET //topics", "unknown"),
        ("GET /topics//", "unknown"),
        ("DELETE /topics/a", "unknown"),
        ("OPTIONS /topics", "unknown"),
        ("get /topics", "unknown"),
        ("GET /v3/topics/t/configs:alter", "unknown"),
        ("POST /v3/topics/t/configs:other", "unknown"),
        ("POST /v3/topics/t/configs", "unknown"),
        ("POST /api/2./jobs/run-now", "unknown"),
        ("POST /api/2.01/jobs/run-now", "unknown"),
        ("POST /api/2.x/jobs/run-now", "unknown"),
        ("GET /fs/files", "unknown"),
        ("GET /fs/files/", "unknown"),
    ]);
}

#[test]
fn a_path_that_servers_read_in_two_ways_is_ambiguous() {
    assert_reads(&[
        ("GET /topics/../x", "ambiguous"),
        ("GET /topics/.", "ambiguous"),
        ("GET /topics/a%2eb", "ambiguous"),
        ("GET /topics/a%2Fb", "ambiguous"),
        ("GET /topics/a;b", "ambiguous"),
        ("GET /topics/a%3Bb", "ambiguous"),
        ("GET /topics/a%5Cb", "ambiguous"),
        ("GET /topics/a%252Fb", "ambiguous"),
        ("GET /topics/a#b", "ambiguous"),
        ("GET /topics/a%00", "malformed"),
        ("GET /topics/%ff", "malformed"),
        ("GET /topics/%4", "malformed"),
        ("GET /topics/%zz", "malformed"),
        ("POST /index/a%3Aquery", "ambiguous"),
        ("GET /index/a%3Aquery", "ambiguous"),
        ("GET /index/a:other", "unknown"),
        ("POST /index/a:query", "index.query securable:read a"),
    ]);
}

#[test]
fn a_spanning_parameter_takes_what_is_behind_its_head() {
    assert_reads(&[
        ("GET /fs/files/Volumes/C/s/v/a%20b", "files.get file:read /Volumes/c/s/v/a b"),
        ("GET /fs/files/Volumes/C/s/v/a%2Fb", "ambiguous"),
        ("PUT /fs/files/Volumes/c/s/v/a%23b", "files.put file:write /Volumes/c/s/v/a#b"),
        ("PUT /fs/files/a#b", "ambiguous"),
        ("PUT /fs/files/a;b", "ambiguous"),
        ("PUT /fs/files/a\\b", "ambiguous"),
        ("PUT /fs/files/a%3Bb", "files.put file:write /a;b"),
        ("GET /runs?run_id=7#8", "ambiguous"),
        ("PUT /fs/files/a%2Fb", "files.put file:write /a/b"),
        ("PUT /fs/files/a%2F..%2Fb", "ambiguous"),
        ("PUT /fs/files/a%5C..", "ambiguous"),
        ("PUT /fs/files/a%2F%2Fb", "ambiguous"),
        ("GET /fs/files/a//b", "name"),
        ("POST /fs/files/x?action=complete-upload&upload=1", "files.complete file:write /x"),
        ("POST /fs/files/x?upload=1", "files.post file:write /x"),
        ("POST /fs/files/x?action=other", "unknown"),
        ("POST /fs/files/x?action=complete-upload&action=complete-upload", "unknown"),
        ("POST /fs/files/x?Action=complete-upload", "ambiguous"),
        ("POST /fs/files/x?action=complete-upload;x=1", "ambiguous"),
    ]);
}

#[test]
fn what_is_written_in_front_of_a_spanning_parameter_is_of_its_name() {
    assert_reads(&[
        ("GET /fs/files/Workspace/Shared/x", "workspace.get path:read /Shared/x"),
        ("GET /fs/files/Work%73pace/Shared/x/", "workspace.get path:read /Shared/x"),
        ("GET /fs/files/Workspace/Workspace/Shared/x", "name"),
        ("GET /fs/files/Workspace//Shared/x", "name"),
        ("GET /fs/files/Workspace", "name"),
    ]);
}

#[test]
fn a_spanning_parameter_is_empty_at_neither_end() {
    assert_reads(&[
        ("GET /fs/files/Volumes/c/", "files.get file:read /Volumes/c"),
        ("GET /fs/files/Volumes/c//", "unknown"),
        ("PUT /fs/files/a//", "unknown"),
        ("GET /fs/files//Volumes/c", "unknown"),
        ("GET /fs/files//", "unknown"),
        ("GET /fs/files/", "unknown"),
    ]);
}

#[test]
fn a_member_of_the_query_names_a_resource_once() {
    assert_reads(&[
        ("GET /runs?run_id=7", "runs.get job:read 7"),
        ("GET /runs?run_uuid=7&run_id=7", "runs.get job:read 7"),
        ("GET /runs?run_uuid=8&run_id=7", "ambiguous"),
        ("GET /runs?run_id=7&run_id=7", "ambiguous"),
        ("GET /runs?runId=7", "ambiguous"),
        ("GET /runs?run_id=7&RUN-ID=8", "ambiguous"),
        ("GET /runs", "missing"),
        ("GET /runs?run_id=", "name"),
        ("GET /runs?run_id=07", "name"),
        ("GET /runs?run_id=+7", "name"),
        ("GET /many?id=1&id=2", "many job:read 1 job:read 2"),
        ("GET /secret?scope=Prod&key=k", "secrets.get secret:read prod/k"),
        ("GET /secret?scope=a%2Fb&key=k", "name"),
        ("GET /secret?key=k", "missing"),
    ]);
}

#[test]
fn a_kind_of_paths_may_stand_behind_another() {
    assert_reads(&[
        ("POST /submit", "submit job:run *"),
        ("POST /submit?to=/b&from=/Workspace/a", "submit job:run * path:read /a path:write /b"),
    ]);
}

#[test]
fn members_of_the_body_name_resources() {
    let platform = Platform::new(table());
    for (request, body, expected) in [
        (
            "POST /subscription?group=g",
            r#"{"topics": ["a", "b"]}"#,
            "subscribe topic:consume a topic:consume b group:consume g",
        ),
        (
            "POST /subscription?group=g",
            r#"{"topic_pattern": "x.*"}"#,
            "subscribe topic:consume * group:consume g",
        ),
        ("POST /api/2.1/jobs/run-now", r#"{"job_id": "42"}"#, "run_now job:run 42"),
        (
            "POST /api/2.1/jobs/run-now",
            r#"{"job_id": 42, "dbt_commands": ["dbt run"]}"#,
            "run_now job:override 42",
        ),
        (
            "POST /api/2.1/jobs/run-now",
            r#"{"job_id": 42, "dbt_commands": null}"#,
            "run_now job:run 42",
        ),
        ("POST /api/2.1/jobs/run-now", "{}", "missing"),
        ("POST /api/2.1/jobs/run-now", r#"{"job_id": null}"#, "missing"),
        ("POST /api/2.1/jobs/run-now", r#"{"job_id": [42]}"#, "body_malformed"),
        ("POST /cancel-all", "", "cancel_all job:run *"),
        ("POST /cancel-all", r#"{"job_id": 1}"#, "cancel_all job:run 1"),
        ("POST /api/v2/accounts/1/jobs/22/run/", r#"{"cause": "x"}"#, "trigger job:run 22"),
        ("POST /api/v2/accounts/1/jobs/22/run/", r#"{"git_sha": ""}"#, "trigger job:override 22"),
        ("POST /statements", r#"{"catalog": "C", "schema": "s"}"#, "execute securable:use c.s"),
        ("POST /statements", r#"{"catalog": "c"}"#, "execute securable:use c"),
        ("POST /statements", r#"{"schema": "s"}"#, "execute securable:use *"),
        ("POST /statements", r#"{"catalog": "c.d"}"#, "name"),
        ("POST /statements", "{}", "execute securable:use *"),
    ] {
        assert_eq!(read(&platform, request, &None_, body), expected, "{request} {body}");
    }
}

#[test]
fn a_row_may_be_chosen_by_its_type() {
    let platform = Platform::new(table());
    let read = |fields: &dyn Fields| read(&platform, "POST /topics/t", fields, "");
    assert_eq!(read(&Type("application/vnd.kafka.json.v2+json")), "produce topic:produce t");
    assert_eq!(read(&Type("Application/VND.kafka.v1+json; charset=utf-8")), "refused");
    assert_eq!(read(&None_), "produce topic:produce t");
}

#[test]
fn a_location_turns_dialects_and_options_on_and_pins_ids() {
    let mut platform = Platform::new(table());
    let read = |platform: &Platform, request: &str| read(platform, request, &None_, "");
    assert_eq!(read(&platform, "GET /brokers"), "brokers.list topic:describe *");
    assert!(platform.set_dialects(&["strimzi"]));
    assert_eq!(read(&platform, "GET /brokers"), "unknown");
    assert!(!platform.set_dialects(&["confluent"]));
    assert_eq!(read(&platform, "GET /authorize"), "refused");
    assert!(platform.set_option("oidc") && !platform.set_option("other"));
    assert_eq!(read(&platform, "GET /authorize"), "oidc.authorize topic:describe *");
    assert!(platform.pin("account", "1") && !platform.pin("other", "1"));
    let run = "POST /api/v2/accounts/1/jobs/22/run/";
    assert_eq!(read(&platform, run), "trigger job:run 22");
    assert_eq!(read(&platform, &run.replace("/1/", "/2/")), "refused");
    assert_eq!(read(&platform, "GET /topics?account=2"), "refused");
    assert_eq!(read(&platform, "GET /topics?account=1"), "topics.list topic:describe *");
    assert_eq!(read(&platform, "GET /topics?account=1&account=1"), "ambiguous");
}

#[test]
fn a_decoded_path_is_compared_as_it_is() {
    let platform = Platform::new(table());
    let read = |path: &str| {
        let fields = &None_;
        let asked =
            Asked { method: "GET", path: path.as_bytes(), query: None, is_decoded: true, fields };
        platform.route(&asked).map(|route| route.line()).map_err(refusal)
    };
    assert!(read("/fs/files/a b").is_ok());
    assert_eq!(read("/topics/a%62"), Err("ambiguous".into()));
    let put = Asked {
        method: "PUT",
        path: b"/fs/files/a#b",
        query: None,
        is_decoded: true,
        fields: &None_,
    };
    assert_eq!(platform.route(&put).map(|_| ()).map_err(refusal), Err("ambiguous".into()));
}

#[test]
fn a_line_that_is_wrong_is_told_with_its_number() {
    for (row, expected) in [
        (
            "GET topics x topic:describe all",
            "a line is a head line or METHODS /PATH OPERATION KIND:ACTION ...",
        ),
        (
            "GET /a x topic:describe",
            "\"topic:describe\" has no selector; if it means all, say \"all\"",
        ),
        ("GET /a x topic:run all", "\"topic\" has no such action as in \"topic:run\""),
        ("GET /a x subject:read all", "there is no kind \"subject\""),
        ("GET /a x topic:describe path:t", "the path has no parameter \"t\""),
        ("GET /{a}/{a} x topic:describe all", "\"a\" is no name of a parameter, or is one twice"),
        ("GET /{a+}/b x topic:describe all", "nothing follows a parameter that spans segments"),
        ("GET /a/ x topic:describe all", "a segment is empty, or the path ends with \"/\""),
        ("TRACE /a x topic:describe all", "\"TRACE\" is no method of a row"),
        ("GET /a x topic:describe all | lists", "a row has no flag \"lists\""),
        ("GET /a x refused:", "a refusal has a reason"),
        ("GET /a x topic:describe body:/t | stream", "the body of a stream is not read"),
        ("GET /a x topic:describe query:t | override=/b", "the kind has no action \"override\""),
        (
            "kind query form=plain actions=read",
            "\"query\" is a place of a request: give the kind another name",
        ),
        ("kind topic form=plain actions=read", "the kind \"topic\" or its plural is taken"),
    ] {
        let errors = Table::parse(&format!("{HEAD}{row}\n")).unwrap_err();
        let line = u32::try_from(HEAD.lines().count() + 1).unwrap();
        assert_eq!(errors, [Error { line, text: expected.into() }]);
    }
}

#[test]
fn rows_of_which_neither_says_more_overlap() {
    assert_eq!(table().overlaps(), []);
    for (rows, is_one) in [
        ("GET /a/{x} x topic:describe all\nGET /{y}/b y topic:describe all", true),
        ("GET /a/{x} x topic:describe all\nPOST /{y}/b y topic:describe all", false),
        ("GET /a/{x} x topic:describe all\nGET /{y}/b y topic:describe all | over=x", false),
        ("GET /a/{x} x topic:describe all\nGET /a/b y topic:describe all", false),
        ("GET /a/{x} x topic:describe all\nGET /a/{y} y topic:describe all", true),
        ("GET /a/{x+} x topic:describe all\nGET /a/{y} y topic:describe all", false),
        ("GET /{x}-a x topic:describe all\nGET /b-{y} y topic:describe all", true),
        ("GET /a?q=1 x topic:describe all\nGET /a?q=1,2 y topic:describe all", true),
        ("GET /a?q=1 x topic:describe all\nGET /a?q=2 y topic:describe all", false),
    ] {
        let overlaps = Table::parse(&format!("{HEAD}{rows}")).unwrap().overlaps();
        assert_eq!(!overlaps.is_empty(), is_one, "{rows}");
    }
}
