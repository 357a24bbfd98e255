//! What a user may do, from the answer of SHOW GRANTS.
//!
//! Every server prints grants in the form `GRANT rights ON level TO user`; managed servers have
//! rights of their own among them (`INVOKE LAMBDA`, `LOAD FROM S3`), which are words like others.
//! Rights are kept in upper case. A right on some columns only is no right on the table.

use std::collections::BTreeSet;

use dm_filter::TableName;

/// The answer of SHOW GRANTS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants {
    lines: Vec<Line>,
    /// Roles that the user has but that are not active.
    pub idle_roles: Vec<String>,
}

#[derive(Clone, Debug)]
struct Line {
    rights: BTreeSet<String>,
    all: bool,
    level: Scope,
    revoked: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scope {
    Global,
    /// A pattern of schema names, `\` before what is meant literally.
    Schema(String),
    Table(String, String),
}

impl Grants {
    /// Reads the lines of the answer; lines that give no rights on data are passed over.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut grants = Self::default();
        for text in lines {
            match line(text) {
                Some(line) => grants.lines.push(line),
                None => grants.idle_roles.extend(role(text)),
            }
        }
        grants
    }

    fn any(&self, right: &str, at: impl Fn(&Scope) -> bool) -> bool {
        let said = |revoked: bool| {
            self.lines.iter().any(|l| {
                l.revoked == revoked
                    && at(&l.level)
                    && (l.rights.contains(right) || (l.all && right != "USAGE"))
            })
        };
        said(false) && !said(true)
    }

    /// True when a right is given on everything.
    pub fn global(&self, right: &str) -> bool {
        self.any(right, |l| *l == Scope::Global)
    }

    /// True when one of some rights is given on everything.
    pub fn global_any(&self, rights: &[&str]) -> bool {
        rights.iter().any(|r| self.global(r))
    }

    /// True when a right is given on a whole schema.
    pub fn on_schema(&self, right: &str, schema: &str) -> bool {
        let partly = self.lines.iter().any(|l| {
            l.revoked
                && (l.all || l.rights.contains(right))
                && matches!(&l.level, Scope::Schema(p) if like(p, schema))
        });
        !partly
            && self.any(right, |l| match l {
                Scope::Global => true,
                Scope::Schema(pattern) => like(pattern, schema),
                Scope::Table(..) => false,
            })
    }

    /// True when a right is given on a table.
    pub fn on_table(&self, right: &str, table: &TableName) -> bool {
        let own = |l: &Scope| matches!(l, Scope::Table(d, t) if same(d, &table.schema) && same(t, &table.table));
        self.on_schema(right, &table.schema) || self.any(right, own)
    }

    /// True when a right is given anywhere.
    pub fn anywhere(&self, right: &str) -> bool {
        self.lines.iter().any(|l| !l.revoked && (l.all || l.rights.contains(right)))
    }
}

fn same(a: &str, b: &str) -> bool {
    a == b || a.eq_ignore_ascii_case(b)
}

fn line(text: &str) -> Option<Line> {
    let (verb, rest) = text.trim().split_once(' ')?;
    let revoked = verb.eq_ignore_ascii_case("REVOKE");
    if !revoked && !verb.eq_ignore_ascii_case("GRANT") {
        return None;
    }
    let (rights, rest) = split(rest, " ON ")?;
    let (level, _) = split(rest, if revoked { " FROM " } else { " TO " })?;
    let level = scope(level.trim())?;
    let mut out = Line { rights: BTreeSet::new(), all: false, level, revoked };
    for right in commas(rights) {
        // `SELECT (a, b)` is a right on columns.
        if right.contains('(') {
            continue;
        }
        let right = right.trim().to_ascii_uppercase();
        out.all |= right == "ALL" || right == "ALL PRIVILEGES";
        out.rights.insert(right);
    }
    Some(out)
}

/// `` GRANT `role`@`%` TO ... ``.
fn role(text: &str) -> Option<String> {
    let rest = text.trim().strip_prefix("GRANT ")?;
    let (role, _) = split(rest, " TO ")?;
    Some(role.trim().to_owned()).filter(|_| split(rest, " ON ").is_none())
}

/// Splits at the first separator outside of quotes.
fn split<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None if matches!(c, '`' | '\'' | '"') => quote = Some(c),
            None => {
                let found = text.get(at..at + separator.len());
                if found.is_some_and(|f| f.eq_ignore_ascii_case(separator)) {
                    return Some((text.get(..at)?, text.get(at + separator.len()..)?));
                }
            }
        }
    }
    None
}

/// The parts between commas outside of parentheses.
fn commas(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0_i32, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.extend(text.get(from..at));
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(from..));
    parts
}

fn scope(text: &str) -> Option<Scope> {
    let text = match text.split_once(' ') {
        Some((word, rest)) if word.eq_ignore_ascii_case("TABLE") => rest,
        // Rights on routines and proxies are none on data.
        Some((word, _)) if !word.starts_with(['`', '\'', '"', '*']) => return None,
        _ => text,
    };
    let (schema, table) = split(text, ".")?;
    Some(match (unquoted(schema), unquoted(table)) {
        (schema, table) if schema == "*" && table == "*" => Scope::Global,
        (schema, table) if table == "*" => Scope::Schema(schema),
        (schema, table) => Scope::Table(schema, table),
    })
}

fn unquoted(name: &str) -> String {
    let name = name.trim();
    for quote in ['`', '\'', '"'] {
        if let Some(inner) = name.strip_prefix(quote).and_then(|n| n.strip_suffix(quote)) {
            return inner.replace(&format!("{quote}{quote}"), &quote.to_string());
        }
    }
    name.to_owned()
}

/// A LIKE pattern of a grant: `%` any text, `_` one character, `\` takes the next as it is.
fn like(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let name: Vec<char> = name.to_lowercase().chars().collect();
    // Names have at most 64 characters.
    matches(&pattern, &name)
}

fn matches(pattern: &[char], name: &[char]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some(('%', rest)), _) => {
            (0..=name.len()).any(|n| matches(rest, name.get(n..).unwrap_or_default()))
        }
        (Some(('\\', rest)), Some((c, tail))) if !rest.is_empty() => {
            rest.first() == Some(c) && matches(rest.get(1..).unwrap_or_default(), tail)
        }
        (Some(('_', rest)), Some((_, tail))) => matches(rest, tail),
        (Some((p, rest)), Some((c, tail))) => p == c && matches(rest, tail),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(schema: &str, table: &str) -> TableName {
        TableName::new(schema, table)
    }

    #[test]
    fn levels_are_told_apart() {
        let grants = Grants::parse([
            "GRANT RELOAD, REPLICATION CLIENT ON *.* TO `a`@`%`",
            "GRANT SELECT ON `shop\\_1`.* TO `a`@`%`",
            "GRANT SELECT ON `log_%`.* TO `a`@`%`",
            "GRANT SELECT (`c`, `d`), UPDATE ON `d`.`t` TO `a`@`%`",
            "GRANT EXECUTE ON PROCEDURE `d`.`p` TO `a`@`%`",
            "GRANT PROXY ON ``@`` TO `a`@`%` WITH GRANT OPTION",
        ]);
        assert!(grants.global("RELOAD") && !grants.global("SELECT"));
        assert!(grants.on_schema("SELECT", "shop_1") && !grants.on_schema("SELECT", "shopx1"));
        assert!(grants.on_table("SELECT", &table("log_x", "t")));
        assert!(!grants.on_table("SELECT", &table("d", "t")), "on columns only");
        assert!(grants.on_table("UPDATE", &table("d", "t")));
        assert!(!grants.on_table("UPDATE", &table("d", "u")));
        assert!(!grants.anywhere("EXECUTE"));
    }

    #[test]
    fn all_roles_and_partial_revokes() {
        let all =
            Grants::parse(["GRANT ALL PRIVILEGES ON *.* TO 'a'@'%' IDENTIFIED BY PASSWORD '*1'"]);
        assert!(all.global("REPLICATION SLAVE") && all.on_table("SELECT", &table("x", "y")));
        let partly = Grants::parse([
            "GRANT SELECT ON *.* TO `a`@`%`",
            "REVOKE SELECT ON `secret`.* FROM `a`@`%`",
        ]);
        assert!(partly.on_table("SELECT", &table("x", "y")));
        assert!(!partly.on_table("SELECT", &table("secret", "y")));
        let role = Grants::parse(["GRANT `reader`@`%`,`writer`@`%` TO `a`@`%`"]);
        assert_eq!(role.idle_roles, ["`reader`@`%`,`writer`@`%`"]);
        assert!(!role.anywhere("SELECT"));
    }

    #[test]
    fn rights_of_managed_servers_are_words_like_others() {
        let aurora = Grants::parse([
            "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, \
             ALTER, SHOW DATABASES, LOCK TABLES, REPLICATION SLAVE, REPLICATION CLIENT, CREATE VIEW, \
             LOAD FROM S3, SELECT INTO S3, INVOKE LAMBDA, INVOKE SAGEMAKER, INVOKE COMPREHEND ON *.* TO \
             'admin'@'%' WITH GRANT OPTION",
            "GRANT `AWS_LAMBDA_ACCESS`@`%`,`rds_superuser_role`@`%` TO `admin`@`%`",
        ]);
        for right in
            ["SELECT", "RELOAD", "REPLICATION SLAVE", "REPLICATION CLIENT", "INVOKE LAMBDA"]
        {
            assert!(aurora.global(right), "{right}");
        }
        assert!(!aurora.global("SUPER"));
    }

    #[test]
    fn names_with_odd_characters() {
        let grants = Grants::parse(["GRANT SELECT ON `a ON b TO c`.`x``y` TO `u`@`%`"]);
        assert!(grants.on_table("SELECT", &table("a ON b TO c", "x`y")));
    }
}
