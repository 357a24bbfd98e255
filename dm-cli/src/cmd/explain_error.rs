//! `dm explain-error`: the entry of an error code, or what a server's error means to a task.

use std::process::ExitCode;

use dm_core::error::{Code, codes, server_error};

use crate::files::Failure;
use crate::out;

pub fn run(wanted: &str) -> Result<ExitCode, Failure> {
    match find(wanted).map(entry).or_else(|| server_entry(wanted)) {
        Some(text) => out::say(&text),
        None => Err(Failure::Usage(format!(
            "{wanted:?} is no error code: give the number behind `code=` (36067), its name \
             (ddl-parse), or the number of a server's error (1062). Codes of a cluster, which one host \
             does not have, are not in the table"
        ))),
    }
}

/// A code by number or name, also as it is copied out of a message.
fn find(wanted: &str) -> Option<&'static Code> {
    let wanted = wanted.trim_matches(|c: char| !c.is_alphanumeric());
    let wanted = wanted.strip_prefix("code=").unwrap_or(wanted);
    let all = codes::all();
    match wanted.parse::<u32>() {
        Ok(number) => all.into_iter().find(|c| c.number == number),
        Err(_) => all.into_iter().find(|c| c.name.eq_ignore_ascii_case(wanted)),
    }
}

fn entry(code: &Code) -> String {
    let mut text = format!(
        "{} {}\nclass {}, scope {}, level {}\n\n{}",
        code.number, code.name, code.class, code.scope, code.level, code.meaning
    );
    if code.needs_person() {
        text.push_str(STAYS);
    }
    push_advice(&mut text, code.workaround);
    text
}

const STAYS: &str =
    "\n\nA task in the background waits for a person: it does not try again by itself.";

fn push_advice(text: &mut String, advice: &str) {
    if !advice.is_empty() {
        text.push_str("\n\nWhat to do: ");
        text.push_str(advice);
    }
}

/// A server's error by its number. MySQL, MariaDB and TiDB have theirs between 1000 and 10000.
fn server_entry(wanted: &str) -> Option<String> {
    let wanted = wanted.trim_matches(|c: char| !c.is_ascii_digit());
    let number = wanted.parse::<u16>().ok().filter(|n| (1000..10_000).contains(n))?;
    let known = server_error(number);
    let mut text = format!("{number}, an error of a database server");
    let meaning = known.map_or("", |known| known.meaning);
    match meaning.is_empty() {
        true => text.push_str("\n\nWhat it is, its text in the message says (RawCause)."),
        false => text.push_str(&format!("\n\nHere: {meaning}.")),
    }
    match known {
        Some(known) if known.transient => text.push_str("\n\nIt passes: it is tried again."),
        Some(known) if known.needs_person => text.push_str(STAYS),
        _ => text.push_str(
            "\n\nA task in the background tries again by itself, less and less often; one in the foreground ends.",
        ),
    }
    push_advice(&mut text, known.map_or("", |known| known.workaround));
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_number_and_name() {
        for code in codes::all() {
            assert_eq!(find(&code.number.to_string()), Some(code));
            assert_eq!(find(code.name), Some(code));
            assert!(entry(code).contains(code.meaning));
        }
        assert_eq!(find("[code=10001").map(|c| c.number), Some(10001));
        assert_eq!(find("1"), None);
    }

    #[test]
    fn errors_of_servers_are_told_by_what_becomes_of_the_task() {
        for (number, word) in
            [("1062", "waits for a person"), ("1213", "passes"), ("1060", "less often")]
        {
            assert_eq!(find(number), None);
            let text = server_entry(number);
            assert!(text.as_ref().is_some_and(|text| text.contains(word)), "{text:?}");
        }
        assert_eq!(server_entry("999"), None);
    }
}
