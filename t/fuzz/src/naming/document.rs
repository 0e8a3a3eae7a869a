//! Bodies with what a row looks at, and with what an attacker adds.

use super::sent::NAMES;
use crate::dice::Dice;

/// A document that is being made: members of one name may be there twice.
enum Made {
    Text(String),
    List(Vec<Made>),
    Members(Vec<(String, Made)>),
}

/// Writes a body with values for some pointers.
pub(super) fn write(pointers: &[&str], is_form: bool, dice: &mut Dice<'_>) -> String {
    if is_form {
        let tops = pointers.iter().filter_map(|pointer| pointer.split('/').nth(1));
        let pairs = tops.filter(|_| !dice.once_in(3)).collect::<Vec<_>>().into_iter().map(|name| {
            let name = if dice.once_in(8) { spelt(name, dice) } else { name.to_owned() };
            format!("{name}={}", dice.pick(&NAMES))
        });
        return pairs.collect::<Vec<_>>().join("&");
    }
    let mut made = Made::Members(Vec::new());
    for pointer in pointers {
        let steps: Vec<&str> = pointer.split('/').skip(1).collect();
        let times = if pointers.len() > 4 { usize::from(dice.once_in(4)) } else { 1 };
        for _ in 0..times + usize::from(dice.once_in(8)) {
            add(&mut made, &steps, dice);
        }
    }
    if dice.once_in(8)
        && let Made::Members(members) = &mut made
    {
        members.push((dice.pick(&["x", "cause", "Cause", "job_id"]).into(), value(dice)));
    }
    let mut text = String::new();
    show(&made, &mut text);
    text
}

/// A name as another client might spell it.
pub(super) fn spelt(name: &str, dice: &mut Dice<'_>) -> String {
    match dice.below(6) {
        0 => name.to_uppercase(),
        1 => name.replace('_', ""),
        2 => name.replace('_', "-"),
        3 => name.replace('s', "\u{17f}"),
        4 => name.replace('k', "\u{212a}"),
        _ => name.to_owned(),
    }
}

fn add(made: &mut Made, steps: &[&str], dice: &mut Dice<'_>) {
    let Some((step, rest)) = steps.split_first() else {
        *made = value(dice);
        return;
    };
    if *step == "*" {
        if !matches!(made, Made::List(_)) {
            *made = Made::List(Vec::new());
        }
        let Made::List(items) = made else { return };
        let mut item = match items.pop_if(|_| rest.first().is_some_and(|it| *it != "*")) {
            Some(item) => item,
            None => Made::Members(Vec::new()),
        };
        add(&mut item, rest, dice);
        items.push(item);
        return;
    }
    if !matches!(made, Made::Members(_)) {
        *made = Made::Members(Vec::new());
    }
    let Made::Members(members) = made else { return };
    let is_new = dice.once_in(10);
    let known = members.iter().position(|(name, _)| name == step).filter(|_| !is_new);
    let at = known.unwrap_or(members.len());
    if known.is_none() {
        let name = if dice.once_in(10) { spelt(step, dice) } else { (*step).to_owned() };
        members.push((name, Made::Members(Vec::new())));
    }
    add(&mut members[at].1, rest, dice);
}

fn value(dice: &mut Dice<'_>) -> Made {
    match dice.below(12) {
        0 => Made::Text("null".into()),
        1 => Made::Text(
            dice.pick(&["42", "1.0", "4.2e1", "-0", "true", "18446744073709551616"]).into(),
        ),
        2 => Made::List(vec![Made::Text("1".into())]),
        3 => Made::Members(Vec::new()),
        _ => Made::Text(format!("{:?}", dice.pick(&NAMES)).replace("\\u{", "\\u")),
    }
}

fn show(made: &Made, text: &mut String) {
    match made {
        Made::Text(it) => text.push_str(it),
        Made::List(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at > 0 { "," } else { "" });
                show(item, text);
            }
            text.push(']');
        }
        Made::Members(members) => {
            text.push('{');
            for (at, (name, value)) in members.iter().enumerate() {
                text.push_str(if at > 0 { "," } else { "" });
                text.push_str(&format!("\"{name}\":"));
                show(value, text);
            }
            text.push('}');
        }
    }
}
