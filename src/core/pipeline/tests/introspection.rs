//! Opaque tokens: which issuer is asked, what is remembered, and that every check runs on every
//! request.

use core::time::Duration;

use super::revocations::list;
use super::*;
use crate::issuer::Question;
use crate::token::introspection::{self, Answer};

pub(super) const ASKED: &[(&str, &[&str])] = &[
    ("introspection", &["https://idp.example/introspect"]),
    ("introspection_client", &["gateway", "secret=x"]),
];

fn server(key: &Key, issuer: &[(&str, &[&str])], location: &[(&str, &[&str])]) -> Server {
    let lines = [&[("mesh_authenticate", &["token"][..])], location].concat();
    Server::new(key, &[ASKED, issuer].concat(), &[&lines])
}

impl Server {
    /// What the worker has to ask since the last request, as the shell does.
    pub(super) fn wanted(&mut self) -> Option<Question> {
        self.wanted.take().map(|need| match need {
            Need::Introspection(question) => *question,
            Need::Body(body) => panic!("{body:?}"),
        })
    }

    /// Lets the issuer say that; good answers are cached for 60 seconds, bad ones for 10.
    pub(super) fn says(&mut self, question: &Question, answer: &Value) {
        let body = answer.to_string();
        let now = self.now.unix;
        let answer = introspection::read(
            body.as_bytes(),
            &question.token,
            question.issuer,
            &self.trust,
            now,
            &mut None,
        );
        self.takes(question, answer.unwrap());
    }

    fn takes(&mut self, question: &Question, answer: Answer) {
        let times = (Duration::from_secs(60), Duration::from_secs(10));
        let tick = self.now.tick;
        self.introspections.answer(question, answer, times, tick);
    }

    pub(super) fn passes(&mut self, secs: u64) {
        self.now.tick = self.now.tick.saturating_add(Duration::from_secs(secs));
        self.now.unix = self.now.unix.saturating_add(secs.try_into().unwrap());
    }
}

fn active() -> Value {
    json!({ "active": true, "iss": "https://idp.example", "aud": "api", "sub": "orders-api",
        "exp": NOW + 30, "scope": "read" })
}

#[test]
fn an_unknown_opaque_token_is_pending_until_its_issuer_has_answered() {
    let key = Key::new("k");
    let mut server = server(&key, &[], &[]);
    let sent = Sent::token("secret-of-the-issuer");
    let mut memo = Memo::default();
    for _ in 0..2 {
        let refusal = server.ask_in(0, &sent, &mut memo).unwrap_err();
        assert_eq!(refusal.reason(), Reason::IntrospectionPending);
        assert_eq!(refusal.reason().status(), 503);
        assert_eq!(refusal.fields(), [("Retry-After", "1".to_owned())]);
    }
    let question = server.wanted().unwrap();
    assert_eq!((question.issuer, &*question.token), (0, &b"secret-of-the-issuer"[..]));
    assert_eq!(server.wanted(), None);

    server.says(&question, &active());
    let admission = server.ask_in(0, &sent, &mut memo).unwrap();
    let identity = admission.identity().unwrap();
    assert_eq!(identity.attribute(Attribute::Service).unwrap(), "orders-api");
    assert_eq!(identity.attribute(Attribute::Method).unwrap(), "token");
    assert_eq!(server.wanted(), None, "nothing is asked twice");
}

#[test]
fn a_signed_token_is_verified_and_not_asked_about() {
    let key = Key::new("k");
    let mut server = server(&key, &[], &[]);
    server.ask(&Sent::token(&key.token(&json!({})))).unwrap();
    let expired = Sent::token(&key.token(&json!({ "exp": NOW - 60 })));
    assert_eq!(server.reason(&expired), Reason::TokenExpired);
    let foreign = Sent::token(&key.token(&json!({ "iss": "https://other.example" })));
    assert_eq!(server.reason(&foreign), Reason::IssuerRefused);
    assert_eq!(server.wanted(), None);
}

#[test]
fn a_signed_token_is_asked_about_where_its_issuer_always_is() {
    let key = Key::new("k");
    let always = [
        ("introspection", &["https://idp.example/introspect", "always"][..]),
        ("introspection_client", &["gateway", "secret=x"]),
        ("token_type", &["at+jwt"]),
    ];
    let location = [("mesh_authenticate", &["token"][..])];
    let mut server = Server::new(&key, &always, &[&location]);
    let sent = Sent::token(&key.token(&json!({})));
    assert_eq!(server.reason(&sent), Reason::IntrospectionPending);
    let question = server.wanted().unwrap();
    server.says(&question, &active());
    assert_eq!(server.reason(&sent), Reason::TypeRefused, "the header of a signed token counts");
    let foreign = Sent::token(&key.token(&json!({ "iss": "https://other.example" })));
    assert_eq!(server.reason(&foreign), Reason::IssuerRefused);
    assert_eq!(server.wanted(), None, "a token of another issuer is not shown to this one");
}

#[test]
fn a_location_that_does_not_introspect_calls_an_opaque_token_malformed() {
    let key = Key::new("k");
    let mut server = Server::tokens(&key);
    assert_eq!(server.reason(&Sent::token("opaque")), Reason::TokenMalformed);
    assert_eq!(server.wanted(), None);
}

#[test]
fn every_claim_is_checked_on_every_request() {
    let key = Key::new("k");
    for (name, change, reason) in [
        ("exp", json!(NOW - 60), Reason::TokenExpired),
        ("nbf", json!(NOW + 60), Reason::TokenNotYetValid),
        ("aud", json!("other"), Reason::AudienceRefused),
        ("aud", Value::Null, Reason::AudienceRefused),
        ("aud", json!(7), Reason::ClaimMalformed),
        ("iss", json!("https://idp.example/"), Reason::IssuerRefused),
        ("iss", json!(7), Reason::IssuerRefused),
        ("exp", json!("soon"), Reason::ClaimMalformed),
        ("sub", json!(""), Reason::ClaimMalformed),
        ("sub", Value::Null, Reason::ServiceMissing),
        ("active", json!(false), Reason::TokenInactive),
        ("cnf", json!({ "jkt": "AAAA", "kid": "k" }), Reason::BindingUnsupported),
        ("cnf", json!({ "x5t#S256": URL_SAFE_NO_PAD.encode([7; 32]) }), Reason::BindingMismatch),
        ("token_type", json!("refresh_token"), Reason::TypeRefused),
        ("token_use", json!("id"), Reason::TypeRefused),
        ("typ", json!("Refresh"), Reason::TypeRefused),
    ] {
        let mut server = server(&key, &[], &[]);
        let sent = Sent::token("opaque");
        assert_eq!(server.reason(&sent), Reason::IntrospectionPending);
        let question = server.wanted().unwrap();
        let mut answer = active();
        match change {
            Value::Null => answer.as_object_mut().unwrap().remove(name),
            change => answer.as_object_mut().unwrap().insert(name.to_owned(), change),
        };
        server.says(&question, &answer);
        for _ in 0..2 {
            assert_eq!(server.reason(&sent), reason, "{name}");
        }
        assert_eq!(server.wanted(), None, "{name}");
    }
}

#[test]
fn a_known_token_ends_with_its_own_exp_and_is_asked_about_again_after_the_cache() {
    let key = Key::new("k");
    let mut server = server(&key, &[("leeway", &["0s"])], &[]);
    let sent = Sent::token("opaque");
    assert_eq!(server.reason(&sent), Reason::IntrospectionPending);
    let question = server.wanted().unwrap();
    server.says(&question, &active());
    server.passes(29);
    server.ask(&sent).unwrap();
    server.passes(1);
    assert_eq!(server.reason(&sent), Reason::TokenExpired);
    server.passes(30);
    assert_eq!(server.reason(&sent), Reason::IntrospectionPending);
    let question = server.wanted().unwrap();
    server.says(&question, &json!({ "active": false }));
    assert_eq!(server.reason(&sent), Reason::TokenInactive);
    server.passes(10);
    assert_eq!(server.reason(&sent), Reason::IntrospectionPending);
}

#[test]
fn a_token_without_exp_counts_for_as_long_as_the_cache_unless_lifetimes_are_limited() {
    let key = Key::new("k");
    let mut answer = active();
    answer.as_object_mut().unwrap().remove("exp");
    answer["iat"] = json!(NOW);
    for (lines, result) in
        [(&[][..], None), (&[("max_lifetime", &["1d"][..])], Some(Reason::LifetimeExceeded))]
    {
        let mut server = server(&key, lines, &[]);
        let sent = Sent::token("opaque");
        assert_eq!(server.reason(&sent), Reason::IntrospectionPending);
        let question = server.wanted().unwrap();
        server.says(&question, &answer);
        assert_eq!(server.ask(&sent).err().map(|refusal| refusal.reason()), result);
    }
}

#[test]
fn an_absent_audience_passes_only_where_it_is_optional_and_none_is_asked_for() {
    let key = Key::new("k");
    let optional = [("introspection_audience", &["optional"][..])];
    let named = [("mesh_accept", &["idp", "audience=kafka"][..])];
    let mut answer = active();
    answer.as_object_mut().unwrap().remove("aud");
    for (location, audience, result) in [
        (&[][..], None, None),
        (&[], Some(json!("other")), Some(Reason::AudienceRefused)),
        (&[], Some(json!([])), Some(Reason::AudienceRefused)),
        (&named[..], None, Some(Reason::AudienceRefused)),
        (&named, Some(json!("kafka")), None),
    ] {
        let mut server = server(&key, &optional, location);
        let sent = Sent::token("opaque");
        assert_eq!(server.reason(&sent), Reason::IntrospectionPending);
        let question = server.wanted().unwrap();
        let mut answer = answer.clone();
        if let Some(audience) = audience {
            answer["aud"] = audience;
        }
        server.says(&question, &answer);
        assert_eq!(server.ask(&sent).err().map(|refusal| refusal.reason()), result);
    }
}

#[test]
fn no_answer_is_a_503_for_a_moment_and_no_failure_of_the_client() {
    let key = Key::new("k");
    let failures = [("mesh_failure_limit", &["rate=1r/m"][..])];
    let mut server = server(&key, &[], &failures);
    let sent = Sent::token("opaque");
    for _ in 0..5 {
        assert_eq!(server.reason(&sent), Reason::IntrospectionPending);
        let question = server.wanted().unwrap();
        let tick = server.now.tick;
        server.introspections.give_up(&question, tick);
        assert_eq!(server.reason(&sent), Reason::IntrospectionUnavailable);
        assert_eq!(server.wanted(), None);
        server.passes(1);
    }
}

#[test]
fn a_guess_is_charged_once_and_a_known_token_passes_the_limit_on_failures() {
    let key = Key::new("k");
    let failures = [("mesh_failure_limit", &["rate=1r/m"][..])];
    let mut server = server(&key, &[], &failures);
    let good = Sent::token("good");
    assert_eq!(server.reason(&good), Reason::IntrospectionPending);
    let question = server.wanted().unwrap();
    server.says(&question, &active());

    let guess = Sent::token("guess");
    let mut memo = Memo::default();
    let reason = |result: Result<Admission, Refusal>| result.unwrap_err().reason();
    assert_eq!(reason(server.ask_in(0, &guess, &mut memo)), Reason::IntrospectionPending);
    let question = server.wanted().unwrap();
    server.says(&question, &json!({ "active": false }));
    for _ in 0..2 {
        assert_eq!(reason(server.ask_in(0, &guess, &mut memo)), Reason::TokenInactive);
    }
    assert_eq!(server.reason(&Sent::token("next-guess")), Reason::FailureLimited);
    assert_eq!(server.wanted(), None, "the issuer is not asked about it");
    server.ask(&good).unwrap();
}

#[test]
fn a_dry_run_waits_for_the_answer() {
    let key = Key::new("k");
    let mut server = server(&key, &[], &[("mesh_dry_run", &["all"])]);
    let sent = Sent::token("opaque");
    assert_eq!(server.reason(&sent), Reason::IntrospectionPending);
    let question = server.wanted().unwrap();
    let tick = server.now.tick;
    server.introspections.give_up(&question, tick);
    let admission = server.ask(&sent).unwrap();
    assert_eq!(admission.would_refuse().unwrap().reason(), Reason::IntrospectionUnavailable);
    assert!(admission.identity().is_none());
}

#[test]
fn a_known_token_is_revoked_by_each_of_its_names() {
    let key = Key::new("k1");
    let always = [
        ("introspection", &["https://idp.example/introspect", "always"][..]),
        ("introspection_client", &["gateway", "secret=x"]),
    ];
    let location = [("mesh_authenticate", &["token"][..])];
    let mut server = Server::new(&key, &always, &[&location]);
    server.trust.revoke(list(&json!([])));
    let mut answer = active();
    answer["sid"] = json!("o1");
    let opaque = Sent::token("opaque");
    let signed = Sent::token(&key.token(&json!({ "jti": "t2" })));
    for sent in [&opaque, &signed] {
        assert_eq!(server.reason(sent), Reason::IntrospectionPending);
        let question = server.wanted().unwrap();
        server.says(&question, &answer);
        server.ask(sent).unwrap();
    }
    for (entry, covers) in [
        (json!({ "sid": "o1" }), [true, true]),
        (json!({ "sub": "orders-api" }), [true, true]),
        // A signed token may say itself what its issuer leaves out.
        (json!({ "jti": "t2" }), [false, true]),
        (json!({ "kid": "k1" }), [false, true]),
    ] {
        server.trust.revoke(list(&json!([entry])));
        for (sent, is_covered) in [&opaque, &signed].into_iter().zip(covers) {
            let reason = server.ask(sent).err().map(|refusal| refusal.reason());
            assert_eq!(reason, is_covered.then_some(Reason::TokenRevoked), "{entry}");
        }
    }
    assert_eq!(server.wanted(), None);
}

#[test]
fn a_token_that_is_too_large_is_not_asked_about() {
    let key = Key::new("k");
    let mut server = server(&key, &[], &[]);
    let sent = Sent::token(&"a".repeat(16 * 1024 + 1));
    assert_eq!(server.reason(&sent), Reason::TokenTooLarge);
    assert_eq!(server.wanted(), None);
}
