use serde_json::{Value, json};

use super::*;
use crate::claims::Kept;
use crate::documents::{Failure, Found, Header, Layout, Slot, Source, Word};
use crate::policy::Editions;
use crate::testing::keys::{P256, RSA, key_set};
use crate::testing::{self, NOW};
use crate::text::time::Tick;

fn trust() -> Trust {
    let main = testing::issuers(&[
        (
            "file",
            &[
                ("issuer", &["https://\"file\".example"]),
                ("audience", &["api"]),
                ("jwks", &["keys.json"]),
            ],
        ),
        ("found", &[("issuer", &["https://found.example"]), ("audience", &["api"])]),
        (
            "asked",
            &[
                ("issuer", &["https://asked.example"]),
                ("audience", &["api"]),
                ("jwks", &["https://asked.example/keys"]),
            ],
        ),
    ]);
    Trust::new(main.issuers, Kept::default(), vec![Some(key_set(&[RSA.jwk("<\"r\">")]))])
}

fn clock(unix: UnixTime) -> Now {
    Now { unix, tick: Tick::from_millis(1_000) }
}

fn page(status: &Status<'_>) -> Value {
    let json = status.to_json().unwrap();
    assert!(json.ends_with("}\n"));
    serde_json::from_str(&json).unwrap()
}

#[test]
fn each_issuer_is_shown_with_what_is_known_of_it() {
    let at = |secs| UnixTime::from_secs(NOW).saturating_add(secs);
    let trust = trust();
    let sources: Vec<_> = trust.issuers().iter().map(Source::of).collect();
    let (header, slots) = (Header::default(), [(); 3].map(|()| Slot::default()));
    let layout = Layout::of(3);
    let words: Vec<_> = (0..layout.zeroed + 6 * 128).map(|_| Word::default()).collect();
    let documents = Documents::begin(&header, &slots, &words, &sources).unwrap();
    documents.seed(1, &Found { generation: 4, confirmed: at(-90), bytes: b"{}".to_vec() });
    documents.fail(1, &Failure { at: at(-7), word: "tls".into(), text: "no \"name\"".into() });
    documents.enter(0, 100);
    documents.adopted(0, 100, 1, 4);
    documents.enter(2, 102);
    trust.replace_fetched(1, key_set(&[P256.jwk("e")]), at(-90));

    let snapshot = trust.load();
    let status = Status {
        trust: &trust,
        snapshot: &snapshot,
        documents: Some(&documents),
        workers: 2,
        this: (0, 100),
        table: None,
        policy_files: &[],
        policies: &Editions::default(),
        diverged: (0, 0),
        now: clock(at(0)),
    };
    let expected = json!({
        "worker": 0,
        "pid": 100,
        "issuers": [
            {
                "name": "file", "issuer": "https://\"file\".example",
                "source": { "kind": "file", "at": "keys.json" },
                "keys": [{ "kid": "<\"r\">",
                    "algorithms": ["PS256", "PS384", "PS512", "RS256", "RS384", "RS512"] }],
                "generation": 0, "age": null, "stale": false, "last_error": null,
            },
            {
                "name": "found", "issuer": "https://found.example",
                "source": { "kind": "discovery",
                    "at": "https://found.example/.well-known/openid-configuration" },
                "keys": [{ "kid": "e", "algorithms": ["ES256"] }],
                "generation": 4, "age": 90, "stale": false,
                "last_error": { "word": "tls", "text": "no \"name\"", "seconds_ago": 7 },
            },
            {
                "name": "asked", "issuer": "https://asked.example",
                "source": { "kind": "jwks", "at": "https://asked.example/keys" },
                "keys": [], "generation": null, "age": null, "stale": false, "last_error": null,
            },
        ],
        "revocations": null,
        // The third is of a time when there were more.
        "workers": [{ "worker": 0, "pid": 100, "generations": [
            { "name": "found", "generation": 4 }, { "name": "asked", "generation": null },
        ] }],
        "zone": null,
        "policies": [],
        "policy_dry_runs": null,
    });
    assert_eq!(page(&status), expected);

    let later = page(&Status { now: clock(at(86_400)), ..status });
    assert_eq!(later["issuers"][1]["stale"], json!(true));
    assert_eq!(later["issuers"][1]["keys"][0]["kid"], json!("e"));
}

#[test]
fn without_shared_documents_the_files_are_shown() {
    let trust = trust();
    let snapshot = trust.load();
    let page = page(&Status {
        trust: &trust,
        snapshot: &snapshot,
        documents: None,
        workers: 1,
        this: (0, 1),
        table: None,
        policy_files: &[],
        policies: &Editions::default(),
        diverged: (0, 0),
        now: clock(UnixTime::from_secs(NOW)),
    });
    assert_eq!(page["issuers"][0]["generation"], json!(0));
    assert_eq!(page["workers"], json!([]));
}

#[test]
fn each_part_of_the_zone_is_shown() {
    use crate::limit::{Charge, Quota, Rate};

    let (zone, trust) = (testing::Zone::of(64), trust());
    let table = zone.table();
    let quota = Quota::new("q", Rate::parse("1r/m").unwrap(), 0, 1).unwrap();
    for who in 0..100_u8 {
        let charge = Charge::new(&quota, Part::Chosen, table.key(&quota, &[&[who]]));
        let _ = table.charge(&[charge], Tick::from_millis(1_000)).unwrap();
    }
    let page = page(&Status {
        trust: &trust,
        snapshot: &trust.load(),
        documents: None,
        workers: 1,
        this: (0, 1),
        table: Some(table),
        policy_files: &[],
        policies: &Editions::default(),
        diverged: (0, 0),
        now: clock(UnixTime::from_secs(NOW)),
    });
    assert_eq!(page["zone"]["identities"], json!({ "slots": 384, "in_debt": 0, "full": 0 }));
    assert_eq!(page["zone"]["failures"], json!({ "slots": 64, "in_debt": 0, "full": 0 }));
    let chosen = &page["zone"]["chosen"];
    let [slots, in_debt, full] =
        ["slots", "in_debt", "full"].map(|name| chosen[name].as_u64().unwrap());
    assert!(slots == 64 && in_debt > 50 && full > 0);
    assert_eq!(in_debt + full, 100);
}

#[test]
fn the_list_of_what_is_revoked_is_counted() {
    use std::sync::Arc;

    use crate::issuer::revocation::Revocations;

    let trust = trust();
    let text = br#"{"version":1,"revoked":[{"jti":"a"},{"sub":"b"}]}"#;
    let list = Revocations::parse(text, |_| None).unwrap();
    for (revoked, shown) in [
        (Revoked::Listed(Arc::new(list)), json!({ "known": true, "entries": 2 })),
        (Revoked::Unknown, json!({ "known": false, "entries": null })),
    ] {
        trust.revoke(revoked);
        let page = page(&Status {
            trust: &trust,
            snapshot: &trust.load(),
            documents: None,
            workers: 1,
            this: (0, 1),
            table: None,
            policy_files: &[],
            policies: &Editions::default(),
            diverged: (0, 0),
            now: clock(UnixTime::from_secs(NOW)),
        });
        assert_eq!(page["revocations"], shown);
    }
}
