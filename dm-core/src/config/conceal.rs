//! Files that are kept: readable passwords are replaced by encrypted ones, all else stays as typed.
//!
//! Guarantee: no value of a key `password` stays readable, and the file means what it meant before.
//! Obstacle: YAML has many ways to write a scalar, and comments and order are the user's own.
//! Method: the value's place is known from reading; what stands there is replaced, and the result is
//! read again and compared. A spelling that is not understood here is refused, not kept.

use super::crypt::{MARKER, SecretKey, encrypt, reveal};
use super::yaml::{self, Data, Node};
use crate::error::{Error, Result, codes};

/// A password and where it stands, as line and column from 1.
struct Found {
    line: usize,
    column: usize,
    text: String,
}

/// The text of a task or source file with every readable `password` encrypted under a key.
///
/// What is encrypted already, an empty value and one with a `${NAME}` stay as they are typed.
///
/// # Errors
///
/// 20010 when a password is written in a way that cannot be replaced (over several lines), or the
/// text is no YAML.
pub fn conceal(text: &str, key: &SecretKey) -> Result<String> {
    let mut found = Vec::new();
    passwords(&read(text)?, &mut found);
    found.retain(|f| is_readable(&f.text, key));
    found.sort_by_key(|f| (f.line, f.column));
    let mut result = text.to_owned();
    // From the end, so that the places before it stay where they are.
    for password in found.iter().rev() {
        let at = offset(&result, password.line, password.column).ok_or_else(refuse)?;
        let rest = result.get(at..).ok_or_else(refuse)?;
        let length = extent(rest, &password.text).ok_or_else(refuse)?;
        let hidden = format!("\"{}\"", encrypt(&password.text, key));
        result.replace_range(at..at + length, &hidden);
    }
    let mut after = Vec::new();
    passwords(&read(&result)?, &mut after);
    let same = |a: &Found, b: &Found| match (reveal(&a.text, key), reveal(&b.text, key)) {
        (Ok(a), Ok(b)) => a.expose() == b.expose(),
        _ => a.text == b.text,
    };
    let mut before = Vec::new();
    passwords(&read(text)?, &mut before);
    let whole = before.len() == after.len() && before.iter().zip(&after).all(|(a, b)| same(a, b));
    if whole && !after.iter().any(|f| is_readable(&f.text, key)) {
        Ok(result)
    } else {
        Err(refuse())
    }
}

fn refuse() -> Error {
    Error::new(
        &codes::CONFIG_PASSWORD,
        "a `password` is written in a way that cannot be encrypted in place",
    )
    .workaround("Write it on one line, or encrypt it with `dm encrypt`.")
}

fn read(text: &str) -> Result<Node> {
    let parsed = yaml::parse(text).map_err(|_| refuse())?;
    Ok(parsed.root)
}

fn is_readable(text: &str, key: &SecretKey) -> bool {
    let typed = text.is_empty() || text.contains("${") || text.starts_with(MARKER);
    // An error means that it is encrypted under another key.
    !typed && reveal(text, key).is_ok_and(|plain| plain.expose() == text)
}

fn passwords(node: &Node, found: &mut Vec<Found>) {
    match &node.data {
        Data::Seq(items) => items.iter().for_each(|item| passwords(item, found)),
        Data::Map(entries) => {
            for entry in entries {
                match &entry.value.data {
                    Data::Scalar { text, .. } if entry.key == "password" => found.push(Found {
                        line: entry.value.at.line as usize,
                        column: entry.value.at.column as usize,
                        text: text.clone(),
                    }),
                    _ => passwords(&entry.value, found),
                }
            }
        }
        Data::Scalar { .. } | Data::Foreign => {}
    }
}

/// The byte of a line and column; columns count characters.
fn offset(text: &str, line: usize, column: usize) -> Option<usize> {
    let mut start = 0;
    for _ in 1..line {
        start += text.get(start..)?.find('\n')? + 1;
    }
    let rest = text.get(start..)?;
    let (at, _) = rest.char_indices().nth(column.checked_sub(1)?)?;
    Some(start + at)
}

/// How many bytes a scalar takes that begins here.
fn extent(text: &str, value: &str) -> Option<usize> {
    let quote = text.chars().next()?;
    if quote != '"' && quote != '\'' {
        // A plain scalar of one line stands as it reads.
        return text.starts_with(value).then_some(value.len());
    }
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\n' {
            return None;
        }
        if c == '\\' && quote == '"' {
            chars.next();
        } else if c == quote {
            if quote == '\'' && chars.next_if(|(_, c)| *c == '\'').is_some() {
                continue;
            }
            return Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SecretKey {
        SecretKey::built_in()
    }

    /// The passwords of a text, decrypted.
    fn plain(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        passwords(&read(text).unwrap(), &mut found);
        found.iter().map(|f| reveal(&f.text, &key()).unwrap().expose().to_owned()).collect()
    }

    #[test]
    fn readable_passwords_go_and_all_else_stays() {
        let text = "# the shop\nfrom:\n  host: h   # here\n  password: geheim # never\n\
                    list: [{password: \"a\\\"b, c\", user: u}, {password: 'it''s'}]\n\
                    other: geheim2\n";
        let hidden = conceal(text, &key()).unwrap();
        assert_eq!(plain(&hidden), ["geheim", "a\"b, c", "it's"]);
        for secret in ["password: geheim", "a\\\"b", "it''s"] {
            assert!(!hidden.contains(secret), "{hidden}");
        }
        for kept in ["# the shop\n", "host: h   # here", " # never\n", ", user: u}", "geheim2"] {
            assert!(hidden.contains(kept), "{hidden}");
        }
    }

    #[test]
    fn what_hides_already_stays_as_typed() {
        for typed in ["/Q7B9DizNLLTTfiZHv9WoEAKamfpIUs=", "${SECRET}", "\"\"", "enc:x"] {
            let text = format!("from:\n  password: {typed}\n  port: 1\n");
            assert_eq!(conceal(&text, &key()).unwrap(), text);
        }
        let text = "from:\n  password:\n";
        assert_eq!(conceal(text, &key()).unwrap(), text);
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "password: |\n  two\n  lines\n",
            "password: one\n  and two\n",
            "password: \"one\n  and two\"\n",
            "a: [",
        ] {
            assert_eq!(conceal(text, &key()).unwrap_err().code().number, 20010, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn quoted_passwords_come_back(password in "[^\\p{Cc}\\p{Z}\u{2028}]{1,30}") {
            let text = format!(
                "a: {{x: é, password: {}}}\nb: 1\n", serde_json::Value::from(password.as_str())
            );
            if !password.contains("${") && !password.starts_with(MARKER) {
                let hidden = conceal(&text, &key()).unwrap();
                proptest::prop_assert_eq!(plain(&hidden), [password]);
            }
        }
    }
}
