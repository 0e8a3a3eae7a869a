use proptest::prelude::*;

use super::*;
use crate::request::{Credentials, Method, Methods};
use crate::testing::Sent;

/// The token that is found in any of three places, and in which.
fn found(fields: &[(&str, &str)]) -> Result<Option<(String, usize)>, Reason> {
    let sources =
        [Source::Authorization, Source::Header("x-token".into()), Source::Cookie("session".into())];
    let methods = Methods::only(Method::Token);
    let request = Sent::of(fields);
    let credentials =
        Credentials::extract(&request, methods, &sources).map_err(|refusal| refusal.reason())?;
    Ok(credentials
        .bearer()
        .map(|token| (String::from_utf8(token.to_vec()).unwrap(), credentials.source())))
}

#[test]
fn a_token_is_found_in_each_place() {
    for (fields, at) in [
        (&[("authorization", "Bearer a.b.c")][..], 0),
        (&[("x-token", "a.b.c")], 1),
        (&[("x-token", " bearer  a.b.c ")], 1),
        (&[("cookie", "session=a.b.c")], 2),
        (&[("cookie", "a=1; session=a.b.c ;b=2")], 2),
        (&[("cookie", "session = a.b.c")], 2),
        (&[("cookie", "a=1, 2;  session=a.b.c")], 2),
        (&[("authorization", "Basic dTpw"), ("x-token", "a.b.c"), ("cookie", "Session=x; a")], 1),
    ] {
        assert_eq!(found(fields), Ok(Some(("a.b.c".to_owned(), at))), "{fields:?}");
    }
    for fields in
        [&[][..], &[("x-other", "a.b.c")], &[("cookie", "SESSION=a; xsession=b; session2=c")]]
    {
        assert_eq!(found(fields), Ok(None), "{fields:?}");
    }
}

#[test]
fn a_token_may_stand_behind_a_scheme_of_its_own() {
    let read = |value: &str| {
        let request = Sent::of(&[("authorization", value)]);
        let found = Source::Scheme("token".into()).read(&request);
        found.map(|it| {
            it.map(|(scheme, token)| (scheme, String::from_utf8(token.to_vec()).unwrap()))
        })
    };
    for value in ["Token a.b.c", "token  a.b.c", " TOKEN a.b.c "] {
        assert_eq!(read(value), Ok(Some((Scheme::Bearer, "a.b.c".to_owned()))), "{value}");
    }
    for value in ["Bearer a.b.c", "Tokens a.b.c", "Token=a.b.c", "Tok", "DPoP a.b.c"] {
        assert_eq!(read(value), Ok(None), "{value}");
    }
    for value in ["Token", "Token ", "Token\ta.b.c", "Token,a", "Token a b", "Token a,b"] {
        assert_eq!(read(value), Err(Reason::TokenMalformed), "{value}");
    }
}

#[test]
fn two_tokens_are_a_conflict_wherever_they_stand() {
    let (bearer, header, cookie) =
        (("authorization", "Bearer a"), ("x-token", "a"), ("cookie", "session=a"));
    for fields in [
        &[bearer, header][..],
        &[bearer, cookie],
        &[header, cookie],
        &[bearer, header, cookie],
        &[bearer, bearer],
        &[header, header],
        &[cookie, cookie],
        &[cookie, ("cookie", "other=1")],
        &[("cookie", "session=a; session=a")],
        &[("cookie", "session=a;session=b")],
        &[("cookie", "session=a; session")],
        &[("cookie", "session=a; session =b")],
        &[("cookie", "session=a; x=\"; session=b\"")],
        &[("cookie", "session=a; \x0bsession=b")],
        &[("cookie", "session=a; session\x1f=b")],
        &[("cookie", "session=a; \u{a0}session=b")],
        // Nginx shows another one as $cookie_session, or none.
        &[("cookie", "SESSION=a; session=b")],
        &[("cookie", "a=1,session=a; session=b")],
        &[("cookie", "a=1;\tsession=b")],
    ] {
        assert_eq!(found(fields), Err(Reason::CredentialConflict), "{fields:?}");
    }
}

#[test]
fn what_stands_in_place_of_a_token_is_malformed() {
    for fields in [
        ("x-token", ""),
        ("x-token", "Bearer "),
        ("x-token", "Bearer a b"),
        ("x-token", "Basic dTpw"),
        ("x-token", "a,b"),
        ("cookie", "session="),
        ("cookie", "session"),
        ("cookie", "session=\"a.b.c\""),
        ("cookie", "session=Bearer a.b.c"),
        ("cookie", "session=a%2Eb"),
        ("cookie", "session=a,b"),
    ] {
        assert_eq!(found(&[fields]), Err(Reason::TokenMalformed), "{fields:?}");
    }
}

#[test]
fn a_cookie_goes_and_its_neighbours_stay() {
    for (field, rest) in [
        ("session=a", None),
        ("session=a;", None),
        ("a=1; session=x; b=2", Some("a=1; b=2")),
        ("session=x;a=\"1\"", Some("a=\"1\"")),
        ("a=1 ;;b ; session = x", Some("a=1; b")),
        ("a=1; \x0bsession=x", Some("a=1")),
        ("a=1", Some("a=1")),
    ] {
        let left = without_cookie(field.as_bytes(), "session");
        assert_eq!(left, rest.map(|rest| rest.as_bytes().to_vec()), "{field}");
    }
}

/// The token of a handshake with these protocols.
fn offered(protocols: &str) -> Result<Option<String>, Reason> {
    let sent = Sent::of(&[(WEBSOCKET_PROTOCOL, protocols)]);
    let found = Source::WebSocket.read(&sent)?;
    Ok(found.map(|(_, token)| String::from_utf8(token.to_vec()).unwrap()))
}

#[test]
fn the_protocol_behind_bearer_is_the_token_and_the_others_stay() {
    for (field, rest) in [
        ("bearer, a.b.c", None),
        ("bearer,a.b.c", None),
        (" bearer ,\ta.b.c , ", None),
        ("bearer,, a.b.c", None),
        ("chat, bearer, a.b.c", Some("chat")),
        ("bearer, a.b.c, chat,mqtt", Some("chat, mqtt")),
        ("chat,bearer,a.b.c,,mqtt", Some("chat, mqtt")),
    ] {
        assert_eq!(offered(field), Ok(Some("a.b.c".to_owned())), "{field}");
        let left = without_bearer(field.as_bytes());
        assert_eq!(left.as_deref(), rest.map(str::as_bytes), "{field}");
    }
    for field in ["", "chat", "chat, mqtt", "a.b.c", "bearer.a.b.c", "bearer a.b.c", "bearers, a"] {
        assert_eq!(offered(field), Ok(None), "{field}");
    }
    assert_eq!(Source::WebSocket.read(&Sent::default()), Ok(None));
}

#[test]
fn protocols_that_may_hold_two_tokens_or_none_are_refused() {
    for field in [
        "bearer, a, bearer, b",
        "bearer, a, Bearer, b",
        "bearer, bearer",
        "bearer, bearer, a",
        "bearer, a, a",
        "a, bearer, a",
        "chat, a, bearer, a",
    ] {
        assert_eq!(offered(field), Err(Reason::CredentialConflict), "{field}");
    }
    let sent = Sent::of(&[(WEBSOCKET_PROTOCOL, "bearer, a"), (WEBSOCKET_PROTOCOL, "chat")]);
    assert_eq!(Source::WebSocket.read(&sent), Err(Reason::CredentialConflict));
    for field in ["bearer", "chat, bearer", "bearer,", "bearer, a b", "bearer, \"a\"", "Bearer, a"]
    {
        assert_eq!(offered(field), Err(Reason::TokenMalformed), "{field}");
    }
}

#[test]
fn a_place_is_shown_by_the_variables_of_its_fields() {
    let shown = |source: &Source| {
        let names = [
            "http_authorization",
            "http_dpop",
            "http_cookie",
            "cookie_session",
            "cookie_s.e",
            "http_x_token",
            "http_x_tokens",
            "http_",
            "cookie_",
            "x_token",
            "request_uri",
            "sent_http_authorization",
        ];
        names.into_iter().filter(|name| source.is_shown_by(name)).collect::<Vec<_>>()
    };
    assert_eq!(shown(&Source::Authorization), ["http_authorization", "http_dpop"]);
    assert_eq!(shown(&Source::Header("x-token".into())), ["http_x_token"]);
    assert_eq!(shown(&Source::Header("x_token".into())), ["http_x_token"]);
    // Nginx folds the case of a cookie's name.
    assert_eq!(shown(&Source::Cookie("Session".into())), ["http_cookie", "cookie_session"]);
    assert_eq!(shown(&Source::Cookie("s.e".into())), ["http_cookie", "cookie_s.e"]);
}

#[test]
fn fields_of_another_meaning_are_no_sources() {
    for name in [
        "authorization",
        "cookie",
        "host",
        "if-match",
        "x-mesh-service",
        "x_mesh_token",
        "te",
        "user_agent",
        "if_match",
        "x.forwarded-for",
        "sec_websocket-protocol",
    ] {
        assert!(!may_be_source(name), "{name}");
    }
    for name in ["x-amzn-oidc-data", "cf-access-jwt-assertion", "x-token"] {
        assert!(may_be_source(name), "{name}");
    }
}

#[test]
fn a_short_or_foreign_authorization_is_no_token() {
    for value in [&b""[..], b"B", b"Beare", b"Basic dTpw", b"BearerX a", b"Token x", b"\0", b"\xff"]
    {
        assert_eq!(token(value), Ok(None), "{value:?}");
    }
}

#[test]
fn the_scheme_folds_case_and_may_be_followed_by_several_spaces() {
    for value in [&b"Bearer a.b.c"[..], b"bearer a.b.c", b"BEARER   a.b.c "] {
        assert_eq!(token(value), Ok(Some((Scheme::Bearer, &b"a.b.c"[..]))));
    }
    for value in [&b"DPoP a.b.c"[..], b" dpop   a.b.c", b"DPOP a.b.c"] {
        assert_eq!(token(value), Ok(Some((Scheme::Dpop, &b"a.b.c"[..]))));
    }
}

#[test]
fn a_bearer_without_one_token_is_malformed() {
    for value in [
        &b"Bearer"[..],
        b"Bearer ",
        b"Bearer a b",
        b"Bearer a,b",
        b"Bearer a\x00",
        b"Bearer\ta.b.c",
        b"Bearer,a.b.c",
        b"Bearer=a.b.c",
        b"Bearer \xff",
        b"DPoP",
        b"DPoP a, DPoP b",
        b"DPoP\ta.b.c",
    ] {
        assert_eq!(token(value), Err(Reason::TokenMalformed), "{value:?}");
    }
}

#[test]
fn a_token_is_of_letters_digits_and_seven_marks() {
    for byte in 0..=u8::MAX {
        let is = byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        assert_eq!(is_token68(byte), is, "{byte:#x}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(value in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = token(&value);
        let _ = cookie(&value, "a");
        let _ = without_cookie(&value, "a");
        let _ = behind_bearer(&value);
        let _ = without_bearer(&value);
    }

    #[test]
    fn what_is_left_of_protocols_holds_no_token(field in "([ab],? ?|bearer,? ?|BEARER,|[, \t]){0,12}") {
        let before = behind_bearer(field.as_bytes());
        let left = without_bearer(field.as_bytes()).unwrap_or_default();
        if let Ok(token) = before {
            prop_assert_eq!(behind_bearer(&left), Ok(None));
            prop_assert!(token.is_none_or(|token| protocols(&left).all(|it| it != token)));
            let count = protocols(field.as_bytes()).count();
            let taken = if token.is_some() { 2 } else { 0 };
            prop_assert_eq!(protocols(&left).count().saturating_add(taken), count);
        }
        prop_assert_eq!(without_bearer(&left).unwrap_or_default(), left);
    }

    #[test]
    fn what_is_left_of_cookies_holds_all_but_one_name(field in "[a-c=;, \"]{0,40}") {
        let left = without_cookie(field.as_bytes(), "a").unwrap_or_default();
        let named = |field: &[u8]| -> Vec<(Vec<u8>, Vec<u8>)> {
            let all = cookies(field).filter(|(pair, name, _)| !pair.is_empty() && *name != b"a");
            all.map(|(_, name, value)| (name.to_vec(), value.to_vec())).collect()
        };
        prop_assert_eq!(cookie(&left, "a"), Ok(None));
        prop_assert_eq!(named(&left), named(field.as_bytes()));
        prop_assert_eq!(without_cookie(&left, "a").unwrap_or_default(), left);
    }
}
