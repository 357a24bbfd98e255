use proptest::prelude::*;

use super::*;
use crate::sql::quote_ident;

fn texts(sql: &str, mode: SqlMode, comments: Comments) -> Vec<String> {
    let lexed = lex(sql, mode, comments);
    lexed.tokens.iter().map(|t| sql[t.span()].to_owned()).collect()
}

fn all(sql: &str) -> Vec<String> {
    texts(sql, SqlMode::default(), Comments::All)
}

fn kinds(sql: &str) -> Vec<TokenKind> {
    lex(sql, SqlMode::default(), Comments::All).tokens.iter().map(|t| t.kind).collect()
}

#[test]
fn quotes_follow_the_sql_mode() {
    assert_eq!(all(r#"'a''b' "c\"d" `e``f`"#), ["'a''b'", r#""c\"d""#, "`e``f`"]);
    let ansi = lex(r#""a""b""#, SqlMode::ANSI_QUOTES, Comments::All);
    assert_eq!(ansi.tokens[0].kind, TokenKind::QuotedIdent);
    assert_eq!(unquote_ident(r#""a""b""#), "a\"b");
    let plain = texts(r"'a\' b", SqlMode::NO_BACKSLASH_ESCAPES, Comments::All);
    assert_eq!(plain, [r"'a\'", "b"]);
    assert_eq!(kinds(r"'a\'"), [TokenKind::Invalid]);
}

#[test]
fn numbers_and_names_that_begin_with_digits() {
    use TokenKind::{Bit, Hex, Number, Punct, Word};
    assert_eq!(kinds("1 1.5 .5 1e3 1e+3 1.e2"), [Number; 6]);
    assert_eq!(kinds("1abc 1e 0xZZ 1e5a"), [Word; 4]);
    assert_eq!(kinds("0x1F x'1f' 0b01 b'01'"), [Hex, Hex, Bit, Bit]);
    assert_eq!(kinds("db.1t"), [Word, Punct(b'.'), Word]);
    assert_eq!(kinds("`db`.2"), [TokenKind::QuotedIdent, Punct(b'.'), Word]);
    assert_eq!(kinds("a.0x1"), [Word, Punct(b'.'), Word]);
}

#[test]
fn comments_are_trivia_or_code() {
    assert_eq!(all("a -- b\nc # d\ne /* f */ g --h"), ["a", "c", "e", "g", "-", "-", "h"]);
    assert_eq!(all("a /*!50100 b */ /*M!100301 c */ /*T![x,y] d */"), ["a", "b", "c", "d"]);
    let sql = "a /*!80023 b */ /*!50100 c */ /*M! d */ /*T! e */";
    let mode = SqlMode::default();
    assert_eq!(texts(sql, mode, Comments::MySql(80_022)), ["a", "c"]);
    assert_eq!(texts(sql, mode, Comments::MariaDb(101_100)), ["a", "c", "d"]);
    assert_eq!(texts(sql, mode, Comments::TiDb), ["a", "b", "c", "e"]);
    assert_eq!(texts("/*!99999 a /* b */ c */ d", mode, Comments::MySql(80_000)), ["d"]);
    assert_eq!(all("a /* never closed"), ["a"]);
}

#[test]
fn comments_within_comments() {
    let mode = SqlMode::default();
    let mysql = Comments::MySql(90_700);
    // One plain comment may stand in one that is left out, and ends at its first end.
    assert_eq!(texts("/*!99999 a /* b /* c */ d */ e", mode, mysql), ["e"]);
    // Marks of other servers begin a plain comment.
    assert_eq!(texts("/*M!999999 a /* b */ c /*T![x] d /* e */ f", mode, mysql), ["c", "f"]);
    assert_eq!(texts("/*T! a /* b */ c", mode, Comments::MariaDb(101_100)), ["c"]);
    assert!(lex("a /*!50000 b", mode, mysql).unclosed);
    assert!(!lex("a /*!50000 b */", mode, mysql).unclosed);
}

#[test]
fn dollars_quote_from_mysql_9_on() {
    let mode = SqlMode::default();
    let new = |sql| texts(sql, mode, Comments::MySql(90_000));
    assert_eq!(new("AS $$ it's `x $$ b"), ["AS", "$$ it's `x $$", "b"]);
    assert_eq!(new("$a$ \" $$ $b$ $a$;"), ["$a$ \" $$ $b$ $a$", ";"]);
    assert_eq!(new("a$b $c a$$"), ["a$b", "$c", "a$$"]);
    assert_eq!(unquote_string("$a$ $$ $a$", mode), " $$ ");
    let old = texts("$a$ 'x' $a$", mode, Comments::MariaDb(110_800));
    assert_eq!(old, ["$a$", "'x'", "$a$"]);
}

#[test]
fn tokens_know_their_region() {
    let sql = "DROP /*!40005 TEMPORARY */ TABLE t";
    let lexed = lex(sql, SqlMode::default(), Comments::All);
    assert_eq!(lexed.regions.len(), 1);
    assert_eq!(&sql[lexed.regions[0].span.clone()], "/*!40005 TEMPORARY */");
    let inside: Vec<_> = lexed.tokens.iter().map(|t| t.region.is_some()).collect();
    assert_eq!(inside, [false, true, false, false]);
}

#[test]
fn strings_have_values() {
    let mode = SqlMode::default();
    assert_eq!(unquote_string(r"'a\n\'''\\\%'", mode), "a\n''\\\\%");
    assert_eq!(unquote_string(r"'a\n'", SqlMode::NO_BACKSLASH_ESCAPES), "a\\n");
    assert_eq!(unquote_string("N'x'", mode), "x");
    assert_eq!(quote_string("a'b\\c\n"), r"'a''b\\c\n'");
}

fn modes() -> impl Strategy<Value = SqlMode> {
    (any::<bool>(), any::<bool>()).prop_map(|(ansi, plain)| {
        let mode = if ansi { SqlMode::ANSI_QUOTES } else { SqlMode::default() };
        if plain { mode.with(SqlMode::NO_BACKSLASH_ESCAPES) } else { mode }
    })
}

fn comment_rules() -> impl Strategy<Value = Comments> {
    prop_oneof![
        Just(Comments::All),
        Just(Comments::MySql(80_000)),
        Just(Comments::MariaDb(101_100)),
        Just(Comments::TiDb)
    ]
}

proptest! {
    /// Any text: tokens in order, within the text, at character borders, none empty.
    #[test]
    fn any_text_is_cut(sql in r#"([a-e0-9'"`\\*/!#\-\n .@é]|/\*!50100 |/\*M!|/\*T!\[a\]|\*/){0,60}"#,
                       mode in modes(), comments in comment_rules()) {
        let lexed = lex(&sql, mode, comments);
        let mut last = 0;
        for token in &lexed.tokens {
            prop_assert!(token.start >= last && token.end > token.start);
            prop_assert!(sql.get(token.span()).is_some());
            last = token.end;
        }
        for region in &lexed.regions {
            prop_assert!(sql.get(region.span.clone()).is_some());
        }
    }

    /// A string or name survives being written and read.
    #[test]
    fn quoting_round_trips(value in any::<String>()) {
        let text = quote_string(&value);
        let lexed = lex(&text, SqlMode::default(), Comments::All);
        prop_assert_eq!(lexed.tokens.len(), 1);
        prop_assert_eq!(lexed.tokens[0].kind, TokenKind::String);
        prop_assert_eq!(unquote_string(&text, SqlMode::default()), value.clone());
        let name = quote_ident(&value);
        let lexed = lex(&name, SqlMode::default(), Comments::All);
        prop_assert_eq!(lexed.tokens.len(), 1);
        prop_assert_eq!(unquote_ident(&name), value);
    }
}
