//! Percent-encoding (RFC 3986 section 2.1), decoded once.

/// Why a text cannot be decoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EscapeError {
    /// It ends within an escape.
    Cut,
    /// An escape is not of two hexadecimal digits.
    Digit,
    /// What is decoded is not UTF-8.
    Utf8,
}

/// Decodes the escapes of a text; `check` looks at each byte that was escaped. A plus is a space if
/// `has_plus`, as in a query and in a form.
///
/// # Errors
///
/// As `check`, and an [`EscapeError`].
pub(crate) fn decode<E: From<EscapeError>>(
    text: &[u8],
    has_plus: bool,
    check: impl Fn(u8) -> Result<(), E>,
) -> Result<String, E> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'%' => {
                let [high, low, after @ ..] = rest else { return Err(EscapeError::Cut.into()) };
                rest = after;
                let value = hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low);
                let value = value.ok_or(EscapeError::Digit)?;
                check(value)?;
                bytes.push(value);
            }
            b'+' if has_plus => bytes.push(b' '),
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| EscapeError::Utf8.into())
}

/// The value of a hexadecimal digit.
pub(crate) fn hex(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}
