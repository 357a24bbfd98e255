//! Functions on text.

use std::borrow::Cow;

use super::{ANY, Args, Function, lenient, strict};
use crate::expression::collation::Collation;
use crate::expression::error::EvalError;
use crate::expression::eval::regex_for;
use crate::expression::value::{Num, Text, Val};

type Result = std::result::Result<Val<'static>, EvalError>;

pub(super) const FUNCTIONS: &[Function] = &[
    strict("LENGTH", 1, 1, length),
    strict("OCTET_LENGTH", 1, 1, length),
    strict("BIT_LENGTH", 1, 1, |a| Ok(Val::Int(8 * byte_count(a)))),
    strict("CHAR_LENGTH", 1, 1, char_length),
    strict("CHARACTER_LENGTH", 1, 1, char_length),
    strict("LOWER", 1, 1, lower),
    strict("LCASE", 1, 1, lower),
    strict("UPPER", 1, 1, upper),
    strict("UCASE", 1, 1, upper),
    strict("CONCAT", 1, ANY, concat),
    lenient("CONCAT_WS", 2, ANY, concat_ws),
    strict("SUBSTRING", 2, 3, substring),
    strict("LEFT", 2, 2, left),
    strict("RIGHT", 2, 2, right),
    strict("TRIM", 3, 3, trim),
    strict("LTRIM", 1, 1, |a| Ok(like(a, 0, a.str(0).trim_start_matches(' ')))),
    strict("RTRIM", 1, 1, |a| Ok(like(a, 0, a.str(0).trim_end_matches(' ')))),
    strict("REPLACE", 3, 3, replace),
    strict("LOCATE", 2, 3, |a| Ok(Val::Int(locate(&a.text(0), &a.text(1), a.int_or(2, 1))))),
    strict("INSTR", 2, 2, |a| Ok(Val::Int(locate(&a.text(1), &a.text(0), 1)))),
    strict("STRCMP", 2, 2, strcmp),
    strict("REVERSE", 1, 1, |a| Ok(like(a, 0, a.str(0).chars().rev().collect::<String>()))),
    strict("REPEAT", 2, 2, repeat),
    strict("SPACE", 1, 1, |a| sized(a.int(0)).map(|n| Val::text(" ".repeat(n)))),
    strict("LPAD", 3, 3, |a| pad(a, true)),
    strict("RPAD", 3, 3, |a| pad(a, false)),
    strict("ASCII", 1, 1, |a| Ok(Val::Int(first_byte(a)))),
    strict("ORD", 1, 1, ord),
    strict("FIND_IN_SET", 2, 2, find_in_set),
    lenient("FIELD", 2, ANY, field),
    lenient("ELT", 2, ANY, elt),
    strict("HEX", 1, 1, hex),
    strict("UNHEX", 1, 1, unhex),
    strict("BIN", 1, 1, |a| Ok(Val::text(format!("{:b}", a.int(0))))),
    strict("OCT", 1, 1, |a| Ok(Val::text(format!("{:o}", a.int(0))))),
    strict("SUBSTRING_INDEX", 3, 3, substring_index),
    strict("REGEXP_LIKE", 2, 3, regexp_like),
    strict("CRC32", 1, 1, |a| Ok(Val::UInt(u64::from(crc32(&bytes(a, 0)))))),
];

/// The longest text that a function makes: the server's default `max_allowed_packet`.
const LONGEST: usize = 64 << 20;

fn sized(count: i64) -> std::result::Result<usize, EvalError> {
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    if count > LONGEST { Err(EvalError::OutOfRange("a text function".into())) } else { Ok(count) }
}

/// Text with the collation and claim of an argument.
fn like<'t>(args: &Args<'_>, index: usize, text: impl Into<Cow<'t, str>>) -> Val<'static> {
    let model = args.text(index);
    Val::Text(Text {
        text: Cow::Owned(text.into().into_owned()),
        collation: model.collation,
        claim: model.claim,
        ordinal: None,
    })
}

fn bytes<'a>(args: &'a Args<'_>, index: usize) -> Cow<'a, [u8]> {
    args.get(index).to_bytes().unwrap_or_default()
}

fn byte_count(args: &Args<'_>) -> i64 {
    i64::try_from(bytes(args, 0).len()).unwrap_or(i64::MAX)
}

fn length(args: &Args<'_>) -> Result {
    Ok(Val::Int(byte_count(args)))
}

fn char_length(args: &Args<'_>) -> Result {
    Ok(Val::Int(match args.get(0) {
        Val::Bytes(_) | Val::Hex(_) => byte_count(args),
        _ => count(args.str(0).chars().count()),
    }))
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Case does not exist in binary strings.
fn recased(args: &Args<'_>, change: impl Fn(&str) -> String) -> Result {
    Ok(match args.get(0) {
        Val::Bytes(b) => Val::Bytes(Cow::Owned(b.to_vec())),
        _ => like(args, 0, change(&args.str(0))),
    })
}

fn lower(args: &Args<'_>) -> Result {
    recased(args, str::to_lowercase)
}

fn upper(args: &Args<'_>) -> Result {
    recased(args, str::to_uppercase)
}

/// The arguments joined, under the collation with the best claim.
fn join(args: &Args<'_>, from: usize, between: &str) -> Val<'static> {
    let mut joined = String::new();
    let mut model = Text::literal("");
    let mut first = true;
    for value in args.values.iter().skip(from) {
        let Some(text) = value.as_text() else { continue };
        if !first {
            joined.push_str(between);
        }
        first = false;
        joined.push_str(&text.text);
        let (collation, claim) = model.common(&text);
        model = Text { collation, claim, ..model };
    }
    Val::Text(Text {
        text: Cow::Owned(joined),
        collation: model.collation,
        claim: model.claim,
        ordinal: None,
    })
}

fn concat(args: &Args<'_>) -> Result {
    if args.values.iter().any(|v| matches!(v, Val::Bytes(_))) {
        let all = args.values.iter().filter_map(Val::to_bytes);
        return Ok(Val::Bytes(Cow::Owned(all.flat_map(Cow::into_owned).collect())));
    }
    Ok(join(args, 0, ""))
}

fn concat_ws(args: &Args<'_>) -> Result {
    Ok(if args.is_null(0) { Val::Null } else { join(args, 1, &args.str(0)) })
}

fn substring(args: &Args<'_>) -> Result {
    if let Val::Bytes(b) = args.get(0) {
        let part = window(b, args.int(1), args.int_or(2, i64::MAX));
        return Ok(Val::Bytes(Cow::Owned(part.to_vec())));
    }
    let chars: Vec<char> = args.str(0).chars().collect();
    let part = window(&chars, args.int(1), args.int_or(2, i64::MAX));
    Ok(like(args, 0, part.iter().collect::<String>()))
}

/// The items from a place counted from 1, or from the end when negative.
fn window<T>(items: &[T], from: i64, length: i64) -> &[T] {
    let size = count(items.len());
    let start = match from {
        0 => return &[],
        n if n > 0 => n - 1,
        n => size.saturating_add(n),
    };
    if start < 0 || start >= size || length <= 0 {
        return &[];
    }
    let end = start.saturating_add(length).min(size);
    let range = usize::try_from(start).unwrap_or(0)..usize::try_from(end).unwrap_or(0);
    items.get(range).unwrap_or_default()
}

fn left(args: &Args<'_>) -> Result {
    let wanted = usize::try_from(args.int(1).max(0)).unwrap_or(usize::MAX);
    Ok(like(args, 0, args.str(0).chars().take(wanted).collect::<String>()))
}

fn right(args: &Args<'_>) -> Result {
    let text = args.str(0);
    let wanted = usize::try_from(args.int(1).max(0)).unwrap_or(usize::MAX);
    let skip = text.chars().count().saturating_sub(wanted);
    Ok(like(args, 0, text.chars().skip(skip).collect::<String>()))
}

fn trim(args: &Args<'_>) -> Result {
    let (text, what, side) = (args.str(0), args.str(1), args.str(2));
    let mut rest: &str = &text;
    if what.is_empty() {
        return Ok(like(args, 0, rest));
    }
    if side != "TRAILING" {
        rest = rest.trim_start_matches(&*what);
    }
    if side != "LEADING" {
        rest = rest.trim_end_matches(&*what);
    }
    Ok(like(args, 0, rest))
}

fn replace(args: &Args<'_>) -> Result {
    let (text, from, to) = (args.str(0), args.str(1), args.str(2));
    if from.is_empty() {
        return Ok(like(args, 0, text));
    }
    let found = text.matches(&*from).count();
    sized(count(text.len()).saturating_add(count(found).saturating_mul(count(to.len()))))?;
    Ok(like(args, 0, text.replace(&*from, &to)))
}

/// Where the needle stands, counted in characters from 1; 0 for nowhere.
fn locate(needle: &Text<'_>, text: &Text<'_>, from: i64) -> i64 {
    let collation = needle.common(text).0;
    let Some(skip) = from.checked_sub(1).and_then(|n| usize::try_from(n).ok()) else { return 0 };
    let needle: Vec<char> = needle.text.chars().collect();
    let text: Vec<char> = text.text.chars().collect();
    let Some(rest) = text.get(skip..) else { return 0 };
    let same =
        |window: &[char]| window.iter().zip(&needle).all(|(a, b)| collation.same_char(*a, *b));
    let found = match needle.len() {
        0 => Some(0),
        length => rest.windows(length).position(same),
    };
    found.map_or(0, |i| count(skip + i + 1))
}

fn strcmp(args: &Args<'_>) -> Result {
    let (a, b) = (args.text(0), args.text(1));
    Ok(Val::Int(a.common(&b).0.compare(&a.text, &b.text) as i64))
}

fn repeat(args: &Args<'_>) -> Result {
    let text = args.str(0);
    let times = args.int(1).max(0);
    sized(count(text.len()).saturating_mul(times))?;
    Ok(like(args, 0, text.repeat(usize::try_from(times).unwrap_or(0))))
}

fn pad(args: &Args<'_>, on_the_left: bool) -> Result {
    if args.int(1) < 0 {
        return Ok(Val::Null);
    }
    let (text, length, with) = (args.str(0), sized(args.int(1))?, args.str(2));
    let own = text.chars().count();
    if length <= own {
        return Ok(like(args, 0, text.chars().take(length).collect::<String>()));
    }
    if with.is_empty() {
        return Ok(like(args, 0, ""));
    }
    let filling: String = with.chars().cycle().take(length - own).collect();
    let padded = if on_the_left { format!("{filling}{text}") } else { format!("{text}{filling}") };
    Ok(like(args, 0, padded))
}

fn first_byte(args: &Args<'_>) -> i64 {
    bytes(args, 0).first().map_or(0, |b| i64::from(*b))
}

/// The bytes of the first character, as one number.
fn ord(args: &Args<'_>) -> Result {
    let text = args.str(0);
    let mut buffer = [0; 4];
    let first = text.chars().next().map_or(&[][..], |c| c.encode_utf8(&mut buffer).as_bytes());
    Ok(Val::Int(first.iter().fold(0, |n, b| n << 8 | i64::from(*b))))
}

fn find_in_set(args: &Args<'_>) -> Result {
    let (wanted, set) = (args.text(0), args.text(1));
    if set.text.is_empty() || wanted.text.contains(',') {
        return Ok(Val::Int(0));
    }
    let collation = wanted.common(&set).0;
    let place = set.text.split(',').position(|m| collation.key(m) == collation.key(&wanted.text));
    Ok(Val::Int(place.map_or(0, |i| count(i + 1))))
}

/// The place of the first argument among the others: as texts if all are, else as numbers.
fn field(args: &Args<'_>) -> Result {
    if args.is_null(0) {
        return Ok(Val::Int(0));
    }
    let all_text =
        args.values.iter().all(|v| matches!(v, Val::Text(_) | Val::Bytes(_) | Val::Null));
    let wanted = args.get(0);
    for (i, other) in args.values.iter().enumerate().skip(1) {
        let same = match (all_text, wanted.to_num(), other.to_num()) {
            (true, ..) => wanted.compare(other, args.zone)?,
            (false, Some(a), Some(b)) => a.compare(b),
            _ => None,
        };
        if same.is_some_and(std::cmp::Ordering::is_eq) {
            return Ok(Val::Int(count(i)));
        }
    }
    Ok(Val::Int(0))
}

fn elt(args: &Args<'_>) -> Result {
    let place = args.get(0).to_num().map_or(0, Num::to_i64);
    let index = usize::try_from(place).unwrap_or(0);
    Ok(if index == 0 { Val::Null } else { args.get(index).clone().into_owned() })
}

fn hex(args: &Args<'_>) -> Result {
    let digits = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02X}")).collect::<String>();
    Ok(Val::text(match args.get(0) {
        Val::Int(v) => format!("{v:X}"),
        Val::UInt(v) => format!("{v:X}"),
        Val::Dec(_) | Val::Real(_) => format!("{:X}", args.int(0)),
        _ => digits(&bytes(args, 0)),
    }))
}

fn unhex(args: &Args<'_>) -> Result {
    let text = args.str(0);
    let padded = if text.len() % 2 == 1 { format!("0{text}") } else { text.into_owned() };
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let mut bytes = Vec::with_capacity(padded.len() / 2);
    for pair in padded.as_bytes().chunks(2) {
        match pair {
            [high, low] => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => bytes.push(high << 4 | low),
                _ => return Ok(Val::Null),
            },
            _ => return Ok(Val::Null),
        }
    }
    Ok(Val::Bytes(Cow::Owned(bytes)))
}

fn substring_index(args: &Args<'_>) -> Result {
    let (text, mark, wanted) = (args.str(0), args.str(1), args.int(2));
    if mark.is_empty() || wanted == 0 {
        return Ok(like(args, 0, ""));
    }
    let nth = usize::try_from(wanted.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let part = if wanted > 0 {
        text.match_indices(&*mark)
            .nth(nth)
            .map_or(&*text, |(at, _)| text.get(..at).unwrap_or_default())
    } else {
        text.rmatch_indices(&*mark)
            .nth(nth)
            .map_or(&*text, |(at, _)| text.get(at + mark.len()..).unwrap_or_default())
    };
    Ok(like(args, 0, part))
}

fn regexp_like(args: &Args<'_>) -> Result {
    let (text, pattern) = (args.text(0), args.text(1));
    let flags = args.str(2);
    let sensitive = match flags.chars().rev().find(|c| matches!(c, 'c' | 'i')) {
        Some(flag) => flag == 'c',
        None => !text.common(&pattern).0.ignores_case(),
    };
    Ok(Val::from(regex_for(&pattern.text, sensitive)?.is_match(&text.text)))
}

/// The checksum that the server's CRC32() gives.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// True when a LIKE pattern matches a whole text.
///
/// `%` stands for any text, `_` for one character. The search keeps only the last `%` to come back
/// to, so it takes at most the product of both lengths.
pub(in crate::expression) fn like_match(
    text: &str,
    pattern: &str,
    escape: Option<char>,
    collation: Collation,
) -> bool {
    let mut text_at = text.chars();
    let mut pattern_at = pattern.chars();
    // Where to go on when what follows the last `%` does not fit: it swallows one more character.
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let mut next = pattern_at.clone();
        let fits = match next.next() {
            Some('%') if escape != Some('%') => {
                retry = Some((text_at.clone(), next.clone()));
                pattern_at = next;
                continue;
            }
            None => text_at.clone().next().is_none(),
            Some('_') if escape != Some('_') => text_at.next().is_some(),
            Some(c) => {
                // An escape at the very end stands for itself.
                let wanted = if Some(c) == escape { next.next().unwrap_or(c) } else { c };
                text_at.next().is_some_and(|t| collation.same_char(t, wanted))
            }
        };
        if fits {
            if pattern_at.as_str().is_empty() {
                return true;
            }
            pattern_at = next;
            continue;
        }
        let Some((mut rest, after)) = retry.take() else { return false };
        if rest.next().is_none() {
            return false;
        }
        text_at = rest.clone();
        pattern_at = after.clone();
        retry = Some((rest, after));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// LIKE as the manual defines it, by trying everything.
    fn naive(text: &[char], pattern: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('%', rest)) => (0..=text.len()).any(|i| naive(&text[i..], rest)),
            Some(('_', rest)) => !text.is_empty() && naive(&text[1..], rest),
            Some(('\\', [c, rest @ ..])) => text.first() == Some(c) && naive(&text[1..], rest),
            Some((c, rest)) => text.first() == Some(c) && naive(&text[1..], rest),
        }
    }

    proptest! {
        #[test]
        fn like_is_what_the_manual_says(text in r"[ab%_é\\]{0,7}", pattern in r"[ab%_é\\]{0,6}") {
            let chars = |s: &str| s.chars().collect::<Vec<_>>();
            let expected = naive(&chars(&text), &chars(&pattern));
            prop_assert_eq!(like_match(&text, &pattern, Some('\\'), Collation::BINARY), expected);
        }
    }

    #[test]
    fn many_wildcards_do_not_take_forever() {
        let text = "a".repeat(2000);
        let pattern = "%a".repeat(200) + "b";
        assert!(!like_match(&text, &pattern, None, Collation::BINARY));
    }

    #[test]
    fn crc32_is_the_common_one() {
        assert_eq!(crc32(b"MySQL"), 3_259_397_556);
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
