use std::sync::LazyLock;

use jsonwebtoken::{DecodingKey, Validation};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::key::algorithm::ED25519;
use crate::key::jws::CompactJws;
use crate::key::private::Bits;
use crate::testing::keys::key_set;

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn key_of(jwk: &Value) -> PrivateKey {
    PrivateKey::read(jwk.to_string().as_bytes()).unwrap()
}

/// The header of that signer says what it should, and the signature over some bytes is this one.
fn signs_as(jwk: &Value, algorithm: Algorithm, input: &str, signature: &str) {
    let signer = Signer::new(key_of(jwk), algorithm, Map::new()).unwrap();
    assert_eq!(signer.header, input.split_once('.').unwrap().0);
    let made = super::signature(&signer.key, algorithm, input.as_bytes()).unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(made), signature);
}

/// The private JWK of a key for that algorithm, without a word on what it is for; RSA has one for all.
fn jwk_for(algorithm: Algorithm) -> Map<String, Value> {
    static RSA: LazyLock<Map<String, Value>> = LazyLock::new(|| generate(Algorithm::Rs256));
    if RSA_ALGORITHMS.contains(&algorithm) { RSA.clone() } else { generate(algorithm) }
}

fn generate(algorithm: Algorithm) -> Map<String, Value> {
    let key = PrivateKey::generate(algorithm, Bits::B2048, None).unwrap();
    let mut jwk = key.to_jwk().unwrap();
    jwk.remove("alg");
    jwk
}

const RSA_ALGORITHMS: [Algorithm; 6] = [
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
];

#[test]
fn each_algorithm_signs_what_both_verifiers_take() {
    let names = Algorithm::ALL.map(Named::from).into_iter().chain([ED25519.parse().unwrap()]);
    for named in names {
        let key = PrivateKey::from_jwk(&jwk_for(named.algorithm())).unwrap();
        let public = Value::Object(key.to_public_jwk().unwrap());
        let header = object(json!({ "typ": "at+jwt", "kid": key.kid(), "alg": "none" }));
        let signer = Signer::new(key, named, header).unwrap();
        let claims = json!({ "exp": 4_000_000_000_u64, "sub": "gateway" });
        let token = signer.sign(&claims).unwrap();

        let set = key_set(core::slice::from_ref(&public));
        let jws = CompactJws::parse(token.as_bytes()).unwrap();
        assert_eq!(jws.verify(&set), Ok(claims.to_string().as_bytes()), "{}", named.name());
        assert_eq!((jws.algorithm(), jws.typ()), (named.algorithm(), Some("at+jwt")));
        assert_eq!(jws.kid(), public["kid"].as_str());

        // It has neither of these two curves, and knows Ed25519 by its other name alone.
        if ["ES256K", "ES512", ED25519].contains(&named.name()) {
            continue;
        }
        let oracle = DecodingKey::from_jwk(&serde_json::from_value(public).unwrap()).unwrap();
        let validation = Validation::new(named.name().parse().unwrap());
        let read = jsonwebtoken::decode::<Value>(&token, &oracle, &validation);
        assert_eq!(read.unwrap().claims, claims, "{}", named.name());
    }
}

#[test]
fn a_key_signs_by_the_algorithms_of_its_type_alone() {
    for of in Algorithm::ALL {
        let jwk = jwk_for(of);
        for algorithm in Algorithm::ALL {
            let fits =
                of == algorithm || [of, algorithm].iter().all(|one| RSA_ALGORITHMS.contains(one));
            let key = PrivateKey::from_jwk(&jwk).unwrap();
            let signer = Signer::new(key, algorithm, Map::new());
            assert_eq!(signer.is_ok(), fits, "{of} {algorithm}");
            let Err(error) = signer else { continue };
            assert!(matches!(error, KeyError::Unsuitable { .. }), "{error}");
        }
    }
}

#[test]
fn nothing_private_is_shown() {
    let key = PrivateKey::generate(Algorithm::EdDsa, Bits::B2048, None).unwrap();
    let secret = key.to_jwk().unwrap()["d"].as_str().unwrap().to_owned();
    let signer = Signer::new(key, Algorithm::EdDsa, Map::new()).unwrap();
    assert!(!format!("{signer:?}").contains(&secret));
}

#[test]
fn eddsa_example_of_rfc_8037_appendix_a_4_is_signed() {
    let key = json!({
        "kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    signs_as(
        &key,
        Algorithm::EdDsa,
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
}

#[test]
fn rs256_example_of_rfc_7515_appendix_a_2_is_signed() {
    let key = json!({
        "kty": "RSA", "e": "AQAB",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEz\
              P1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf6\
              3kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5Zw\
              Kh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW\
              yuXpoQ",
        "d": "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7Y\
              wVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3M\
              kqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1Zd\
              iYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRu\
              OopznQ",
        "p": "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB\
              0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDw\
              GUc",
        "q": "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul\
              7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9R\
              Wdc",
        "dp": "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz\
               -FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAd\
               Yo0",
        "dq": "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3\
               Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIi\
               THU",
        "qi": "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3\
               ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFku\
               Q3U",
    });
    signs_as(
        &key,
        Algorithm::Rs256,
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl\
         LmNvbS9pc19yb290Ijp0cnVlfQ",
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2F\
         p5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQB\
         MHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeY\
         I2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );
}

proptest! {
    #[test]
    fn header_and_claims_arrive_as_they_were_given(
        kid in ".{1,20}",
        claims in prop::collection::btree_map(".{0,8}", ".{0,20}", 0..5),
    ) {
        let key = PrivateKey::generate(Algorithm::Es256, Bits::B2048, Some(&kid)).unwrap();
        let set = key_set(&[Value::Object(key.to_public_jwk().unwrap())]);
        let claims = json!(claims);
        let signer = Signer::new(key, Algorithm::Es256, object(json!({ "kid": kid }))).unwrap();
        let token = signer.sign(&claims).unwrap();
        let jws = CompactJws::parse(token.as_bytes()).unwrap();
        prop_assert_eq!(jws.kid(), Some(&*kid));
        let payload = serde_json::from_slice::<Value>(jws.verify(&set).unwrap()).unwrap();
        prop_assert_eq!(payload, claims);
    }
}
