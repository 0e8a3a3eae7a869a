//! SPIFFE IDs and trust domains.

use mesh_core::peer::spiffe::{SpiffeId, TrustDomain};

/// A text is a SPIFFE ID when the specification, read a second time, says so; then it is kept
/// byte for byte, and comes apart where it was put together.
///
/// Returns whether it is one.
pub fn spiffe_id(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    assert_eq!(TrustDomain::parse(text).is_ok(), is_trust_domain(text), "{text:?}");
    let parsed = SpiffeId::parse(text);
    assert_eq!(parsed.is_ok(), is_id(text), "{text:?}: {parsed:?}");
    let Ok(id) = parsed else { return false };
    assert_eq!(id.as_str(), text);
    assert_eq!(format!("spiffe://{}{}", id.trust_domain(), id.path()), text);
    assert_eq!(id.to_string().parse(), Ok(id.clone()));
    assert!(id.path().is_empty() || id.path().starts_with('/'));
    let domain = TrustDomain::parse(id.trust_domain()).expect("the domain of an id is one");
    assert!(domain.contains(&id));
    crate::assert_printable(id.as_str());
    true
}

/// SPIFFE-ID, sections 2.1 to 2.3, as a machine over bytes.
pub(crate) fn is_id(text: &str) -> bool {
    let Some(rest) = text.as_bytes().strip_prefix(b"spiffe://") else { return false };
    let domain: Vec<u8> = rest.iter().copied().take_while(|byte| *byte != b'/').collect();
    if text.len() > 2048 || !is_trust_domain(&String::from_utf8_lossy(&domain)) {
        return false;
    }
    // Of the current segment: its length, and how many dots it is as long as it is dots alone.
    let (mut length, mut dots) = (1, 0);
    for byte in &rest[domain.len()..] {
        match byte {
            b'/' if length == dots => return false,
            b'/' => (length, dots) = (0, 0),
            b'.' => (length, dots) = (length + 1, dots + u32::from(dots == length && dots < 2)),
            b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'_' | b'a'..=b'z' => length += 1,
            _ => return false,
        }
    }
    length != dots
}

fn is_trust_domain(name: &str) -> bool {
    let allowed = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
    (1..=255).contains(&name.len()) && name.chars().all(|c| allowed.contains(c))
}
