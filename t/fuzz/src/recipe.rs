//! Small changes to something valid, written down as bytes.

/// Whether `data` is a recipe rather than raw bytes: no token, JSON or PEM begins like that.
pub fn is_recipe(data: &[u8]) -> bool {
    data.first().is_some_and(|first| *first >= 0x80)
}

/// Changes one of `bases` as `data` says: a byte that chooses the base, then four bytes a change.
pub fn bake(bases: &[Vec<u8>], data: &[u8]) -> Vec<u8> {
    let Some((first, changes)) = data.split_first() else { return Vec::new() };
    let mut bytes = bases[usize::from(first & 0x7f) % bases.len()].clone();
    change(&mut bytes, changes);
    bytes
}

/// Makes the changes, four bytes each: kind, place (two bytes), value. A rest is ignored.
pub fn change(bytes: &mut Vec<u8>, changes: &[u8]) {
    for step in changes.chunks_exact(4).take(64) {
        if bytes.is_empty() {
            return;
        }
        let at = usize::from(u16::from_be_bytes([step[1], step[2]])) % bytes.len();
        let value = step[3];
        let end = (at + 1 + usize::from(value)).min(bytes.len());
        match step[0] % 6 {
            0 => bytes[at] = value,
            1 => bytes.insert(at, value),
            2 => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            4 => bytes.extend_from_within(at..end),
            _ => bytes[at] ^= 1 << (value % 8),
        }
    }
}
