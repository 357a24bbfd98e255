//! `dm explain-error`: the entry of an error code.

use std::process::ExitCode;

use dm_core::error::{Code, codes};

use crate::files::Failure;
use crate::out;

pub fn run(wanted: &str) -> Result<ExitCode, Failure> {
    match find(wanted) {
        Some(code) => out::say(&entry(code)),
        None => Err(Failure::Usage(format!(
            "{wanted:?} is no error code: give the number behind `code=` (36067), or its name \
             (ddl-parse). Codes of a cluster, which one host does not have, are not in the table"
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
    if !code.workaround.is_empty() {
        text.push_str("\n\nWhat to do: ");
        text.push_str(code.workaround);
    }
    text
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
}
