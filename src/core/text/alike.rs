//! Names that a server may take for one.

/// What tells a name from others to a server that does not tell case, `_` and `-`.
pub(crate) fn letters(text: &str) -> impl Iterator<Item = char> {
    let letters = text.chars().filter(|letter| !matches!(letter, '_' | '-'));
    letters.map(|letter| match letter {
        // The letters beyond ASCII that have an ASCII letter as another case: i without a dot and
        // with one, the sign of Kelvin, the long s.
        '\u{131}' | '\u{130}' => 'i',
        '\u{212a}' => 'k',
        '\u{17f}' => 's',
        letter => letter.to_ascii_lowercase(),
    })
}

/// Whether two names are one to such a server.
pub(crate) fn is_alike(one: &str, other: &str) -> bool {
    letters(one).eq(letters(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_the_marks_between_words_do_not_tell_names_apart() {
        for other in ["job_id", "jobId", "JOB-ID", "jobid", "job_\u{131}d", "JOB\u{130}D"] {
            assert!(is_alike("job_id", other) && is_alike(other, "job_id"), "{other}");
        }
        assert!(is_alike("tasks", "ta\u{17f}\u{212a}s"));
        for other in ["job_ids", "job", "", "job.id", "job id"] {
            assert!(!is_alike("job_id", other), "{other}");
        }
    }
}
