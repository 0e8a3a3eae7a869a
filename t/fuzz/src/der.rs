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

const BOOLEAN: u8 = 0x01;
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];

impl Certificate {
    /// Walks a certificate; none where an element does not lie within the one that holds it.
    ///
    /// As lenient as the parser that the core stands on, which ignores the length of the wrapper
    /// around the extensions, what follows an extension's value, the class of what is universal,
    /// and whether an element is marked as constructed. OpenSSL, which reads a certificate before
    /// Nginx hands it over, refuses these; the last it reads as the core does.
    pub fn walk(der: &[u8]) -> Option<Self> {
        let outer = sequence(der)?;
        let (_, mut tbs) = *elements(outer)?.first()?;
        let mut fields = Vec::new();
        let mut extensions = None;
        while !tbs.is_empty() {
            let (tag, _, rest) = header(tbs)?;
            if fields.len() >= 6 && tag & 0x1f == 3 {
                extensions = Some(rest);
                break;
            }
            let (tag, content, rest) = element(tbs)?;
            fields.push((tag, content));
            tbs = rest;
        }
        // The version is the one field in front that may be left out.
        let subject = if fields.first()?.0 == 0x80 { fields.get(5)? } else { fields.get(4)? };
        let mut found = Self { common_names: common_names(subject.1), ..Self::default() };
        if let Some(extensions) = extensions {
            let extensions = sequence(extensions)?;
            for (_, extension) in elements(extensions)? {
                found.note(extension)?;
            }
        }
        Some(found)
    }

    fn note(&mut self, extension: &[u8]) -> Option<()> {
        let (_, oid, rest) = element(extension)?;
        let (_, value, _) = match element(rest)? {
            (tag, _, rest) if tag & 0x1f == BOOLEAN => element(rest)?,
            value => value,
        };
        if oid == BASIC_CONSTRAINTS {
            let constraints = sequence(value)?;
            let first = elements(constraints)?.first().copied();
            self.authority |= first.is_some_and(|(tag, flag)| tag & 0x1f == BOOLEAN && flag != [0]);
        } else if oid == ALTERNATIVE_NAME {
            let names = sequence(value)?;
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
            if let [(_, COMMON_NAME), (_, value)] = elements(attribute)?[..] {
                found.push(value.to_owned());
            }
        }
    }
    Some(found)
}

/// The content of the sequence that is all of `bytes`.
fn sequence(bytes: &[u8]) -> Option<&[u8]> {
    match elements(bytes)?[..] {
        [(tag, content)] if tag & 0x1f == 0x10 => Some(content),
        _ => None,
    }
}

/// The elements that follow each other: tag and content.
fn elements(mut bytes: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (tag, content, rest) = element(bytes)?;
        found.push((tag, content));
        bytes = rest;
    }
    Some(found)
}

/// The first element: tag and content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, length, rest) = header(bytes)?;
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// Tag (without the bit of what is constructed) and length of an element, and what follows them.
fn header(bytes: &[u8]) -> Option<(u8, usize, &[u8])> {
    let [tag, length, rest @ ..] = bytes else { return None };
    if tag & 0x1f == 0x1f {
        return None;
    }
    match length {
        0..=0x7f => Some((tag & !0x20, usize::from(*length), rest)),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            let length = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
            Some((tag & !0x20, length, rest))
        }
        _ => None,
    }
}
