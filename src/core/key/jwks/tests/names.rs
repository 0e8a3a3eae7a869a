//! Which key a token means: by its names, among keys of one name, and among many.

use super::*;

/// The faults of the keys in a set, in their order; `None` is a key that is used.
fn faults(keys: &[Value], algorithms: impl Into<KeyAlgorithms>) -> Vec<Option<KeyFault>> {
    let reports = KeySet::inspect(&jwks(keys), algorithms).unwrap();
    reports.into_iter().map(|report| report.usable.err()).collect()
}

fn own(keys: &[Value]) -> Vec<Option<KeyFault>> {
    faults(keys, KeyAlgorithms::OWN)
}

const AMBIGUOUS: Option<KeyFault> = Some(KeyFault::KidAmbiguous);

fn alg(jwk: &Value, alg: &str) -> Value {
    with(jwk, "alg", json!(alg))
}

fn nameless(jwk: &Value) -> Value {
    with(jwk, "kid", Value::Null)
}

/// A key set as an issuer without `algorithms` reads it.
fn set(keys: &[Value]) -> KeySet {
    KeySet::parse(&jwks(keys), KeyAlgorithms::OWN).unwrap().0
}

fn x5t(text: &str) -> KeyName<'_> {
    KeyName { x5t: Some(text), ..KeyName::default() }
}

fn x5t_s256(text: &str) -> KeyName<'_> {
    KeyName { x5t_s256: Some(text), ..KeyName::default() }
}

/// The place of the key that is found, by its `issuer`; and whether that is certain.
fn found(
    set: &KeySet,
    name: KeyName<'_>,
    algorithm: Algorithm,
) -> Result<(Option<String>, bool), KeyLookupError> {
    let found = set.lookup(name, algorithm)?;
    Ok((found.issuer().map(str::to_owned), found.is_certain()))
}

#[test]
fn keys_of_one_kid_are_told_apart_by_algorithm_type_and_use() {
    let (a, e) = (RSA.jwk("k"), P256.jwk("k"));
    let keys = [alg(&a, "RS256"), alg(&a, "RS512"), alg(&Signer::rsa().jwk("k"), "PS256"), e];
    assert_eq!(own(&keys), [None; 4]);
    let set = set(&keys);
    for algorithm in [Algorithm::Rs256, Algorithm::Rs512, Algorithm::Ps256, Algorithm::Es256] {
        assert!(set.find(Some("k"), algorithm).is_ok(), "{algorithm}");
    }
    assert_eq!(
        set.find(Some("k"), Algorithm::Rs384).unwrap_err(),
        KeyLookupError::AlgorithmRefused
    );

    let encryption = with(&alg(&Signer::rsa().jwk("k"), "RSA-OAEP"), "use", json!("enc"));
    let silent = with(&Signer::rsa().jwk("k"), "use", json!("enc"));
    let faults = own(&[encryption, a, silent]);
    assert!(faults[0].is_some() && faults[1].is_none() && faults[2].is_some(), "{faults:?}");
}

#[test]
fn the_same_key_twice_is_one_however_it_is_written() {
    let jwk = RSA.jwk("k");
    let n = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    let padded = with(&jwk, "n", json!(URL_SAFE_NO_PAD.encode([&[0][..], &n].concat())));
    let others = [alg(&jwk, "RS256"), with(&jwk, "use", json!("sig")), padded];
    for other in others {
        assert_eq!(own(&[jwk.clone(), other.clone(), jwk.clone()]), [None; 3], "{other}");
    }
}

#[test]
fn of_keys_that_cannot_be_told_apart_none_is_used() {
    let [a, b, c] = [0; 3].map(|_| Signer::p256().jwk("k"));
    let other = P384.jwk("k");
    let third = P256.jwk("l");
    assert_eq!(
        own(&[a.clone(), other, b.clone(), third, c]),
        [AMBIGUOUS, None, AMBIGUOUS, None, AMBIGUOUS]
    );
    // Two of the same and another: the majority does not decide.
    assert_eq!(own(&[a.clone(), a.clone(), b.clone()]), [AMBIGUOUS; 3]);
    assert_eq!(own(&[b.clone(), a.clone(), a.clone()]), [AMBIGUOUS; 3]);
    // A key without `alg` may be meant by what another one names.
    let (r, s) = (RSA.jwk("k"), Signer::rsa().jwk("k"));
    assert_eq!(own(&[r.clone(), alg(&s, "RS256")]), [AMBIGUOUS; 2]);
    assert_eq!(own(&[r.clone(), alg(&s, "RS512")]), [None; 2]);
    let all = AlgorithmSet::from_iter(Algorithm::ALL);
    assert_eq!(faults(&[r, alg(&s, "RS512")], all), [AMBIGUOUS; 2]);
    // The same key for two issuers.
    let of = |issuer: &str| with(&a, "issuer", json!(issuer));
    assert_eq!(own(&[of("x"), of("y")]), [AMBIGUOUS; 2]);
    assert_eq!(own(&[of("x"), of("x")]), [None; 2]);
    // Without a name nothing names them.
    assert_eq!(own(&[nameless(&a), nameless(&b)]), [None; 2]);
}

#[test]
fn a_set_of_nothing_but_ambiguous_keys_says_so() {
    let error = parse(&[P256.jwk("k"), Signer::p256().jwk("k")]).unwrap_err().to_string();
    let why = "key \"k\": another key has the same kid and algorithm, neither is used";
    assert_eq!(error, format!("no usable key: {why}, {why}"));
}

#[test]
fn a_key_whose_private_part_is_published_is_used_under_no_name() {
    let private = with(&P256.jwk("b"), "d", json!("AQ"));
    let compromised = Some(KeyFault::PrivateMaterial);
    assert_eq!(own(&[P256.jwk("a"), P384.jwk("c"), private]), [compromised, None, compromised]);
}

#[test]
fn members_without_contents_are_not_there() {
    let jwk = RSA.jwk("a");
    for (name, value) in [
        ("oth", json!([])),
        ("d", Value::Null),
        ("p", json!("")),
        ("key_ops", json!([])),
        ("key_ops", Value::Null),
        ("alg", Value::Null),
        ("alg", json!("")),
        ("use", Value::Null),
        ("use", json!("")),
        ("x5c", json!([])),
        ("issuer", Value::Null),
        ("kid", Value::Null),
        ("x5t", Value::Null),
        ("x5t#S256", json!(7)),
    ] {
        let mut written = jwk.clone();
        written[name] = value;
        let (set, skipped) = parse(&[written]).unwrap();
        assert_eq!((set.keys().count(), skipped), (1, vec![]), "{name}");
        assert_eq!(set.keys().next().unwrap().1.to_string(), "RS256", "{name}");
    }
    for name in ["kty", "n", "e"] {
        let mut written = jwk.clone();
        written[name] = Value::Null;
        assert_eq!(fault_of(&written), KeyFault::Malformed(name));
    }
}

#[test]
fn a_key_is_used_with_the_algorithm_that_it_names() {
    for (jwk, name) in [
        (RSA.jwk("k"), "RS512"),
        (RSA.jwk("k"), "PS256"),
        (ED25519.jwk("k"), "EdDSA"),
        (ED25519.jwk("k"), "Ed25519"),
    ] {
        let set = set(&[alg(&jwk, name)]);
        assert!(set.find(Some("k"), name.parse().unwrap()).is_ok(), "{name}");
        assert!(set.find(Some("k"), Algorithm::Rs256).is_err(), "{name}");
        let only = AlgorithmSet::from_iter([Algorithm::Es256]);
        assert_eq!(faults(&[alg(&jwk, name)], only), [Some(KeyFault::AlgorithmRefused)]);
    }
    for name in ["none", "HS256", "RSA-OAEP-256", "A256GCM", "ECDH-ES"] {
        assert_eq!(own(&[alg(&RSA.jwk("k"), name)]), [Some(KeyFault::UnsupportedAlgorithm)]);
    }
}

#[test]
fn a_byte_order_mark_before_a_set_is_skipped() {
    let bytes = [b"\xEF\xBB\xBF", &*jwks(&[P256.jwk("a")])].concat();
    assert_eq!(KeySet::parse(&bytes, KeyAlgorithms::OWN).unwrap().0.count(), 1);
    assert_eq!(
        KeySet::parse(b"\xEF\xBB\xBF \n", KeyAlgorithms::OWN).unwrap_err(),
        JwksError::Empty
    );
}

#[test]
fn x5t_names_a_key_by_its_member_or_its_kid() {
    let jwk = |signer: &Signer, kid: &str, member: &str, text: &str| {
        with(&with(&signer.jwk(kid), member, json!(text)), "issuer", json!(kid))
    };
    let other = Signer::p256();
    for member in ["x5t", "x5t#S256"] {
        let set = set(&[jwk(&P256, "a", member, "thumb-a"), jwk(&other, "b", member, "thumb-b")]);
        let named = |text| if member == "x5t" { x5t(text) } else { x5t_s256(text) };
        let crossed = |text| if member == "x5t" { x5t_s256(text) } else { x5t(text) };
        for (kid, text) in [("a", "thumb-a"), ("b", "thumb-b"), ("a", "a")] {
            let expected = Ok((Some(kid.to_owned()), true));
            assert_eq!(found(&set, named(text), Algorithm::Es256), expected);
        }
        for name in [named("thumb-A"), named("thumb-c"), crossed("thumb-a"), KeyName::default()] {
            let unknown = Err(KeyLookupError::UnknownKey);
            assert_eq!(found(&set, name, Algorithm::Es256), unknown, "{name:?}");
        }
        // The kid is the name if there is one.
        let both = KeyName { kid: Some("b"), ..named("thumb-a") };
        assert_eq!(found(&set, both, Algorithm::Es256), Ok((Some("b".to_owned()), true)));
        let stranger = KeyName { kid: Some("thumb-a"), ..KeyName::default() };
        assert_eq!(found(&set, stranger, Algorithm::Es256), Err(KeyLookupError::UnknownKey));
        let refused = Err(KeyLookupError::AlgorithmRefused);
        assert_eq!(found(&set, named("thumb-a"), Algorithm::Es384), refused);
        assert!(set.has("thumb-a") && set.has("b") && !set.has("c"));
    }
}

#[test]
fn x5t_of_two_keys_names_neither() {
    let jwk = |signer: &Signer, kid: &str| with(&signer.jwk(kid), "x5t", json!("t"));
    let set = set(&[jwk(&P256, "a"), jwk(&Signer::p256(), "b"), P384.jwk("t")]);
    let unknown = Err(KeyLookupError::UnknownKey);
    assert_eq!(found(&set, x5t("t"), Algorithm::Es256), unknown);
    assert_eq!(found(&set, x5t("t"), Algorithm::Es384), Ok((None, true)));
}

#[test]
fn the_only_key_is_meant_by_an_x5t_that_nobody_has_unless_it_has_another() {
    let plain = set(&[P256.jwk("a")]);
    assert_eq!(found(&plain, x5t("t"), Algorithm::Es256), Ok((None, false)));
    assert_eq!(found(&plain, KeyName::default(), Algorithm::Es256), Ok((None, true)));
    let other = set(&[with(&P256.jwk("a"), "x5t", json!("other"))]);
    assert_eq!(found(&other, x5t("t"), Algorithm::Es256), Err(KeyLookupError::UnknownKey));
    assert_eq!(found(&other, x5t_s256("t"), Algorithm::Es256), Ok((None, false)));
}

#[test]
fn a_key_that_is_not_certain_and_did_not_sign_is_unknown() {
    let set = set(&[P256.jwk("a")]);
    let header = |x5t: Option<&str>| match x5t {
        Some(x5t) => json!({ "alg": "ES256", "x5t": x5t }),
        None => json!({ "alg": "ES256" }),
    };
    let verdict = |signer: &Signer, x5t| {
        let token = signer.token_with(&header(x5t), &json!({}));
        let jws = CompactJws::parse(token.as_bytes()).unwrap();
        jws.verify(&set).map(<[u8]>::to_vec)
    };
    assert!(verdict(&P256, Some("t")).is_ok());
    assert_eq!(
        verdict(&Signer::p256(), Some("t")).unwrap_err(),
        crate::key::jws::JwsError::UnknownKey
    );
    let invalid = crate::key::jws::JwsError::SignatureInvalid;
    assert_eq!(verdict(&Signer::p256(), None).unwrap_err(), invalid);
    assert_eq!(verdict(&Signer::p256(), Some("a")).unwrap_err(), invalid);
}

#[test]
fn one_key_under_several_names_is_one_and_has_them_all() {
    let set = set(&[P256.jwk(""), P256.jwk("a"), nameless(&P256.jwk("")), P384.jwk("b")]);
    let found = set.lookup(KeyName::default(), Algorithm::Es256).unwrap();
    assert_eq!(found.kids().collect::<Vec<_>>(), ["", "a"]);
    let found = set.lookup(KeyName::default(), Algorithm::Es384).unwrap();
    assert_eq!(found.kids().collect::<Vec<_>>(), ["b"]);
}

#[test]
fn each_of_a_thousand_keys_is_found_by_its_names() {
    let names: Vec<_> = (0..MAX_KEYS).map(|n| format!("key-{}", n * 7919 % MAX_KEYS)).collect();
    let keys: Vec<_> = names
        .iter()
        .map(|name| {
            let jwk = with(&Signer::ed25519().jwk(name), "issuer", json!(name));
            with(&jwk, "x5t", json!(format!("x5t-{name}")))
        })
        .collect();
    let set = set(&keys);
    for name in &names {
        let expected = Ok((Some(name.clone()), true));
        let kid = KeyName { kid: Some(name), ..KeyName::default() };
        assert_eq!(found(&set, kid, Algorithm::EdDsa), expected);
        assert_eq!(found(&set, x5t(&format!("x5t-{name}")), Algorithm::EdDsa), expected);
    }
    for name in ["", "key-", "key-1000", "x5t-key-5", "zzz"] {
        let kid = KeyName { kid: Some(name), ..KeyName::default() };
        assert_eq!(found(&set, kid, Algorithm::EdDsa), Err(KeyLookupError::UnknownKey), "{name}");
    }
    assert!(set.find(None, Algorithm::EdDsa).is_err());
}

proptest! {
    /// Binary search finds every name of every key, and no other, as a look at each does.
    #[test]
    fn names_are_found_as_if_each_key_was_looked_at(
        kids in prop::collection::vec("[ab]{0,3}", 1..12), asked in "[ab]{0,3}",
    ) {
        let signers = [&*P256, &P384, &ED25519];
        let keys: Vec<_> = (kids.iter().zip(0..))
            .map(|(kid, n)| with(&signers[n % 3].jwk(kid), "issuer", json!("all")))
            .collect();
        let set = set(&keys);
        prop_assert_eq!(set.count(), keys.len());
        let signer = |n: usize| [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa][n % 3];
        for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
            let is_there = (0..kids.len()).any(|n| kids[n] == asked && signer(n) == algorithm);
            prop_assert_eq!(set.find(Some(&asked), algorithm).is_ok(), is_there);
        }
        prop_assert_eq!(set.has(&asked), kids.contains(&asked));
    }
}
