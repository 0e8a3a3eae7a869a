//! An issuer with many tenants, and what Entra ID has besides.

use super::*;

const V2: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";
const V1: &str = "https://sts.windows.net/{tenantid}/";

fn server(keys: &Value, template: &str) -> Server {
    let lines: Lines<'_> = &[
        ("issuer", &[template]),
        ("tenants", &[TENANT]),
        ("tenants", &["11111111-2222-3333-4444-555555555555"]),
        ("audience", &["api"]),
        ("jwks", &["x"]),
        ("service_claim", &["/azp", "/appid"]),
        ("groups_claim", &["/groups"]),
    ];
    Server::of(&[("entra", lines, json!({ "keys": keys }))], &[TOKEN])
}

fn claims(template: &str, tenant: &str) -> Value {
    json!({ "iss": template.replace("{tenantid}", tenant), "tid": tenant, "aud": "api",
        "sub": "pairwise", "azp": "client", "exp": NOW + 600 })
}

#[test]
fn a_token_of_a_listed_tenant_is_believed_by_its_own_issuer_alone() {
    let key = Key::new("k1");
    for template in [V2, V1] {
        let mut server = server(&json!([key.jwk]), template);
        let good = claims(template, TENANT);
        server.ask(&Sent::token(&key.sign(&good))).unwrap();
        let of_another = claims(template, OTHER);
        for changes in [
            of_another,
            json!({ "tid": OTHER }),
            json!({ "tid": "11111111-2222-3333-4444-555555555555" }),
            json!({ "tid": null }),
            json!({ "tid": [TENANT] }),
            json!({ "tid": TENANT.to_uppercase() }),
            json!({ "iss": template }),
            json!({ "iss": template.replace("{tenantid}", "common") }),
            json!({ "iss": template.replace("{tenantid}", &TENANT.to_uppercase()) }),
            json!({ "iss": template.replace("{tenantid}", OTHER) }),
            json!({ "iss": format!("{}x", template.replace("{tenantid}", TENANT)) }),
            json!({ "iss": template.replace("{tenantid}", &format!("{TENANT}/{TENANT}")) }),
        ] {
            let sent = Sent::token(&key.sign(&changed(&good, &changes)));
            assert_eq!(server.reason(&sent), Reason::IssuerRefused, "{changes}");
        }
    }
}

#[test]
fn a_key_that_names_its_issuer_is_for_no_other() {
    let [all, one, stranger, other] = ["all", "one", "stranger", "other"].map(Key::new);
    let issuer = |key: &Key, issuer: &str| jwk_with(key, &json!({ "issuer": issuer }));
    let keys = json!([
        issuer(&all, V2),
        issuer(&one, &V2.replace("{tenantid}", TENANT)),
        issuer(&stranger, &V2.replace("{tenantid}", OTHER)),
        issuer(&other, "https://login.microsoftonline.us/{tenantid}/v2.0"),
    ]);
    // Version 1 has other issuers, and the same keys.
    for template in [V2, V1] {
        let mut server = server(&keys, template);
        let good = claims(template, TENANT);
        for key in [&all, &one] {
            server.ask(&Sent::token(&key.sign(&good))).unwrap();
        }
        for key in [&stranger, &other] {
            assert_eq!(server.reason(&Sent::token(&key.sign(&good))), Reason::IssuerRefused);
        }
        let second = claims(template, "11111111-2222-3333-4444-555555555555");
        server.ask(&Sent::token(&all.sign(&second))).unwrap();
        assert_eq!(server.reason(&Sent::token(&one.sign(&second))), Reason::IssuerRefused);
    }
}

#[test]
fn a_key_that_names_its_issuer_is_for_no_other_where_there_is_one_tenant_too() {
    let [own, stranger] = ["own", "stranger"].map(Key::new);
    let url = V2.replace("{tenantid}", TENANT);
    let lines: Lines<'_> = &[("issuer", &[&url]), ("audience", &["api"]), ("jwks", &["x"])];
    let keys = json!({ "keys": [
        jwk_with(&own, &json!({ "issuer": V2 })),
        jwk_with(&stranger, &json!({ "issuer": V2.replace("{tenantid}", OTHER) })),
    ] });
    let mut server = Server::of(&[("entra", lines, keys)], &[TOKEN]);
    let good = claims(V2, TENANT);
    server.ask(&Sent::token(&own.sign(&good))).unwrap();
    assert_eq!(server.reason(&Sent::token(&stranger.sign(&good))), Reason::IssuerRefused);
    let without = changed(&good, &json!({ "tid": null }));
    assert_eq!(server.reason(&Sent::token(&own.sign(&without))), Reason::IssuerRefused);
}

#[test]
fn the_service_is_the_first_of_the_claims_that_is_there() {
    let key = Key::new("k1");
    let mut server = server(&json!([key.jwk]), V1);
    let mut service = |changes: Value| {
        let sent = Sent::token(&key.sign(&changed(&claims(V1, TENANT), &changes)));
        server.ask(&sent).map(|it| attribute(&it, Attribute::Service).unwrap())
    };
    assert_eq!(service(json!({ "appid": "b" })).unwrap(), "client");
    assert_eq!(service(json!({ "azp": null, "appid": "b" })).unwrap(), "b");
    for wrong in [json!(""), json!(7), json!(["client"])] {
        let refusal = service(json!({ "azp": wrong, "appid": "b" })).unwrap_err();
        assert_eq!(refusal.reason(), Reason::ServiceMissing, "no claim stands in for a bad one");
    }
    let refusal = service(json!({ "azp": null })).unwrap_err();
    assert_eq!(refusal.reason(), Reason::ServiceMissing);
}

#[test]
fn groups_that_are_too_many_are_unknown_and_not_none() {
    let key = Key::new("k1");
    let location: Lines<'_> =
        &[("mesh_authenticate", &["token"]), ("mesh_require_claim", &["/groups", "eng"])];
    let lines: Lines<'_> = &[
        ("issuer", &["https://idp.example"]),
        ("audience", &["api"]),
        ("jwks", &["x"]),
        ("groups_claim", &["/groups"]),
    ];
    let set = json!({ "keys": [key.jwk] });
    let mut server = Server::of(&[("idp", lines, set)], &[TOKEN, location]);
    let mut ask = |changes: Value| {
        let sent = Sent::token(&key.token(&changes));
        let open = server.ask_in(0, &sent, &mut Memo::default()).unwrap();
        let groups = attribute(&open, Attribute::Groups);
        assert_eq!(
            exported(&open).iter().any(|(name, _)| *name == "X-Mesh-Groups"),
            groups.is_some()
        );
        (groups, server.ask_in(1, &sent, &mut Memo::default()).is_ok())
    };
    assert_eq!(ask(json!({ "groups": ["eng"] })), (Some("[\"eng\"]".to_owned()), true));
    assert_eq!(ask(json!({ "groups": [] })), (Some("[]".to_owned()), false));
    let overage = json!({ "_claim_names": { "groups": "src1" },
        "_claim_sources": { "src1": { "endpoint": "https://graph.windows.net/x" } } });
    assert_eq!(ask(changed(&overage, &json!({ "groups": ["eng"] }))), (None, false));
    assert_eq!(ask(json!({ "hasgroups": true, "groups": ["eng"] })), (None, false));
    assert_eq!(ask(json!({ "hasgroups": "true", "groups": ["eng"] })), (None, false));
    let known = json!({ "hasgroups": false, "_claim_names": { "roles": "src1" } });
    assert_eq!(ask(known), (Some("[\"eng\",\"ops\"]".to_owned()), true));
    for wrong in [json!("groups"), json!(["groups"]), json!(true)] {
        let sent = Sent::token(&key.token(&json!({ "_claim_names": wrong })));
        assert_eq!(server.reason(&sent), Reason::ClaimMalformed);
    }
}

#[test]
fn a_template_and_its_tenants_need_each_other() {
    let audience = ("audience", &["api"][..]);
    let jwks = ("jwks", &["x"][..]);
    for (lines, expected) in [
        (&[("issuer", &[V2][..])][..], "has \"{tenantid}\" in its issuer, and no \"tenants\""),
        (
            &[("issuer", &["https://a.example"]), ("tenants", &[TENANT])],
            "has \"tenants\", and no \"{tenantid}\" in its issuer",
        ),
        (&[("issuer", &["https://a/{tenantId}/"])], "holds \"{tenantid}\" once"),
        (&[("issuer", &["https://a/{tenantid}/{tenantid}"])], "holds \"{tenantid}\" once"),
        (&[("issuer", &[V2]), ("tenants", &["common"])], "is not a GUID in lower case"),
        (&[("tenants", &["8C1B5A2E-0F3D-4B6A-9C7E-1D2F3A4B5C6D"])], "is not a GUID in lower case"),
        (&[("tenants", &[TENANT]), ("tenants", &[TENANT])], "is named twice"),
        (
            &[
                ("issuer", &[V2]),
                ("tenants", &[TENANT]),
                ("spiffe_trust_domain", &["prod.example"]),
            ],
            "has both \"spiffe_trust_domain\" and \"tenants\"",
        ),
    ] {
        let lines = [&[audience, jwks], lines].concat();
        let refused = refused_block(&lines, &[]);
        assert!(refused.contains(expected), "{refused}");
    }
    let many = &[audience, jwks, ("issuer", &[V2][..]), ("tenants", &[OTHER, TENANT][..])];
    let url = V2.replace("{tenantid}", TENANT);
    let one = &[audience, jwks, ("issuer", &[&*url][..])];
    for (first, second) in [(&many[..], &one[..]), (&one[..], &many[..])] {
        let refused = refused_block(second, &[first]);
        assert!(refused.contains("already belongs to mesh_issuer \"i0\""), "{refused}");
    }
}
