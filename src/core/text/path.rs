//! The one reading of a path (RFC 3986 sections 6.2.2 and 6.2.3): a second one would be a way past it.

use super::escape::hex;

/// The path in its normal form: up to query or fragment, only necessary escapes and these in upper
/// case, no dot segments, and never empty; `None` if it can be read in two ways.
pub(crate) fn normal_path(path: &[u8]) -> Option<Vec<u8>> {
    let end = path.iter().position(|byte| b"?#".contains(byte)).unwrap_or(path.len());
    let path = unescape(path.get(..end)?)?;
    let Some(segments) = path.strip_prefix(b"/") else {
        return path.is_empty().then(|| b"/".to_vec());
    };
    let last = segments.split(|byte| *byte == b'/').count().saturating_sub(1);
    let mut kept: Vec<&[u8]> = Vec::new();
    for (at, segment) in segments.split(|byte| *byte == b'/').enumerate() {
        let is_dots = matches!(segment, b"." | b"..");
        // Servers do not agree whether `//..` leads to where `/..` does.
        if segment == b".." && kept.pop().is_some_and(<[u8]>::is_empty) {
            return None;
        }
        if !is_dots {
            kept.push(segment);
        } else if at == last {
            kept.push(b"");
        }
    }
    let mut normal = Vec::with_capacity(path.len());
    for segment in kept {
        normal.push(b'/');
        normal.extend_from_slice(segment);
    }
    Some(normal)
}

/// Decodes unnecessary escapes, and writes the others in upper case; `None` if an escape is
/// malformed.
pub(crate) fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            plain.push(*byte);
            continue;
        }
        let [high, low, after @ ..] = rest else { return None };
        rest = after;
        let value = hex(*high)? << 4 | hex(*low)?;
        // RFC 3986 section 2.3.
        if value.is_ascii_alphanumeric() || b"-._~".contains(&value) {
            plain.push(value);
        } else {
            plain.extend([b'%', high.to_ascii_uppercase(), low.to_ascii_uppercase()]);
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_normal_form_is_its_own(path in "(/(\\.|\\.\\.|[a-zA-Z0-9~!:@]|%[0-9a-fA-F]{2}|/){0,12})?") {
            if let Some(normal) = normal_path(path.as_bytes()) {
                prop_assert!(normal.starts_with(b"/"));
                prop_assert_eq!(normal_path(&normal), Some(normal));
            }
        }
    }
}
