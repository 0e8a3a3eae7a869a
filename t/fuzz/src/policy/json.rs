//! The JSON of a document of YAML.

use saphyr_parser::{Event, Parser, ScalarStyle};

/// What YAML 1.2 takes for another value than a text, or a policy for a merge.
const OTHERS: [&str; 8] = ["~", "Null", "NULL", "True", "TRUE", "False", "FALSE", "<<"];

/// Writes the one document of a text of YAML as JSON; none if JSON has no such document.
pub(super) fn of_yaml(text: &str) -> Option<String> {
    let mut json = String::new();
    // Of each open list or map: whether it is a map, and how many values it has.
    let mut open: Vec<(bool, usize)> = Vec::new();
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, _) = event.ok()?;
        let is_end = matches!(event, Event::SequenceEnd | Event::MappingEnd);
        let is_value =
            matches!(event, Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..));
        if let (true, Some((is_map, count))) = (is_value, open.last_mut()) {
            let sign = match (*is_map, *count) {
                (_, 0) => "",
                (true, odd) if odd % 2 == 1 => ":",
                _ => ",",
            };
            json.push_str(sign);
            *count += 1;
            let is_name = *is_map && *count % 2 == 1;
            if is_name && !matches!(event, Event::Scalar(..)) {
                return None;
            }
        }
        match &event {
            Event::Scalar(word, style, anchor, tag) if *anchor == 0 && tag.is_none() => {
                let is_name = open.last().is_some_and(|(is_map, count)| *is_map && count % 2 == 1);
                let is_plain = *style == ScalarStyle::Plain;
                if is_plain && OTHERS.contains(&&**word) {
                    return None;
                }
                let is_word = ["true", "false", "null"].contains(&&**word) || is_whole(word);
                match (is_plain && is_word, is_name) {
                    (true, false) => json.push_str(word),
                    (true, true) if !is_whole(word) => return None,
                    _ => json.push_str(&serde_json::to_string(&**word).expect("a text")),
                }
            }
            Event::SequenceStart(0, None) => {
                open.push((false, 0));
                json.push('[');
            }
            Event::MappingStart(0, None) => {
                open.push((true, 0));
                json.push('{');
            }
            Event::SequenceEnd => json.push(']'),
            Event::MappingEnd => json.push('}'),
            Event::DocumentStart(_) => documents += 1,
            Event::DocumentEnd | Event::StreamStart | Event::StreamEnd | Event::Nothing => {}
            _ => return None,
        }
        if is_end {
            open.pop();
        }
        json.push(if matches!(event, Event::MappingStart(..)) { ' ' } else { '\n' });
    }
    (documents == 1 && json.trim_start().starts_with('{')).then_some(json)
}

/// Whether a word is a number of JSON that is written as it is read.
fn is_whole(word: &str) -> bool {
    word.parse::<u64>().is_ok_and(|number| number.to_string() == word)
}
