//! The part of Markdown that the manual is written in.

/// A block of a text.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Block {
    /// A heading of this level, from 1 on.
    Heading(usize, String),
    Paragraph(String),
    /// An item of a list, with its bullet or number.
    Item(String, String),
    /// Lines, unchanged.
    Code(Vec<String>),
    /// The head of a table, and its rows.
    Table(Vec<String>, Vec<Vec<String>>),
}

/// A part of a line of text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Span<'t> {
    Plain(&'t str),
    Code(&'t str),
    Strong(&'t str),
}

impl<'t> Span<'t> {
    pub(crate) const fn text(self) -> &'t str {
        match self {
            Self::Code(text) | Self::Plain(text) | Self::Strong(text) => text,
        }
    }
}

/// Reads a text into its blocks.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    let mut is_open = false;
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            blocks.push(Block::Code(
                lines.by_ref().take_while(|line| *line != "```").map(Into::into).collect(),
            ));
            is_open = false;
            continue;
        }
        let text = line.trim();
        if is_open && continues(line, &mut blocks) {
            continue;
        }
        is_open = !text.is_empty();
        if let Some(title) = text.strip_prefix('#') {
            let title_only = title.trim_start_matches('#');
            let level = text.len().saturating_sub(title_only.len());
            blocks.push(Block::Heading(level, title_only.trim().into()));
        } else if let Some((marker, text)) = item(text) {
            blocks.push(Block::Item(marker.into(), text.into()));
        } else if text.starts_with('|') {
            blocks.push(Block::Table(cells(text), Vec::new()));
        } else if !text.is_empty() {
            blocks.push(Block::Paragraph(text.into()));
        }
    }
    blocks
}

/// Adds a line to the last block, if it belongs to it.
fn continues(line: &str, blocks: &mut [Block]) -> bool {
    let text = line.trim();
    match blocks.last_mut() {
        Some(Block::Table(_, rows)) if text.starts_with('|') => {
            if !text.starts_with("| ---") {
                rows.push(cells(text));
            }
            true
        }
        Some(Block::Paragraph(whole) | Block::Item(_, whole))
            if !text.is_empty() && item(text).is_none() =>
        {
            whole.push(' ');
            whole.push_str(text);
            true
        }
        _ => false,
    }
}

/// The marker of an item and its text.
fn item(line: &str) -> Option<(&str, &str)> {
    let (marker, text) = line.split_once(' ')?;
    let number = marker.strip_suffix('.').unwrap_or_default();
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (marker == "-" || is_number).then_some((marker, text))
}

fn cells(line: &str) -> Vec<String> {
    line.trim_matches('|').split(" | ").map(|cell| cell.trim().into()).collect()
}

/// Splits a text at its code and its strong words.
pub(crate) fn spans(text: &str) -> Vec<Span<'_>> {
    let mut spans = Vec::new();
    let mut rest = text;
    while let Some((marker, before, inside, after)) = next(rest) {
        if !before.is_empty() {
            spans.push(Span::Plain(before));
        }
        spans.push(if marker == "`" { Span::Code(inside) } else { Span::Strong(inside) });
        rest = after;
    }
    if !rest.is_empty() {
        spans.push(Span::Plain(rest));
    }
    spans
}

/// The next marker, and the text before it, within it and after it.
fn next(text: &str) -> Option<(&'static str, &str, &str, &str)> {
    let found = ["`", "**"].into_iter().filter_map(|marker| {
        let (before, rest) = text.split_once(marker)?;
        let (inside, after) = rest.split_once(marker)?;
        Some((marker, before, inside, after))
    });
    found.min_by_key(|(_, before, ..)| before.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_block_is_read() {
        let text = "## Title\n\nOne\ntwo.\n\n- a\n  b\n- c\n\n1. d\n\n```nginx\n- no item\n```\n| h | i |\n| --- | --- |\n| 1 | 2 |\n";
        let expected = vec![
            Block::Heading(2, "Title".into()),
            Block::Paragraph("One two.".into()),
            Block::Item("-".into(), "a b".into()),
            Block::Item("-".into(), "c".into()),
            Block::Item("1.".into(), "d".into()),
            Block::Code(vec!["- no item".into()]),
            Block::Table(vec!["h".into(), "i".into()], vec![vec!["1".into(), "2".into()]]),
        ];
        assert_eq!(blocks(text), expected);
    }

    #[test]
    fn code_and_strong_words_are_told_apart() {
        let expected = [
            Span::Plain("a "),
            Span::Code("b**c"),
            Span::Plain(" "),
            Span::Strong("d `e`"),
            Span::Plain("."),
        ];
        assert_eq!(spans("a `b**c` **d `e`**."), expected);
        assert_eq!(spans("2 ** 3"), [Span::Plain("2 ** 3")]);
    }
}
