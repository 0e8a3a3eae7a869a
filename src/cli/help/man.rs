//! The manual as a man page, in roff.

use super::markdown::{Block, Span, spans};

/// A man page that is being written.
#[derive(Debug)]
pub(crate) struct Man {
    text: String,
}

impl Man {
    /// A page with its title and name.
    pub(crate) fn new() -> Self {
        let version = env!("CARGO_PKG_VERSION");
        // Lines are not filled up with blanks, and words not divided: they may be code.
        let text = format!(
            ".TH MESH 8 \"\" \"ngx_http_mesh_module {version}\" \"Nginx\"\n.nr HY 0\n.ad l\n\
             .SH NAME\nmesh \\- Nginx module that verifies tokens and client certificates\n"
        );
        Self { text }
    }

    /// The page.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// A section.
    pub(crate) fn section(&mut self, title: &str) {
        self.text.push_str(".SH ");
        self.quoted(&title.to_uppercase());
    }

    /// A part of a section.
    pub(crate) fn part(&mut self, title: &str) {
        self.text.push_str(".SS ");
        self.quoted(title);
    }

    pub(crate) fn blocks(&mut self, blocks: &[Block]) {
        for block in blocks {
            match block {
                Block::Code(lines) => {
                    self.text.push_str(".PP\n.RS 4\n.EX\n");
                    for line in lines {
                        self.line(&escaped(line));
                    }
                    self.text.push_str(".EE\n.RE\n");
                }
                Block::Heading(_, title) => self.part(title),
                Block::Item(marker, text) => {
                    self.text.push_str(&format!(".IP {} 4\n", escaped(marker)));
                    self.line(&styled(text));
                }
                Block::Paragraph(text) => {
                    self.text.push_str(".PP\n");
                    self.line(&styled(text));
                }
                Block::Table(head, rows) => self.table(head, rows),
            }
        }
    }

    /// A paragraph for each row: its first cell, and below it the others.
    fn table(&mut self, head: &[String], rows: &[Vec<String>]) {
        for row in rows {
            let [name, cells @ ..] = row.as_slice() else { continue };
            self.text.push_str(".TP 4\n");
            self.line(&styled(name));
            let cells = head.iter().skip(1).zip(cells).filter(|(_, cell)| *cell != "—");
            for (at, (title, cell)) in cells.enumerate() {
                if at > 0 {
                    self.text.push_str(".br\n");
                }
                let title = if head.len() > 2 { format!("{title}: ") } else { String::new() };
                self.line(&styled(&format!("{title}{cell}")));
            }
        }
    }

    fn quoted(&mut self, title: &str) {
        let title: String = spans(title).into_iter().map(Span::text).collect();
        let title = escaped(&title).replace('"', "\\(dq");
        self.line(&format!("\"{title}\""));
    }

    /// A line of text; one that begins with a control character would be a request.
    fn line(&mut self, line: &str) {
        if line.starts_with(['.', '\'']) {
            self.text.push_str("\\&");
        }
        self.text.push_str(line);
        self.text.push('\n');
    }
}

fn styled(text: &str) -> String {
    spans(text)
        .into_iter()
        .map(|span| match span {
            Span::Plain(plain) => escaped(plain),
            strong => format!("\\fB{}\\fR", breakable(strong.text())),
        })
        .collect()
}

/// A word that is longer than a line may be broken at its underscores, without a hyphen.
fn breakable(word: &str) -> String {
    let escaped = escaped(word);
    if word.len() > LINE { escaped.replace('_', "_\\:") } else { escaped }
}

/// Columns of a line of text on a terminal of 80.
const LINE: usize = 64;

/// A text in ASCII without special meaning in roff.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => escaped.push_str("\\(rs"),
            '-' => escaped.push_str("\\-"),
            '\'' => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            ascii if ascii.is_ascii() => escaped.push(ascii),
            other => escaped.push_str(&format!("\\[u{:04X}]", u32::from(other))),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::help::markdown::blocks;

    #[test]
    fn what_roff_would_obey_stands_for_itself() {
        let mut man = Man { text: String::new() };
        man.blocks(&blocks(".TH `a-\\b` — 'x'\n\n```\n.so /etc/passwd\n```\n"));
        let expected = ".PP\n\\&.TH \\fBa\\-\\(rsb\\fR \\[u2014] \\(aqx\\(aq\n\
                        .PP\n.RS 4\n.EX\n\\&.so /etc/passwd\n.EE\n.RE\n";
        assert_eq!(man.into_text(), expected);
    }
}
