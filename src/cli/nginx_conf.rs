//! The words of an Nginx configuration, by Nginx's own lexical rules.

/// The end of a directive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// `;`
    Semicolon,
    /// `{`: a block follows.
    Block,
}

/// The next thing in a configuration.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Item {
    /// A directive: its words, its line, and its end.
    Directive(Vec<Vec<u8>>, usize, End),
    /// `}`
    BlockEnd,
    /// The end of the file.
    FileEnd,
}

/// Why a text is no configuration, and in which line.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct LexError {
    pub(crate) line: usize,
    pub(crate) problem: &'static str,
}

/// Reads directives one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Lexer<'t> {
    rest: &'t [u8],
    line: usize,
}

impl<'t> Lexer<'t> {
    pub(crate) const fn new(text: &'t [u8]) -> Self {
        Self { rest: text, line: 1 }
    }

    /// The line that is being read.
    pub(crate) const fn line(&self) -> usize {
        self.line
    }

    /// The next directive, or the token that ends the block.
    ///
    /// # Errors
    /// The faults that Nginx would refuse, in its words.
    pub(crate) fn next_item(&mut self) -> Result<Item, LexError> {
        let mut words = Vec::new();
        let mut line = self.line;
        loop {
            self.skip_blanks();
            if words.is_empty() {
                line = self.line;
            }
            match (self.peek(), words.is_empty()) {
                (None, true) => return Ok(Item::FileEnd),
                (None, false) => {
                    return Err(self.error("unexpected end of file, expecting \";\" or \"}\""));
                }
                (Some(b';'), false) => {
                    self.bump();
                    return Ok(Item::Directive(words, line, End::Semicolon));
                }
                (Some(b'{'), false) => {
                    self.bump();
                    return Ok(Item::Directive(words, line, End::Block));
                }
                (Some(b'}'), true) => {
                    self.bump();
                    return Ok(Item::BlockEnd);
                }
                (Some(b';'), true) => return Err(self.error("unexpected \";\"")),
                (Some(b'{'), true) => return Err(self.error("unexpected \"{\"")),
                (Some(b'}'), false) => return Err(self.error("unexpected \"}\"")),
                (Some(quote @ (b'"' | b'\'')), _) => words.push(self.quoted(quote)?),
                (Some(_), _) => words.push(self.bare()?),
            }
        }
    }

    fn error(&self, problem: &'static str) -> LexError {
        LexError { line: self.line, problem }
    }

    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn bump(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        if *first == b'\n' {
            self.line = self.line.saturating_add(1);
        }
        Some(*first)
    }

    /// Blanks, and comments, which begin where a word could.
    fn skip_blanks(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => drop(self.bump()),
                b'#' => while self.bump().is_some_and(|byte| byte != b'\n') {},
                _ => return,
            }
        }
    }

    fn quoted(&mut self, quote: u8) -> Result<Vec<u8>, LexError> {
        self.bump();
        let mut word = Vec::new();
        loop {
            match self.bump() {
                None => return Err(self.error("unexpected end of file, expecting a quote")),
                Some(b'\\') => self.escaped(&mut word),
                Some(byte) if byte == quote => break,
                Some(byte) => word.push(byte),
            }
        }
        match self.peek() {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{') => Ok(word),
            // As in `if ($a = "b")`.
            Some(b')') => {
                let rest = self.bare()?;
                word.extend(rest);
                Ok(word)
            }
            Some(_) => Err(self.error("unexpected character behind a quote")),
        }
    }

    fn bare(&mut self) -> Result<Vec<u8>, LexError> {
        let mut word = Vec::new();
        let mut was_dollar = false;
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' => break,
                b'{' if !was_dollar => break,
                b'\\' => {
                    self.bump();
                    self.escaped(&mut word);
                }
                byte => {
                    self.bump();
                    word.push(byte);
                }
            }
            was_dollar = byte == b'$';
        }
        Ok(word)
    }

    /// The character behind a backslash: quotes and backslashes stand for themselves, some letters for
    /// white space, and anything else keeps the backslash.
    fn escaped(&mut self, word: &mut Vec<u8>) {
        match self.bump() {
            Some(byte @ (b'"' | b'\'' | b'\\')) => word.push(byte),
            Some(b't') => word.push(b'\t'),
            Some(b'r') => word.push(b'\r'),
            Some(b'n') => word.push(b'\n'),
            Some(byte) => word.extend([b'\\', byte]),
            None => word.push(b'\\'),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> Result<Vec<String>, LexError> {
        let mut lexer = Lexer::new(text.as_bytes());
        let mut shown = Vec::new();
        loop {
            match lexer.next_item()? {
                Item::FileEnd => return Ok(shown),
                Item::BlockEnd => shown.push("}".to_owned()),
                Item::Directive(words, line, end) => {
                    let words: Vec<_> =
                        words.iter().map(|word| String::from_utf8_lossy(word)).collect();
                    let end = if end == End::Block { "{" } else { ";" };
                    shown.push(format!("{line}: {}{end}", words.join("|")));
                }
            }
        }
    }

    #[test]
    fn words_are_split_as_nginx_does() {
        for (text, expected) in [
            ("", &[][..]),
            (" \n\t# only; a { comment }\n", &[]),
            ("a;", &["1: a;"]),
            ("a b  c\n d;", &["1: a|b|c|d;"]),
            ("\n\na\nb;", &["3: a|b;"]),
            ("a{b;}", &["1: a{", "1: b;", "}"]),
            ("a b# c;", &["1: a|b#|c;"]),
            ("a \"b c\" 'd;{}' \"\";", &["1: a|b c|d;{}|;"]),
            (r#"a "b\"c" 'd\'e' f\ g\;h;"#, &[r#"1: a|b"c|d'e|f\ g\;h;"#]),
            (r"a b\tc\nd\\e\.f;", &["1: a|b\tc\nd\\e\\.f;"]),
            ("a ${b}c;", &["1: a|${b}c;"]),
            ("a b}c;", &["1: a|b}c;"]),
            ("if ($a = \"b\") { }", &["1: if|($a|=|b){", "}"]),
            ("a \"b\nc\" d;\ne;", &["1: a|b\nc|d;", "3: e;"]),
        ] {
            assert_eq!(all(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_nginx_refuses_is_refused_with_its_line() {
        for (text, line, problem) in [
            ("a;\n;", 2, "unexpected \";\""),
            ("{", 1, "unexpected \"{\""),
            ("a }", 1, "unexpected \"}\""),
            ("a", 1, "unexpected end of file, expecting \";\" or \"}\""),
            ("a \"b", 1, "unexpected end of file, expecting a quote"),
            ("a \"b\"c;", 1, "unexpected character behind a quote"),
        ] {
            assert_eq!(all(text), Err(LexError { line, problem }), "{text}");
        }
    }

    /// A word, quoted so that it may hold anything.
    fn written(word: &str) -> String {
        let escaped = word.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\"")
    }

    proptest! {
        #[test]
        fn words_in_quotes_are_read_as_they_were_written(
            lines in prop::collection::vec(prop::collection::vec(any::<String>(), 1..4), 0..4),
        ) {
            let text: String = lines
                .iter()
                .map(|words| words.iter().map(|it| written(it)).collect::<Vec<_>>().join(" ") + ";\n")
                .collect();
            let mut lexer = Lexer::new(text.as_bytes());
            for words in &lines {
                let Item::Directive(found, _, End::Semicolon) = lexer.next_item().unwrap() else {
                    panic!("no directive in {text}");
                };
                let words: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
                prop_assert_eq!(found, words);
            }
            prop_assert_eq!(lexer.next_item().unwrap(), Item::FileEnd);
        }

        #[test]
        fn any_text_comes_to_an_end(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut lexer = Lexer::new(&text);
            let lines = text.iter().filter(|byte| **byte == b'\n').count().saturating_add(1);
            // An item has a byte at least.
            for _ in 0..=text.len() {
                prop_assert!(lexer.line() <= lines);
                match lexer.next_item() {
                    Ok(Item::FileEnd) => return Ok(()),
                    Ok(_) => {}
                    Err(error) => {
                        prop_assert!((1..=lines).contains(&error.line));
                        return Ok(());
                    }
                }
            }
            prop_assert!(false, "it never ends");
        }
    }
}
