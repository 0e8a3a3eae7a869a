//! A certificate's names, found by walking its DER without a parser of anybody's.

/// What the tests need to know of a certificate.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Certificate {
    /// The URIs among the alternative names.
    pub uris: Vec<Vec<u8>>,
    /// The DNS names among the alternative names.
    pub dns: Vec<Vec<u8>>,
    /// The common names of the subject; none where it is not well-formed, which only matters to
    /// who asks for them.
    pub common_names: Option<Vec<Vec<u8>>>,
    /// Whether the basic constraints say that it is an authority.
    pub authority: bool,
}

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];

impl Certificate {
    /// Walks a certificate; none where an element does not lie within the one that holds it.
    ///
    /// The length of the wrapper around the extensions is not looked at: the parser that the core
    /// stands on ignores it, and OpenSSL refuses a wrong one before Nginx has a certificate.
    pub fn walk(der: &[u8]) -> Option<Self> {
        let [(0x30, outer)] = elements(der)?[..] else { return None };
        let (_, mut tbs) = *elements(outer)?.first()?;
        let mut fields = Vec::new();
        let mut extensions = None;
        while !tbs.is_empty() {
            let (tag, length, rest) = header(tbs)?;
            if tag == 0xa3 {
                extensions = Some(rest);
                break;
            }
            let (content, rest) = rest.split_at_checked(length)?;
            fields.push((tag, content));
            tbs = rest;
        }
        // The version is the one field in front that may be left out.
        let subject = if fields.first()?.0 == 0xa0 { fields.get(5)? } else { fields.get(4)? };
        let mut found = Self { common_names: common_names(subject.1), ..Self::default() };
        if let Some(extensions) = extensions {
            let [(0x30, extensions)] = elements(extensions)?[..] else { return None };
            for (_, extension) in elements(extensions)? {
                found.note(&elements(extension)?)?;
            }
        }
        Some(found)
    }

    fn note(&mut self, extension: &[(u8, &[u8])]) -> Option<()> {
        let ((_, oid), (_, value)) = (extension.first()?, extension.last()?);
        if *oid == BASIC_CONSTRAINTS {
            let [(0x30, constraints)] = elements(value)?[..] else { return None };
            let first = elements(constraints)?.first().copied();
            self.authority |= first.is_some_and(|(tag, flag)| tag == 0x01 && flag != [0]);
        } else if *oid == ALTERNATIVE_NAME {
            let [(0x30, names)] = elements(value)?[..] else { return None };
            for (tag, name) in elements(names)? {
                match tag {
                    0x82 => self.dns.push(name.to_owned()),
                    0x86 => self.uris.push(name.to_owned()),
                    _ => {}
                }
            }
        }
        Some(())
    }
}

fn common_names(subject: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    for (_, attributes) in elements(subject)? {
        for (_, attribute) in elements(attributes)? {
            if let [(0x06, COMMON_NAME), (_, value)] = elements(attribute)?[..] {
                found.push(value.to_owned());
            }
        }
    }
    Some(found)
}

/// The elements that follow each other: tag and content.
fn elements(mut bytes: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (tag, length, rest) = header(bytes)?;
        let (content, rest) = rest.split_at_checked(length)?;
        found.push((tag, content));
        bytes = rest;
    }
    Some(found)
}

/// Tag and length of an element, and what follows them.
fn header(bytes: &[u8]) -> Option<(u8, usize, &[u8])> {
    let [tag, length, rest @ ..] = bytes else { return None };
    if tag & 0x1f == 0x1f {
        return None;
    }
    match length {
        0..=0x7f => Some((*tag, usize::from(*length), rest)),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            let length = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
            Some((*tag, length, rest))
        }
        _ => None,
    }
}
