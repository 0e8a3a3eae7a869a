//! Discovery documents (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2).

use mesh_core::text::endpoint::Endpoint;
use mesh_core::text::json;
use serde_json::Value;

use super::failure::DiscoveryFault;

/// The URL of the keys by the document of `issuer`, which came from `from`.
///
/// # Errors
///
/// [`DiscoveryFault`], if it names another issuer, or keys that may not be fetched from there.
pub fn keys_url(
    document: &[u8],
    issuer: &str,
    from: &Endpoint,
) -> Result<Endpoint, DiscoveryFault> {
    let document = json::parse(json::without_mark(document)).map_err(DiscoveryFault::Json)?;
    let text = |member: &str| document.get(member).and_then(Value::as_str);
    // Otherwise one issuer's server could name the keys of another issuer (section 4.3).
    if text("issuer").ok_or(DiscoveryFault::NoIssuer)? != issuer {
        return Err(DiscoveryFault::OtherIssuer);
    }
    let keys = text("jwks_uri").ok_or(DiscoveryFault::NoAddress)?;
    let keys: Endpoint = keys.parse().map_err(DiscoveryFault::Address)?;
    if from.is_secure() && !keys.is_secure() {
        return Err(DiscoveryFault::Plain);
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use mesh_core::text::endpoint::EndpointError;

    use super::*;

    const ISSUER: &str = "https://idp.example";

    fn url_of(document: &str, from: &str) -> Result<String, DiscoveryFault> {
        let from = from.parse().unwrap();
        keys_url(document.as_bytes(), ISSUER, &from).map(|url| url.to_string())
    }

    #[test]
    fn keys_are_where_the_document_of_the_issuer_says() {
        let document = r#"{"issuer": "https://idp.example", "jwks_uri": "https://keys.example/a"}"#;
        assert_eq!(url_of(document, "https://idp.example/x").unwrap(), "https://keys.example/a");
    }

    #[test]
    fn document_of_another_issuer_is_refused() {
        for issuer in [
            "https://idp.example/",
            "https://IDP.example",
            "http://idp.example",
            "https://idp.example:443",
            "",
        ] {
            let document = format!(r#"{{"issuer": "{issuer}", "jwks_uri": "https://a/"}}"#);
            assert_eq!(url_of(&document, "https://a/"), Err(DiscoveryFault::OtherIssuer));
        }
    }

    #[test]
    fn keys_are_not_fetched_in_the_open_where_the_document_was_not() {
        let document = |url: &str| format!(r#"{{"issuer": "{ISSUER}", "jwks_uri": "{url}"}}"#);
        let local = document("http://127.0.0.1:1/");
        assert_eq!(url_of(&local, "https://a/"), Err(DiscoveryFault::Plain));
        assert!(url_of(&local, "http://127.0.0.1:2/").is_ok());
        for (url, error) in [
            ("http://keys.example/", EndpointError::Plain),
            ("file:///etc/passwd", EndpointError::Malformed),
            ("ftp://keys.example/", EndpointError::Scheme),
            ("/keys", EndpointError::Malformed),
            ("", EndpointError::Malformed),
        ] {
            let fault = url_of(&document(url), "http://127.0.0.1:2/").unwrap_err();
            assert_eq!(fault, DiscoveryFault::Address(error), "{url}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for (document, fault) in [
            ("[]", DiscoveryFault::NoIssuer),
            ("{}", DiscoveryFault::NoIssuer),
            (r#"{"issuer": 1}"#, DiscoveryFault::NoIssuer),
            (r#"{"issuer": "https://idp.example"}"#, DiscoveryFault::NoAddress),
            (r#"{"issuer": "https://idp.example", "jwks_uri": null}"#, DiscoveryFault::NoAddress),
        ] {
            assert_eq!(url_of(document, "https://a/"), Err(fault), "{document}");
        }
        let twice = r#"{"issuer": "https://idp.example", "issuer": "https://idp.example"}"#;
        for document in ["", "<html>", twice] {
            let fault = url_of(document, "https://a/").unwrap_err();
            assert!(matches!(fault, DiscoveryFault::Json(_)), "{document}");
        }
    }
}
