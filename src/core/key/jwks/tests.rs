use core::slice;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::key::jws::CompactJws;
use crate::testing::keys::{ED25519, P256, P384, RSA, Signer, jwks, key_set, parse, with};
use crate::text::json as strict;

mod names;

fn fault_of(jwk: &Value) -> KeyFault {
    match parse(slice::from_ref(jwk)) {
        Err(JwksError::NoUsableKey(skipped)) if skipped.len() == 1 => skipped[0].fault,
        other => panic!("{other:?}"),
    }
}

fn algorithms_of(jwk: &Value, algorithms: &[Algorithm]) -> Vec<Algorithm> {
    let allowed = AlgorithmSet::from_iter(algorithms.iter().copied());
    let report = KeySet::inspect(&jwks(slice::from_ref(jwk)), allowed).unwrap();
    report[0].usable.unwrap().iter().collect()
}

#[test]
fn key_without_alg_takes_the_default_one_of_its_type_and_curve() {
    for (signer, algorithm) in [
        (&*RSA, Algorithm::Rs256),
        (&P256, Algorithm::Es256),
        (&P384, Algorithm::Es384),
        (&ED25519, Algorithm::EdDsa),
    ] {
        let (set, skipped) = parse(&[signer.jwk("a")]).unwrap();
        assert_eq!((set.count(), skipped), (1, vec![]));
        for asked in AlgorithmSet::DEFAULT.iter() {
            let found = set.find(Some("a"), asked).map(VerifyingKey::algorithm);
            let expected = (asked == algorithm).then_some(algorithm);
            assert_eq!(found, expected.ok_or(KeyLookupError::AlgorithmRefused));
        }
    }
}

#[test]
fn rsa_key_without_alg_takes_every_rsa_algorithm_of_the_issuer() {
    use Algorithm::{Es256, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    let all = [Ps256, Ps384, Ps512, Rs256, Rs384, Rs512];
    assert_eq!(algorithms_of(&RSA.jwk("a"), &Algorithm::ALL), all);
    assert_eq!(algorithms_of(&RSA.jwk("a"), &[Rs512, Es256, Ps256]), [Ps256, Rs512]);
}

#[test]
fn key_with_alg_takes_that_alone() {
    let jwk = with(&RSA.jwk("a"), "alg", json!("PS384"));
    assert_eq!(algorithms_of(&jwk, &Algorithm::ALL), [Algorithm::Ps384]);
    assert_eq!(fault_of(&jwk), KeyFault::AlgorithmRefused);
}

#[test]
fn alg_that_fits_no_key_of_its_type_or_curve_is_a_mismatch() {
    for (signer, alg) in [
        (&*P384, "ES256"),
        (&P256, "ES384"),
        (&P256, "RS256"),
        (&RSA, "ES256"),
        (&RSA, "EdDSA"),
        (&ED25519, "ES256"),
    ] {
        let jwk = with(&signer.jwk("a"), "alg", json!(alg));
        assert_eq!(fault_of(&jwk), KeyFault::AlgorithmMismatch, "{alg}");
    }
}

#[test]
fn alg_that_is_symmetric_unsigned_or_for_encryption_is_unsupported() {
    for alg in ["none", "HS256", "RSA-OAEP", "rs256", "ES256k"] {
        let jwk = with(&RSA.jwk("a"), "alg", json!(alg));
        assert_eq!(fault_of(&jwk), KeyFault::UnsupportedAlgorithm, "{alg}");
    }
}

#[test]
fn key_that_the_issuer_does_not_use_is_skipped() {
    let only = AlgorithmSet::from_iter([Algorithm::Es256]);
    let (set, skipped) = KeySet::parse(&jwks(&[RSA.jwk("r"), P256.jwk("e")]), only).unwrap();
    assert_eq!(set.count(), 1);
    assert_eq!(skipped[0].to_string(), "key \"r\": the issuer does not use its algorithm");
}

#[test]
fn use_and_key_ops_must_be_there_for_verifying() {
    let jwk = P256.jwk("a");
    for (name, value) in [("use", json!("sig")), ("key_ops", json!(["verify", "wrapKey"]))] {
        assert!(parse(&[with(&jwk, name, value)]).is_ok(), "{name}");
    }
    for (name, value, fault) in [
        ("use", json!("enc"), KeyFault::UseWithoutSignature),
        ("use", json!("SIG"), KeyFault::UseWithoutSignature),
        ("use", json!(["sig"]), KeyFault::Malformed("use")),
        ("key_ops", json!(["sign", "encrypt"]), KeyFault::OperationsWithoutVerify),
        ("key_ops", json!(["verify", 1]), KeyFault::Malformed("key_ops")),
        ("key_ops", json!("verify"), KeyFault::Malformed("key_ops")),
    ] {
        assert_eq!(fault_of(&with(&jwk, name, value)), fault, "{name}");
    }
}

#[test]
fn keys_for_jwt_svids_are_those_of_a_bundle_alone() {
    let svid = with(&P256.jwk("a"), "use", json!("jwt-svid"));
    assert_eq!(fault_of(&svid), KeyFault::UseWithoutSignature);
    let authority = json!({"kty": "EC", "use": "x509-svid", "crv": "P-224", "x5c": ["MII"]});
    let bundle = |keys: &[Value]| KeySet::parse_bundle(&jwks(keys), AlgorithmSet::DEFAULT);
    let plain = with(&P384.jwk("b"), "use", json!("sig"));
    let (set, skipped) = bundle(&[authority.clone(), svid, plain]).unwrap();
    assert_eq!((set.count(), skipped), (2, vec![]));
    let encryption = with(&P256.jwk("a"), "use", json!("enc"));
    let error = bundle(&[authority.clone(), encryption]).unwrap_err();
    assert_eq!(error.to_string(), "no usable key: key \"a\": \"use\" is not \"sig\"");
    assert_eq!(bundle(slice::from_ref(&authority)).unwrap_err(), JwksError::NoUsableKey(vec![]));
    assert!(parse(&[authority]).is_err());
}

#[test]
fn the_issuer_of_a_key_is_kept_and_is_a_text() {
    let issuer = "https://login.example/{tenantid}/";
    let (set, _) = parse(&[with(&P256.jwk("a"), "issuer", json!(issuer)), P384.jwk("b")]).unwrap();
    let of = |kid, algorithm| {
        set.lookup(KeyName { kid, ..KeyName::default() }, algorithm).unwrap().issuer()
    };
    assert_eq!(of(Some("a"), Algorithm::Es256), Some(issuer));
    assert_eq!(of(None, Algorithm::Es256), Some(issuer));
    assert_eq!(of(Some("b"), Algorithm::Es384), None);
    let list = with(&P256.jwk("a"), "issuer", json!([issuer]));
    assert_eq!(fault_of(&list), KeyFault::Malformed("issuer"));
}

#[test]
fn key_published_with_a_private_member_is_compromised() {
    for (signer, name) in
        [(&*RSA, "d"), (&RSA, "p"), (&RSA, "qi"), (&RSA, "oth"), (&P256, "d"), (&ED25519, "d")]
    {
        for value in [json!("AQAB"), json!([{"r": "AQ"}]), json!(1), json!({})] {
            let jwk = with(&signer.jwk("a"), name, value);
            assert_eq!(fault_of(&jwk), KeyFault::PrivateMaterial, "{name}");
        }
    }
}

#[test]
fn unsupported_types_and_curves_are_skipped() {
    let symmetric = json!({"kty": "oct", "kid": "a", "alg": "HS256", "k": "c2VjcmV0"});
    assert_eq!(fault_of(&symmetric), KeyFault::Symmetric);
    for (jwk, name, value, fault) in [
        (P256.jwk("a"), "kty", json!("AKP"), KeyFault::UnsupportedType),
        (P256.jwk("a"), "kty", json!("ec"), KeyFault::UnsupportedType),
        (P256.jwk("a"), "kty", Value::Null, KeyFault::Malformed("kty")),
        (P256.jwk("a"), "kty", json!(1), KeyFault::Malformed("kty")),
        (P256.jwk("a"), "crv", json!("P-256K"), KeyFault::UnsupportedCurve),
        (P256.jwk("a"), "crv", json!("P-224"), KeyFault::UnsupportedCurve),
        (P256.jwk("a"), "crv", json!("Ed25519"), KeyFault::UnsupportedCurve),
        (P256.jwk("a"), "crv", Value::Null, KeyFault::Malformed("crv")),
        (ED25519.jwk("a"), "crv", json!("X25519"), KeyFault::UnsupportedCurve),
        (ED25519.jwk("a"), "crv", json!("Ed448"), KeyFault::UnsupportedCurve),
    ] {
        assert_eq!(fault_of(&with(&jwk, name, value)), fault, "{name}");
    }
    assert_eq!(fault_of(&json!("key")), KeyFault::NotAnObject);
}

#[test]
fn member_that_is_no_strict_base64url_is_malformed() {
    for (signer, name) in [(&*RSA, "n"), (&RSA, "e"), (&P256, "x"), (&P384, "y"), (&ED25519, "x")] {
        let good = signer.jwk("a")[name].as_str().unwrap().to_owned();
        for bad in [
            json!(""),
            json!(format!("{good}=")),
            json!(format!(" {good}")),
            json!(format!("+{good}")),
            json!([good]),
            Value::Null,
        ] {
            let jwk = with(&signer.jwk("a"), name, bad.clone());
            assert_eq!(fault_of(&jwk), KeyFault::Malformed(name), "{name}: {bad}");
        }
    }
}

#[test]
fn weak_rsa_keys_are_skipped() {
    let jwk = RSA.jwk("a");
    let n = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    let short = &*URL_SAFE_NO_PAD.encode(&n[..129]);
    for (name, value, fault) in [
        ("n", short, KeyFault::ModulusTooSmall(1032)),
        ("n", "AA", KeyFault::ModulusTooSmall(0)),
        ("e", "AQ", KeyFault::ExponentWeak),
        ("e", "AAAB", KeyFault::ExponentWeak),
        ("e", "AQAC", KeyFault::ExponentWeak),
        ("e", "AA", KeyFault::ExponentWeak),
    ] {
        assert_eq!(fault_of(&with(&jwk, name, json!(value))), fault, "{name} {value}");
    }
}

#[test]
fn point_off_the_curve_or_weak_is_skipped() {
    let jwk = P256.jwk("a");
    let swapped = with(&jwk, "y", jwk["x"].clone());
    assert_eq!(fault_of(&swapped), KeyFault::PointInvalid);
    for crv in ["P-384", "P-521", "secp256k1"] {
        let jwk = with(&jwk, "crv", json!(crv));
        let allowed = AlgorithmSet::from_iter(Algorithm::ALL);
        let report = KeySet::inspect(&jwks(slice::from_ref(&jwk)), allowed).unwrap();
        assert_eq!(report[0].usable, Err(KeyFault::PointInvalid), "{crv}");
    }
    let long = with(&P384.jwk("a"), "crv", json!("P-256"));
    assert_eq!(fault_of(&long), KeyFault::Malformed("x"));
    let zero = with(&ED25519.jwk("a"), "x", json!("A".repeat(43)));
    assert_eq!(fault_of(&zero), KeyFault::PointWeak);
}

#[test]
fn leading_zeros_of_numbers_are_tolerated() {
    for signer in [&*RSA, &P256] {
        let mut jwk = signer.jwk("a");
        for name in ["n", "e", "x", "y"] {
            if let Some(number) = jwk[name].as_str() {
                let padded = [&[0][..], &URL_SAFE_NO_PAD.decode(number).unwrap()].concat();
                jwk = with(&jwk, name, json!(URL_SAFE_NO_PAD.encode(padded)));
            }
        }
        let token = signer.token(Some("a"), &json!({"sub": "a"}));
        let verified =
            CompactJws::parse(token.as_bytes()).unwrap().verify(&key_set(&[jwk])).is_ok();
        assert!(verified);
    }
}

#[test]
fn coordinate_that_lost_its_leading_zero_is_tolerated() {
    // One in 256 coordinates begins with a zero byte, so one of these does.
    let (jwk, x) = (0..20_000)
        .map(|_| Signer::p256().jwk("a"))
        .map(|jwk| (URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap(), jwk))
        .find_map(|(x, jwk)| (x[0] == 0).then_some((jwk, x)))
        .unwrap();
    assert!(parse(&[with(&jwk, "x", json!(URL_SAFE_NO_PAD.encode(&x[1..])))]).is_ok());
}

#[test]
fn set_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&key_set(&[P256.jwk("a")]));
}

#[test]
fn weakness_is_told_from_a_key_that_is_not_for_us() {
    for fault in [KeyFault::Roca, KeyFault::PrivateMaterial, KeyFault::ModulusTooSmall(1024)] {
        assert!(fault.is_weakness(), "{fault}");
    }
    for fault in [KeyFault::UseWithoutSignature, KeyFault::UnsupportedType] {
        assert!(!fault.is_weakness(), "{fault}");
    }
}

#[test]
fn bad_key_does_not_spoil_the_set() {
    let weak = with(&RSA.jwk("weak"), "e", json!("AQ"));
    let nameless = with(&weak, "kid", Value::Null);
    let (set, skipped) = parse(&[weak, P256.jwk("good"), nameless, json!(7)]).unwrap();
    assert_eq!(set.count(), 1);
    assert!(set.find(Some("good"), Algorithm::Es256).is_ok());
    let warnings: Vec<_> = skipped.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "key \"weak\": RSA exponent is 0, 1 or even",
            "key at index 2: RSA exponent is 0, 1 or even",
            "key at index 3: not a JSON object"
        ]
    );
}

#[test]
fn set_without_a_usable_key_is_refused_with_the_reasons() {
    let error = parse(&[with(&RSA.jwk("a\n"), "use", json!("enc"))]).unwrap_err();
    assert_eq!(error.to_string(), "no usable key: key \"a\\n\": \"use\" is not \"sig\"");
    assert_eq!(parse(&[]).unwrap_err(), JwksError::NoUsableKey(vec![]));
}

#[test]
fn document_that_is_no_set_is_refused() {
    let parse = |bytes: &[u8]| KeySet::parse(bytes, AlgorithmSet::DEFAULT).unwrap_err();
    assert_eq!(parse(b""), JwksError::Empty);
    assert_eq!(parse(b" \r\n"), JwksError::Empty);
    for text in ["{}", "[]", "null", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"Keys":[]}"#] {
        assert_eq!(parse(text.as_bytes()), JwksError::NoKeysMember, "{text}");
    }
    assert!(matches!(parse(b"<html>"), JwksError::Json(strict::JsonError::Syntax { .. })));
    assert!(matches!(
        parse(br#"{"keys":[{"kty":"RSA","kty":"EC"}]}"#),
        JwksError::Json(strict::JsonError::Duplicate { .. })
    ));
    let deep = format!(r#"{{"keys":{}}}"#, "[".repeat(40));
    assert!(matches!(parse(deep.as_bytes()), JwksError::Json(strict::JsonError::TooDeep { .. })));
}

#[test]
fn limits_are_1000_keys_and_4_mib() {
    let keys: Vec<_> = (0..=MAX_KEYS).map(|n| ED25519.jwk(&n.to_string())).collect();
    assert_eq!(parse(&keys[..MAX_KEYS]).unwrap().0.count(), 1000);
    assert_eq!(parse(&keys).unwrap_err(), JwksError::TooManyKeys);

    let mut bytes = jwks(&keys[..1]);
    bytes.resize(MAX_BYTES, b' ');
    assert!(KeySet::parse(&bytes, AlgorithmSet::DEFAULT).is_ok());
    bytes.push(b' ');
    assert_eq!(KeySet::parse(&bytes, AlgorithmSet::DEFAULT).unwrap_err(), JwksError::TooLarge);
}

#[test]
fn kid_is_a_string_of_at_most_1024_bytes() {
    assert!(parse(&[P256.jwk(&"k".repeat(MAX_KID_BYTES))]).is_ok());
    for kid in [json!("k".repeat(MAX_KID_BYTES + 1)), json!(7), json!(["a"])] {
        assert_eq!(fault_of(&with(&P256.jwk("a"), "kid", kid)), KeyFault::Malformed("kid"));
    }
}

#[test]
fn kid_is_matched_exactly() {
    let set = key_set(&[P256.jwk("Key"), P384.jwk("")]);
    assert!(set.find(Some("Key"), Algorithm::Es256).is_ok());
    assert!(set.find(Some(""), Algorithm::Es384).is_ok());
    for kid in ["key", "Key ", "Ke", "Key\0", ""] {
        assert!(set.find(Some(kid), Algorithm::Es256).is_err(), "{kid:?}");
    }
    assert_eq!(set.find(Some("key"), Algorithm::Es256).unwrap_err(), KeyLookupError::UnknownKey);
}

#[test]
fn token_without_kid_means_the_only_key_that_fits() {
    let set = key_set(&[P256.jwk("a"), ED25519.jwk("b"), Signer::ed25519().jwk("c")]);
    assert!(set.find(None, Algorithm::Es256).is_ok());
    for none_or_two in [Algorithm::Rs256, Algorithm::EdDsa] {
        assert_eq!(set.find(None, none_or_two).unwrap_err(), KeyLookupError::UnknownKey);
    }
}

#[test]
fn algorithm_that_the_issuer_never_uses_is_refused_before_the_kid_is_looked_up() {
    let (set, _) = parse(&[P256.jwk("a")]).unwrap();
    for kid in [None, Some("a"), Some("unknown")] {
        assert_eq!(set.find(kid, Algorithm::Ps256).unwrap_err(), KeyLookupError::AlgorithmRefused);
    }
}

#[test]
fn inspection_reports_every_key() {
    let keys = [P256.jwk("a"), with(&RSA.jwk("b"), "e", json!("AQ")), json!([])];
    let reports = KeySet::inspect(&jwks(&keys), AlgorithmSet::DEFAULT).unwrap();
    assert_eq!(reports.len(), 3);
    assert_eq!(reports[0].kty.as_deref(), Some("EC"));
    assert_eq!(reports[0].usable.unwrap().to_string(), "ES256");
    assert_eq!(reports[1].kid.as_deref(), Some("b"));
    assert_eq!(reports[1].usable, Err(KeyFault::ExponentWeak));
    assert_eq!((reports[2].position, reports[2].usable), (2, Err(KeyFault::NotAnObject)));
}

proptest! {
    #[test]
    fn arbitrary_members_never_panic(
        kty in "RSA|EC|OKP|oct", crv in "P-256|P-384|P-521|secp256k1|Ed25519", n in "[A-Za-z0-9_-]{0,400}",
        e in "[A-Z]{0,6}", x in "[A-Za-z0-9_-]{0,90}", y in "[A-Za-z0-9_-]{0,90}",
    ) {
        let jwk = json!({"kty": kty, "crv": crv, "n": n, "e": e, "x": x, "y": y});
        let _ = parse(&[jwk]);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = KeySet::parse(&bytes, AlgorithmSet::DEFAULT);
    }
}
