//! A page for a terminal, or for a program that reads plain text.

use std::{
    env,
    io::{self, IsTerminal},
};

use super::markdown::{Block, Span, spans};

/// Lines that are wrapped, with letters that stand out on a terminal.
#[derive(Debug)]
pub(crate) struct Page {
    text: String,
    width: usize,
    is_styled: bool,
}

/// Columns, unless `COLUMNS` says another number.
const WIDTH: usize = 80;

/// Longer lines are hard to read.
const WIDEST: usize = 100;

const NARROWEST: usize = 40;

const BOLD: &str = "\x1b[1m";
const NORMAL: &str = "\x1b[0m";

impl Page {
    /// A page for standard output as it is.
    pub(crate) fn new() -> Self {
        let columns = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        Self {
            text: String::new(),
            width: columns.unwrap_or(WIDTH).clamp(NARROWEST, WIDEST),
            is_styled: io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none(),
        }
    }

    /// The page.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    pub(crate) fn blocks(&mut self, blocks: &[Block]) {
        let mut was_item = false;
        for block in blocks {
            let is_item = matches!(block, Block::Item(..));
            let is_close = self.text.is_empty() || (was_item && is_item);
            if !is_close {
                self.text.push('\n');
            }
            self.block(block);
            was_item = is_item;
        }
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Code(lines) => {
                for line in lines {
                    self.line(&format!("    {line}"));
                }
            }
            Block::Heading(_, title) => {
                let title = self.strong(title);
                self.line(&title);
            }
            Block::Item(marker, text) => {
                let hanging = marker.chars().count().saturating_add(1);
                self.wrapped(&format!("{marker} "), hanging, text);
            }
            Block::Paragraph(text) => self.wrapped("", 0, text),
            Block::Table(head, rows) => self.table(head, rows),
        }
    }

    /// In columns if they fit, else a block for each row.
    fn table(&mut self, head: &[String], rows: &[Vec<String>]) {
        let lines: Vec<Vec<String>> = core::iter::once(head)
            .chain(rows.iter().map(Vec::as_slice))
            .map(|cells| cells.iter().map(|cell| self.styled(cell)).collect())
            .collect();
        let widths: Vec<usize> = (0..head.len())
            .map(|at| lines.iter().filter_map(|cells| cells.get(at)).map(|it| seen(it)).max())
            .map(Option::unwrap_or_default)
            .collect();
        if widths.iter().map(|width| width.saturating_add(2)).sum::<usize>() <= self.width {
            for cells in &lines {
                let mut line = String::new();
                for (cell, width) in cells.iter().zip(&widths) {
                    line.push_str(cell);
                    let padding = width.saturating_sub(seen(cell)).saturating_add(2);
                    line.extend(core::iter::repeat_n(' ', padding));
                }
                self.line(line.trim_end());
            }
            return;
        }
        for row in rows {
            let [name, cells @ ..] = row.as_slice() else { continue };
            self.wrapped("", 2, name);
            for (title, cell) in head.iter().skip(1).zip(cells).filter(|(_, cell)| *cell != "—") {
                let title = if head.len() > 2 { format!("{title}: ") } else { String::new() };
                self.wrapped("    ", 6, &format!("{title}{cell}"));
            }
        }
    }

    /// Text in lines that are not too long; all but the first are indented by `hanging`.
    fn wrapped(&mut self, first: &str, hanging: usize, text: &str) {
        let mut line = first.to_owned();
        let mut is_empty = true;
        for word in self.styled(text).split(' ').filter(|word| !word.is_empty()) {
            let wide =
                seen(&line).saturating_add(seen(word)).saturating_add(usize::from(!is_empty));
            if !is_empty && wide > self.width {
                self.line(&line);
                line = " ".repeat(hanging);
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        self.line(&line);
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn strong(&self, text: &str) -> String {
        if self.is_styled { format!("{BOLD}{text}{NORMAL}") } else { text.into() }
    }

    /// A text with its code and strong words as this page shows them.
    fn styled(&self, text: &str) -> String {
        spans(text)
            .into_iter()
            .map(|span| match span {
                Span::Code(code) if !self.is_styled => format!("`{code}`"),
                Span::Plain(plain) => plain.into(),
                Span::Code(text) | Span::Strong(text) => self.strong(text),
            })
            .collect()
    }
}

/// How many columns a text takes: the codes that set a style take none.
fn seen(text: &str) -> usize {
    let all = text.chars().count();
    let of = |style: &str| text.matches(style).count().saturating_mul(style.len());
    all.saturating_sub(of(BOLD).saturating_add(of(NORMAL)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::help::markdown::blocks;

    fn page(width: usize, is_styled: bool, text: &str) -> String {
        let mut page = Page { text: String::new(), width, is_styled };
        page.blocks(&blocks(text));
        page.into_text()
    }

    #[test]
    fn lines_are_wrapped_and_items_hang() {
        let text = "one two three\n\n- four five six\n- seven\n";
        assert_eq!(page(9, false, text), "one two\nthree\n\n- four\n  five\n  six\n- seven\n");
    }

    #[test]
    fn styles_take_no_room() {
        assert_eq!(page(7, true, "a `bc` **d** e"), "a \x1b[1mbc\x1b[0m \x1b[1md\x1b[0m\ne\n");
        assert_eq!(page(8, false, "a `bc` **d** e"), "a `bc` d\ne\n");
    }

    #[test]
    fn a_table_has_columns_if_they_fit() {
        let text = "| a | b | c |\n| --- | --- | --- |\n| one | 2 | — |\n";
        assert_eq!(page(40, false, text), "a    b  c\none  2  —\n");
        assert_eq!(page(10, false, text), "one\n    b: 2\n");
    }
}
