//! The texts of a document: letters, escapes and what may be skipped.

use super::{MALFORMED, Read, Reader, Rest, State};

impl Reader<'_> {
    /// Reads letters that are plain or escapes of two bytes, at least a byte.
    pub(super) fn letters<'b>(&mut self, rest: &'b [u8], is_name: bool) -> Rest<'b> {
        if !self.keeps && !is_name {
            let after = behind_letters(rest);
            if after.len() < rest.len() {
                return Ok(after);
            }
        }
        let (text, after) = rest.split_at_checked(plain(rest)).unwrap_or((rest, &[]));
        self.keep(text)?;
        if let [b'\\', escape, after @ ..] = after
            && let Some(letter) = escaped(*escape).filter(|_| !is_name)
        {
            self.keep(&[letter])?;
            return Ok(after);
        }
        let [byte, after @ ..] = after else { return Ok(after) };
        self.of_text(*byte, is_name)?;
        Ok(after)
    }

    pub(super) fn of_text(&mut self, byte: u8, is_name: bool) -> Read {
        if self.high.is_some() && byte != b'\\' {
            return MALFORMED;
        }
        match byte {
            _ if self.missing > 0 => {
                if byte < self.range.0 || byte > self.range.1 {
                    return MALFORMED;
                }
                self.missing = self.missing.saturating_sub(1);
                self.range = (0x80, 0xbf);
                self.keep(&[byte])
            }
            b'"' if is_name => self.end_name(),
            b'"' => self.end_text(),
            b'\\' => {
                self.state = State::Escape { is_name };
                Ok(())
            }
            0..0x20 => MALFORMED,
            0x20..0x80 => self.keep(&[byte]),
            // Unicode 16, table 3-7.
            0xc2..=0xf4 => {
                (self.missing, self.range) = match byte {
                    0xc2..=0xdf => (1, (0x80, 0xbf)),
                    0xe0 => (2, (0xa0, 0xbf)),
                    0xed => (2, (0x80, 0x9f)),
                    0xe1..=0xef => (2, (0x80, 0xbf)),
                    0xf0 => (3, (0x90, 0xbf)),
                    0xf4 => (3, (0x80, 0x8f)),
                    _ => (3, (0x80, 0xbf)),
                };
                self.keep(&[byte])
            }
            _ => MALFORMED,
        }
    }

    pub(super) fn of_escape(&mut self, byte: u8, is_name: bool) -> Read {
        if byte == b'u' {
            self.state = State::Hex { is_name, digits: 0, value: 0 };
            return Ok(());
        }
        if self.high.is_some() {
            return MALFORMED;
        }
        let Some(letter) = escaped(byte) else { return MALFORMED };
        // No name of anything has one.
        if is_name && letter < 0x20 {
            return MALFORMED;
        }
        self.state = State::Text { is_name };
        self.keep(&[letter])
    }

    pub(super) fn of_hex(&mut self, byte: u8, is_name: bool, digits: u8, value: u16) -> Read {
        let digit = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok());
        let Some(digit) = digit else { return MALFORMED };
        let (value, digits) = (value << 4 | digit, digits.saturating_add(1));
        if digits < 4 {
            self.state = State::Hex { is_name, digits, value };
            return Ok(());
        }
        self.state = State::Text { is_name };
        let letter = match (self.high.take(), value) {
            (None, 0xd800..=0xdbff) => {
                self.high = Some(value);
                return Ok(());
            }
            (None, value) => char::from_u32(u32::from(value)),
            (Some(high), 0xdc00..=0xdfff) => {
                let high = u32::from(high).saturating_sub(0xd800) << 10;
                let low = u32::from(value).saturating_sub(0xdc00);
                char::from_u32(high.saturating_add(low).saturating_add(0x1_0000))
            }
            (Some(_), _) => None,
        };
        let Some(letter) = letter.filter(|letter| !is_name || !letter.is_control()) else {
            return MALFORMED;
        };
        self.keep(letter.encode_utf8(&mut [0; 4]).as_bytes())
    }
}

/// The letter that an escape of two bytes stands for.
pub(super) const fn escaped(byte: u8) -> Option<u8> {
    Some(match byte {
        b'"' | b'\\' | b'/' => byte,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    })
}

/// Behind the letters that are of ASCII and neither a quotation mark, a backslash nor a control character:
/// eight at a time.
#[inline(always)]
pub(super) fn behind_plain(mut rest: &[u8]) -> &[u8] {
    while let Some((eight, after)) = rest.split_first_chunk() {
        let odd = odd(eight);
        if odd != 0 {
            return rest.get(first(odd)..).unwrap_or_default();
        }
        rest = after;
    }
    behind_few(rest)
}

/// The same of fewer than eight.
#[inline(never)]
fn behind_few(mut rest: &[u8]) -> &[u8] {
    while let [0x20..0x80, after @ ..] = rest
        && !matches!(rest, [b'"' | b'\\', ..])
    {
        rest = after;
    }
    rest
}

/// How many plain letters come first.
#[inline]
pub(super) fn plain(bytes: &[u8]) -> usize {
    bytes.len().saturating_sub(behind_plain(bytes).len())
}

/// Behind plain letters and escapes of two bytes.
#[inline(always)]
pub(super) fn behind_letters(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = behind_plain(rest);
        match rest {
            [b'"', ..] => return rest,
            [b'\\', escape, after @ ..] if escaped(*escape).is_some() => rest = after,
            _ => return rest,
        }
    }
}

/// The high bit of the first byte that is not plain, and maybe of others behind it.
#[inline(always)]
fn odd(eight: &[u8; 8]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let word = u64::from_le_bytes(*eight);
    // What is taken away makes the high bit set of a byte that is less. With the bit of 2 turned, a
    // quotation mark is 0x20, which stays the only one between the control characters and 0x22. A byte
    // of 0x80 and above has the bit.
    let less = |word: u64, than: u64| word.wrapping_sub(ONES.wrapping_mul(than));
    let control_or_quote = less(word ^ ONES.wrapping_mul(0x02), 0x21);
    let backslash = less(word ^ ONES.wrapping_mul(0x5c), 0x01);
    (control_or_quote | backslash | word) & HIGHS
}

/// The place of the first byte of which the high bit is set.
#[inline(always)]
fn first(odd: u64) -> usize {
    usize::try_from(odd.trailing_zeros() >> 3).unwrap_or(0)
}
