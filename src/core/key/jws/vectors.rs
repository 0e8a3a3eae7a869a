//! The examples of the specifications.

use serde_json::json;

use super::*;
use crate::testing::keys::key_set;

#[test]
fn rs256_example_of_rfc_7515_appendix_a_2_verifies() {
    let keys = key_set(&[json!({"kty": "RSA", "e": "AQAB", "n":
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0\
         Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS\
         5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH\
         7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"})]);
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9l\
         eGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XO\
         iZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZL\
         grnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkH\
         WEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igc\
         N_IoypGlUPQGe77Rw";
    let jws = CompactJws::parse(token.as_bytes()).unwrap();
    let claims =
        b"{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
    assert_eq!(jws.verify(&keys), Ok(&claims[..]));
    assert_eq!((jws.algorithm(), jws.kid(), jws.typ()), (Algorithm::Rs256, None, None));
}

#[test]
fn es256_example_of_rfc_7515_appendix_a_3_verifies() {
    let keys = key_set(&[json!({"kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})]);
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9l\
         eGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5dj\
         xLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert!(CompactJws::parse(token.as_bytes()).unwrap().verify(&keys).is_ok());
}

#[test]
fn eddsa_example_of_rfc_8037_appendix_a_4_verifies() {
    let keys = key_set(&[json!({"kty": "OKP", "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})]);
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PP\
         Ot7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let jws = CompactJws::parse(token.as_bytes()).unwrap();
    assert_eq!(jws.verify(&keys), Ok(&b"Example of Ed25519 signing"[..]));
}

#[test]
fn ps384_example_of_rfc_7520_section_4_2_verifies() {
    let keys = key_set(&[json!({"kty": "RSA", "use": "sig", "e": "AQAB",
        "kid": "bilbo.baggins@hobbiton.example", "n":
        "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_A\
         JmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7T\
         pe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_v\
         niUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"})]);
    let token = "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlz\
         IGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aG\
         Ugcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUg\
         eW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk\
         1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlf\
         z28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez\
         2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6\
         oD4ifKo8DYM-X72Eaw";
    assert!(CompactJws::parse(token.as_bytes()).unwrap().verify(&keys).is_ok());
}

#[test]
fn es512_example_of_rfc_7520_section_4_3_verifies() {
    let key = json!({"kty": "EC", "use": "sig", "crv": "P-521",
        "kid": "bilbo.baggins@hobbiton.example",
        "x": "AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0K\
            t",
        "y": "AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR\
            1"});
    let token = "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlz\
         IGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aG\
         Ugcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUg\
         eW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUI\
         IUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEK\
         BpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2";
    assert!(
        CompactJws::parse(token.as_bytes())
            .unwrap()
            .verify(&key_set(core::slice::from_ref(&key)))
            .is_ok()
    );
    let (set, _) =
        crate::testing::keys::parse(&[key, crate::testing::keys::P256.jwk("a")]).unwrap();
    let by_default = CompactJws::parse(token.as_bytes()).unwrap().verify(&set).map(drop);
    assert_eq!(by_default, Err(JwsError::AlgorithmRefused), "nobody asked for it");
}

#[test]
fn es256k_example_by_openssl_verifies() {
    let key = json!({"kty": "EC", "crv": "secp256k1",
        "x": "6DdD7FDrYWenHVgJF9S8gCykgk3Qt3Z9OspvlyhVoHY",
        "y": "kveNjWzIEVpCaDnkuUOxEnxLTZwNB_8xrCJOnx_9NJs"});
    let token = "eyJhbGciOiJFUzI1NksifQ.RXhhbXBsZSBvZiBzZWNwMjU2azEgc2lnbmluZw.YRUTu5jdeGjZTOoKFXG\
         5EX2ZcDlqN4-WvlrJZsWLl_IOtKLTU3RE-qMhNmfwYUOGZJIOXQ9wF_IbDsPNm2gWSw";
    let jws = CompactJws::parse(token.as_bytes()).unwrap();
    assert_eq!(jws.verify(&key_set(&[key])), Ok(&b"Example of secp256k1 signing"[..]));
}
