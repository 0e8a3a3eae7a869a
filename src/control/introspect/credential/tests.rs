use std::fs;

use mesh_core::key::algorithm::KeyAlgorithms;
use mesh_core::key::jwks::KeySet;
use mesh_core::key::jws::CompactJws;
use mesh_core::key::private::Bits;

use super::super::tests::issuer;
use super::*;

fn client(words: &[&str]) -> Client {
    let issuer = issuer("https://idp.example/i", &[("introspection_client", words)]);
    issuer.introspection.unwrap().client
}

fn proof(credential: &Credential) -> (String, Option<Box<str>>) {
    let mut form = "token=t".to_owned();
    let now = UnixTime::from_secs(1_800_000_000);
    let authorization = credential.prove(&mut form, "https://idp.example", now).unwrap();
    (form, authorization)
}

#[test]
fn a_secret_is_sent_as_a_form_escapes_it_and_without_one_line_end() {
    for (id, secret, pair) in [
        ("gateway", &b"secret"[..], "gateway:secret"),
        ("gateway", b"secret\n", "gateway:secret"),
        ("gateway", b"secret\r\n", "gateway:secret"),
        ("gateway", b" s e c ", "gateway:%20s%20e%20c%20"),
        ("a:b c", b"x:y+z%\xc3\xa9", "a%3Ab%20c:x%3Ay%2Bz%25%C3%A9"),
    ] {
        let read = Credential::read(&client(&[id, "secret=s"]), secret).unwrap();
        let (form, authorization) = proof(&read);
        assert_eq!(form, "token=t");
        assert_eq!(*authorization.unwrap(), *format!("Basic {}", STANDARD.encode(pair)));
    }
}

#[test]
fn a_secret_for_the_form_is_sent_there_and_nowhere_else() {
    let words = ["a gateway", "secret=s", "method=client_secret_post"];
    for (contents, sent) in [
        (&b"top:secret+%\xc3\xa9\r\n"[..], "top%3Asecret%2B%25%C3%A9"),
        (b"a&client_id=b", "a%26client_id%3Db"),
    ] {
        let read = Credential::read(&client(&words), contents).unwrap();
        let (form, authorization) = proof(&read);
        assert_eq!(form, format!("token=t&client_id=a%20gateway&client_secret={sent}"));
        assert_eq!(authorization, None);
        assert!(!format!("{read:?}").contains("secret"));
    }
    let refused = Credential::read(&client(&words), b"a\nb").unwrap_err();
    assert_eq!(refused, CredentialError::Control);
}

#[test]
fn what_is_no_secret_is_refused_without_a_quote() {
    for (contents, error) in [
        (&b""[..], CredentialError::Empty),
        (b"\n", CredentialError::Empty),
        (b"\r\n", CredentialError::Empty),
        (b"secret\n\n", CredentialError::Control),
        (b"secret\nother\n", CredentialError::Control),
        (b"sec\0ret", CredentialError::Control),
    ] {
        let refused = Credential::read(&client(&["gateway", "secret=s"]), contents).unwrap_err();
        assert_eq!(refused, error, "{contents:?}");
        assert!(!refused.to_string().contains("sec\0"));
    }
}

/// The file of a key: its private JWK.
fn file_of(key: &PrivateKey) -> Vec<u8> {
    serde_json::to_vec(&key.to_jwk().unwrap()).unwrap()
}

fn generate(algorithm: Algorithm) -> PrivateKey {
    PrivateKey::generate(algorithm, Bits::B2048, Some("k1")).unwrap()
}

#[test]
fn an_assertion_is_signed_by_the_algorithm_of_the_key() {
    let words = ["gateway", "key=k"];
    for algorithm in
        [Algorithm::Rs256, Algorithm::Ps384, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa]
    {
        let key = generate(algorithm);
        let read = Credential::read(&client(&words), &file_of(&key)).unwrap();
        let (form, authorization) = proof(&read);
        assert_eq!(authorization, None);
        let (_, assertion) = form.rsplit_once("client_assertion=").unwrap();
        let jws = CompactJws::parse(assertion.as_bytes()).unwrap();
        assert_eq!((jws.algorithm(), jws.typ(), jws.kid()), (algorithm, Some("JWT"), Some("k1")));
        let set = json!({ "keys": [key.to_public_jwk().unwrap()] }).to_string();
        let (keys, _) = KeySet::parse(set.as_bytes(), KeyAlgorithms::OWN).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(jws.verify(&keys).unwrap()).unwrap();
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("gateway"), &json!("gateway")));
        assert_eq!(claims["aud"], "https://idp.example");
    }
}

#[test]
fn a_key_signs_by_the_algorithm_that_is_named_for_it_if_it_fits() {
    let mut jwk = generate(Algorithm::Rs256).to_jwk().unwrap();
    let mut read = |alg: Option<&str>, wanted: Option<Algorithm>| {
        jwk.remove("alg");
        jwk.extend(alg.map(|alg| ("alg".to_owned(), alg.into())));
        signer(&serde_json::to_vec(&jwk).unwrap(), wanted).map(drop)
    };
    for wanted in [None, Some(Algorithm::Rs512), Some(Algorithm::Ps256)] {
        assert_eq!(read(None, wanted), Ok(()), "{wanted:?}");
    }
    assert_eq!(read(Some("PS256"), None), Ok(()));
    for (alg, wanted) in [
        (None, Some(Algorithm::Es256)),
        (Some("PS256"), Some(Algorithm::Rs256)),
        (Some("HS256"), None),
        (Some("ES256"), None),
    ] {
        assert_eq!(read(alg, wanted), Err(CredentialError::Algorithm), "{alg:?} {wanted:?}");
    }
}

#[test]
fn what_is_no_key_of_a_client_is_refused() {
    let other = [Algorithm::Es512, Algorithm::Es256k].map(|it| file_of(&generate(it)));
    let public = serde_json::to_vec(&generate(Algorithm::Es256).to_public_jwk().unwrap()).unwrap();
    for contents in [&b""[..], b"secret", b"{}", b"[]", b"{", &public, &other[0], &other[1]] {
        assert_eq!(signer(contents, None).map(drop), Err(CredentialError::Key), "{contents:?}");
    }
}

#[test]
fn a_credential_is_never_shown() {
    let read = Credential::read(&client(&["gateway", "secret=s"]), b"hush").unwrap();
    let shown = format!("{read:?}");
    assert!(!shown.contains("hush") && !shown.contains("Basic"), "{shown}");
}

#[test]
fn the_last_good_credential_counts_until_a_better_one_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    let client = client(&["gateway", &format!("secret={}", path.display())]);
    let mut file = CredentialFile::new(&client, None);
    let now = |file: &mut CredentialFile| {
        file.looked = None;
        let credential = file.current()?;
        let (_, authorization) = proof(&credential);
        let pair = STANDARD.decode(authorization.unwrap().trim_start_matches("Basic ")).unwrap();
        Ok::<_, String>(String::from_utf8(pair).unwrap())
    };
    let fault = now(&mut file).unwrap_err();
    assert!(fault.starts_with("client credential: cannot stat"), "{fault}");
    for (contents, pair) in [
        ("one", "gateway:one"),
        ("two\n", "gateway:two"),
        ("", "gateway:two"),
        ("a\nb", "gateway:two"),
        ("three", "gateway:three"),
    ] {
        fs::write(&path, contents).unwrap();
        assert_eq!(now(&mut file).unwrap(), pair, "{contents:?}");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(now(&mut file).unwrap(), "gateway:three");
}

#[test]
fn what_the_configuration_has_read_counts_until_the_file_can_be_read() {
    let client = client(&["gateway", "secret=/nowhere/at/all"]);
    let primed = Arc::new(Credential::read(&client, b"primed").unwrap());
    let mut file = CredentialFile::new(&client, Some(Arc::clone(&primed)));
    assert!(Arc::ptr_eq(&file.current().unwrap(), &primed));
    assert!(Arc::ptr_eq(&file.current().unwrap(), &primed));
}
