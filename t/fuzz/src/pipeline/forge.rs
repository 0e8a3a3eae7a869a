//! Tokens: what a client with any key but the issuer's could make, and what the issuer itself may
//! sign by mistake.

use arbitrary::{Result, Unstructured};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use mesh_core::testing::NOW;
use serde_json::{Map, Value, json};

use super::case::{pick, rarely};
use super::world::{ISSUERS, LEAVES};
use crate::keys::{EC, FORGER, KEYS, part};

/// What was signed, by which key, and what it meant.
pub struct Signed {
    /// The bytes under the signature: header and payload.
    pub input: String,
    pub key: usize,
    pub algorithm: Algorithm,
    /// `alg` of the header, which may be a lie.
    pub claimed: String,
    pub kid: Option<String>,
    pub typ: Option<String>,
    pub claims: Map<String, Value>,
    /// Whether it breaks a rule that no claim can mend.
    pub broken: bool,
}

/// Makes a token, and writes down what was signed.
pub fn token(u: &mut Unstructured<'_>, ledger: &mut Vec<Signed>) -> Result<String> {
    let issuer = *u.choose(&[0, 0, 0, 0, 0, 1, 1, 2, 2, 3])?;
    let key = signing_key(u, issuer)?;
    let signer = &KEYS[key];
    let last = pick(u, 0, &[signer.fits.len() - 1])?;
    let algorithm = *u.choose(&signer.fits[..=last])?;
    let mut signed = Signed {
        input: String::new(),
        key,
        algorithm,
        claimed: format!("{algorithm:?}"),
        kid: signer.kid.map(Into::into),
        typ: None,
        claims: claims(u, issuer)?,
        broken: false,
    };
    let header = header(u, issuer, &mut signed)?;
    let payload = payload(u, &mut signed)?;
    signed.input = format!("{}.{}", part(header), part(payload));
    let own = signer.sign(signed.input.as_bytes(), algorithm);
    let signature = signature(u, own, &signed.input)?;
    let token = format!("{}.{signature}", signed.input);
    ledger.push(signed);
    Ok(token)
}

/// One of the keys that the issuer publishes now or later; rarely any other.
fn signing_key(u: &mut Unstructured<'_>, issuer: usize) -> Result<usize> {
    if rarely(u)? {
        return Ok(if rarely(u)? { u.choose_index(KEYS.len())? } else { FORGER });
    }
    let Some(first) = ISSUERS[issuer].sets.first() else { return Ok(EC) };
    let keys = if rarely(u)? { u.choose(ISSUERS[issuer].sets)? } else { first };
    u.choose(keys).copied()
}

fn header(u: &mut Unstructured<'_>, issuer: usize, signed: &mut Signed) -> Result<String> {
    let mut header = Map::new();
    let names = ["none", "HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA", "es256", ""];
    signed.claimed = pick(u, signed.claimed.clone(), &names.map(Into::into))?;
    header.insert("alg".into(), json!(signed.claimed));
    let kids = ["k1", "k2", "k3", "r1", "p384", "nope", ""].map(|kid| Some(kid.to_owned()));
    signed.kid = pick(u, signed.kid.clone(), &[&kids[..], &[None]].concat())?;
    signed.kid.iter().for_each(|kid| drop(header.insert("kid".into(), json!(kid))));
    let usual = ISSUERS[issuer].types.map(|types| u.choose(types)).transpose()?.copied();
    let types = [None, Some("JWT"), Some("at+jwt"), Some("AT+JWT"), Some("at+jwt "), Some("")];
    signed.typ = pick(u, usual, &types)?.map(Into::into);
    signed.typ.iter().for_each(|typ| drop(header.insert("typ".into(), json!(typ))));
    let harmless = [
        ("jku", json!("https://evil.example/keys")),
        ("jwk", KEYS[FORGER].jwk()),
        ("x5c", json!(["MIIB"])),
        ("cty", json!(7)),
    ];
    let harmful = [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("alg", json!(7)),
        ("alg", json!(null)),
        ("kid", json!(7)),
        ("typ", json!(["JWT"])),
    ];
    if rarely(u)? {
        let (name, value) = u.choose(&harmless)?;
        header.insert((*name).into(), value.clone());
    }
    if rarely(u)? {
        let (name, value) = u.choose(&harmful)?;
        header.insert((*name).into(), value.clone());
        signed.broken = true;
    }
    let text = Value::Object(header).to_string();
    spoilt(u, text, r#""alg":"ES256""#, signed)
}

fn payload(u: &mut Unstructured<'_>, signed: &mut Signed) -> Result<String> {
    let claims = Value::Object(signed.claims.clone());
    let twice = if signed.claims.contains_key("iss") {
        r#""\u0069ss":"https://idp.example""#
    } else {
        r#""a":{"b":1,"b":1}"#
    };
    let text = claims.to_string();
    // To who reads it, a claim that is null is not there.
    signed.claims.retain(|_, value| !value.is_null());
    spoilt(u, text, twice, signed)
}

/// The same JSON, or rarely something that no strict reader takes.
fn spoilt(
    u: &mut Unstructured<'_>,
    text: String,
    twice: &str,
    signed: &mut Signed,
) -> Result<String> {
    if !rarely(u)? {
        return Ok(text);
    }
    signed.broken = true;
    let body = text.strip_prefix('{').unwrap_or_default();
    Ok(match u.int_in_range(0..=4)? {
        0 => format!("{{{twice},{body}"),
        1 => format!("[{text}]"),
        2 => format!("{text} x"),
        3 => format!("{{\"deep\":{}{},{body}", "[".repeat(16), "]".repeat(16)),
        _ => text.replace('}', ""),
    })
}

fn signature(u: &mut Unstructured<'_>, own: String, input: &str) -> Result<String> {
    if !rarely(u)? {
        return Ok(own);
    }
    let jwk = KEYS[EC].jwk();
    let public = EncodingKey::from_secret(jwk["x"].as_str().unwrap_or_default().as_bytes());
    Ok(match u.int_in_range(0..=4)? {
        0 => String::new(),
        1 => crypto::sign(input.as_bytes(), &public, Algorithm::HS256).expect("a MAC"),
        2 => part([0; 64]),
        3 => own.chars().skip(2).collect(),
        _ => format!("{own}A"),
    })
}

fn claims(u: &mut Unstructured<'_>, issuer: usize) -> Result<Map<String, Value>> {
    let model = &ISSUERS[issuer];
    let thumbprint = |leaf: usize| part(LEAVES[leaf].thumbprint.unwrap_or_default());
    let near = NOW + i64::from(u.arbitrary::<i8>()?) * 10;
    let free = json!(text(u)?);
    let dates = |usual: Value, u: &mut Unstructured<'_>| {
        let fraction = near as f64 + 0.5;
        let (most, least) = (json!(i64::MAX), json!(i64::MIN));
        let others = [json!(near), json!(near), json!(fraction), json!(1e300), json!(u64::MAX)];
        let wrong = [json!("1900000000"), json!(null), json!(true), json!(0), most, least];
        pick(u, usual, &[&others[..], &wrong, &[json!({})]].concat())
    };
    let urls = ["https://idp.example/", "https://IDP.example", "https://other.example", ""];
    let urls = urls.iter().copied().chain(ISSUERS.iter().map(|issuer| issuer.url));
    let mut urls: Vec<Value> = urls.map(Value::from).collect();
    urls.push(json!([model.url]));
    let all = [
        ("iss", pick(u, json!(model.url), &urls)?),
        ("aud", {
            let usual = u.choose(&["api", "api", "kafka"])?;
            let usual =
                if u.arbitrary::<bool>()? { json!(["x", usual, "api"]) } else { json!(usual) };
            let wrong = [json!([]), json!(""), json!("apis"), json!(7), json!(["api", 7])];
            pick(u, usual, &[&wrong[..], &[json!({ "api": 1 }), json!("urn:x")]].concat())?
        }),
        ("exp", dates(json!(NOW + 600), u)?),
        ("nbf", if rarely(u)? { dates(json!(NOW - 60), u)? } else { ABSENT }),
        ("iat", dates(json!(NOW - 60), u)?),
        ("sub", pick(u, json!("orders"), &odd(&free))?),
        ("azp", if issuer == 1 { pick(u, json!("etl"), &odd(&free))? } else { ABSENT }),
        ("groups", {
            let usual = json!(["eng", "ops"]);
            let others = [json!("ops"), json!(["ops", free]), json!([]), json!([7, "ops"])];
            pick(u, usual, &[&others[..], &[json!(7), json!(["o\"p\\s\r\né"])]].concat())?
        }),
        ("scope", {
            let others = [json!("write"), json!(["x", "read"]), json!("read write"), json!(3)];
            pick(u, json!("read"), &others)?
        }),
        ("cnf", {
            let (own, other) = (thumbprint(0), thumbprint(1));
            let bound = [json!({ "x5t#S256": own }), json!({ "x5t#S256": other })];
            let zero = json!({ "x5t#S256": part([0; 32]) });
            let wrong = [json!({}), json!({ "jkt": own }), json!(null), json!(own), zero];
            let both = json!({ "x5t#S256": own, "jkt": own });
            pick(u, ABSENT, &[&bound[..], &bound, &wrong, &[both]].concat())?
        }),
    ];
    let absent = if rarely(u)? { u.choose_index(all.len())? } else { all.len() };
    let present = all.into_iter().enumerate().filter(|(at, _)| *at != absent);
    let present = present.map(|(_, (name, value))| (name.to_owned(), value));
    Ok(present.filter(|(_, value)| *value != ABSENT).collect())
}

/// What no claim of ours ever is: the claim is left out.
const ABSENT: Value = Value::Bool(false);

fn odd(free: &Value) -> [Value; 8] {
    [
        free.clone(),
        free.clone(),
        json!("a\r\nX-Mesh-Service: admin"),
        json!(" ordérs 100% "),
        json!("\u{0}"),
        json!(""),
        json!(7),
        json!(null),
    ]
}

fn text(u: &mut Unstructured<'_>) -> Result<String> {
    let length = u.int_in_range(0..=12)?;
    (0..length).map(|_| u.arbitrary::<char>()).collect()
}
