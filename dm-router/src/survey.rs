//! Looks at where all tables of all sources go, before anything is copied.

use std::collections::{BTreeMap, BTreeSet};

use crate::router::{RouteError, Router, Target};

/// A table of a source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceName {
    /// The source's id.
    pub source: String,
    /// Schema.
    pub schema: String,
    /// Table.
    pub table: String,
}

impl SourceName {
    /// A table of a source.
    pub fn new(
        source: impl Into<String>,
        schema: impl Into<String>,
        table: impl Into<String>,
    ) -> Self {
        Self { source: source.into(), schema: schema.into(), table: table.into() }
    }
}

/// The name of a table at the target: schema and table.
pub type TargetName = (String, String);

/// Several tables that come together in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The target.
    pub target: TargetName,
    /// Its sources, sorted.
    pub sources: Vec<SourceName>,
}

/// Target names that a server without regard to case would take for one (DM's 26001).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseCollision {
    /// The spellings, sorted, each with the tables that go there.
    pub spellings: Vec<(TargetName, Vec<SourceName>)>,
}

/// Tables that no route catches, although tables like them are routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The tables that keep their names, sorted.
    pub tables: Vec<SourceName>,
    /// A table like them that is routed.
    pub sibling: SourceName,
    /// The route that catches the sibling.
    pub rule: String,
    /// What they have in common.
    pub likeness: Likeness,
}

/// In what tables are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Likeness {
    /// Names that differ only in their numbers: `t_1` and `t_12`.
    Numbers,
    /// They are in the same schema.
    Schema,
}

/// What [`survey`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Where each table goes, in the order asked; tables without a clear route are missing.
    pub routed: Vec<(SourceName, Target)>,
    /// Tables that several rules claim: errors.
    pub ambiguous: Vec<(SourceName, RouteError)>,
    /// Targets that differ only in case: errors.
    pub collisions: Vec<CaseCollision>,
    /// Targets with several sources. Right for shards, a mistake otherwise.
    pub merges: Vec<Merge>,
    /// Tables that a route may have been meant to catch: warnings.
    pub left_out: Vec<LeftOut>,
    /// The names of the rules that decided about some table.
    pub used_rules: BTreeSet<String>,
}

/// Asks a router about every table and reports what deserves attention.
///
/// `tables` are those that are part of the migration, of all its sources; `router` says which
/// router a source has.
pub fn survey<'r>(
    router: impl Fn(&str) -> &'r dyn Router,
    tables: impl IntoIterator<Item = SourceName>,
) -> Survey {
    let mut survey = Survey::default();
    for name in tables {
        match router(&name.source).route(&name.source, &name.schema, &name.table) {
            Ok(target) => {
                survey.used_rules.extend(target.rule.clone());
                survey.routed.push((name, target));
            }
            Err(error) => survey.ambiguous.push((name, error)),
        }
    }
    let mut by_target: BTreeMap<TargetName, Vec<SourceName>> = BTreeMap::new();
    for (name, target) in &survey.routed {
        let key = (target.schema.clone(), target.table.clone());
        by_target.entry(key).or_default().push(name.clone());
    }
    for sources in by_target.values_mut() {
        sources.sort();
    }
    survey.collisions = collisions(&by_target);
    survey.merges = by_target
        .into_iter()
        .filter(|(_, sources)| sources.len() > 1)
        .map(|(target, sources)| Merge { target, sources })
        .collect();
    survey.left_out = left_out(&survey.routed);
    survey
}

fn collisions(by_target: &BTreeMap<TargetName, Vec<SourceName>>) -> Vec<CaseCollision> {
    let mut folded: BTreeMap<TargetName, Vec<(TargetName, Vec<SourceName>)>> = BTreeMap::new();
    for ((schema, table), sources) in by_target {
        folded
            .entry((schema.to_lowercase(), table.to_lowercase()))
            .or_default()
            .push(((schema.clone(), table.clone()), sources.clone()));
    }
    let several = folded.into_values().filter(|spellings| spellings.len() > 1);
    several.map(|spellings| CaseCollision { spellings }).collect()
}

/// A name with every number in it replaced, so that shards of one table look the same.
fn stem(name: &str) -> String {
    let mut stem = String::with_capacity(name.len());
    for c in name.chars() {
        if !c.is_ascii_digit() {
            stem.extend(c.to_lowercase());
        } else if !stem.ends_with('#') {
            stem.push('#');
        }
    }
    stem
}

fn left_out(routed: &[(SourceName, Target)]) -> Vec<LeftOut> {
    let family = |n: &SourceName| (stem(&n.schema), stem(&n.table));
    let home = |n: &SourceName| (n.source.clone(), n.schema.clone());
    let mut families = BTreeMap::new();
    let mut homes = BTreeMap::new();
    for (name, target) in routed {
        if let Some(rule) = &target.rule {
            families.entry(family(name)).or_insert((name, rule));
            homes.entry(home(name)).or_insert((name, rule));
        }
    }
    let mut groups: BTreeMap<_, LeftOut> = BTreeMap::new();
    for (name, _) in routed.iter().filter(|(_, target)| target.rule.is_none()) {
        let like = families.get(&family(name)).map(|s| (Likeness::Numbers, s));
        let near = || homes.get(&home(name)).map(|s| (Likeness::Schema, s));
        let Some((likeness, (sibling, rule))) = like.or_else(near) else { continue };
        groups
            .entry(((*sibling).clone(), likeness == Likeness::Schema))
            .or_insert_with(|| LeftOut {
                tables: Vec::new(),
                sibling: (*sibling).clone(),
                rule: (*rule).clone(),
                likeness,
            })
            .tables
            .push(name.clone());
    }
    let mut found: Vec<LeftOut> = groups.into_values().collect();
    for group in &mut found {
        group.tables.sort();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RouteRule;
    use crate::router::Unrouted;
    use crate::table::TableRouter;

    fn router(rules: &[(&str, [&str; 4])]) -> TableRouter {
        let rules: Vec<(&str, RouteRule)> = rules
            .iter()
            .map(|(name, [schema, table, to_schema, to_table])| {
                let rule = RouteRule {
                    schema_pattern: (*schema).into(),
                    table_pattern: (*table).into(),
                    target_schema: (*to_schema).into(),
                    target_table: (*to_table).into(),
                    ..RouteRule::default()
                };
                (*name, rule)
            })
            .collect();
        TableRouter::compile(rules.iter().map(|(n, r)| (*n, r)), false).unwrap()
    }

    fn names(list: &[(&str, &str, &str)]) -> Vec<SourceName> {
        list.iter().map(|(s, d, t)| SourceName::new(*s, *d, *t)).collect()
    }

    #[test]
    fn merged_and_left_out_tables_are_found() {
        let router = router(&[("merge", ["shop_?", "t_?", "shop", "t"])]);
        let tables = names(&[
            ("a", "shop_1", "t_1"),
            ("b", "shop_1", "t_2"),
            ("a", "shop_10", "t_3"),
            ("a", "shop_1", "log"),
            ("a", "other", "x"),
        ]);
        let found = survey(|_| &router, tables);
        assert!(found.ambiguous.is_empty() && found.collisions.is_empty());
        assert_eq!(found.merges.len(), 1);
        assert_eq!(found.merges[0].target, ("shop".into(), "t".into()));
        assert_eq!(found.merges[0].sources.len(), 2);
        let left: Vec<_> = found
            .left_out
            .iter()
            .map(|l| (l.tables[0].schema.as_str(), l.tables[0].table.as_str(), l.likeness))
            .collect();
        let expected = [("shop_10", "t_3", Likeness::Numbers), ("shop_1", "log", Likeness::Schema)];
        assert_eq!(left, expected);
        assert_eq!(found.used_rules.into_iter().collect::<Vec<_>>(), ["merge"]);
    }

    #[test]
    fn targets_that_differ_only_in_case_collide() {
        let router = router(&[("up", ["a", "t", "X", "T"]), ("low", ["b", "t", "x", "t"])]);
        let found = survey(|_| &router, names(&[("s", "a", "t"), ("s", "b", "t")]));
        assert_eq!(found.collisions.len(), 1);
        let spellings: Vec<_> =
            found.collisions[0].spellings.iter().map(|(t, _)| t.1.as_str()).collect();
        assert_eq!(spellings, ["T", "t"]);
        assert!(found.merges.is_empty());
    }

    #[test]
    fn equal_names_of_two_sources_merge_without_any_rule() {
        let found = survey(|_| &Unrouted, names(&[("a", "s", "t"), ("b", "s", "t")]));
        assert_eq!(found.merges[0].sources.len(), 2);
    }

    #[test]
    fn ambiguous_tables_are_errors_and_have_no_target() {
        let router = router(&[("x", ["s*", "t*", "a", ""]), ("y", ["s", "t", "b", ""])]);
        let found = survey(|_| &router, names(&[("a", "s", "t"), ("a", "s", "t2")]));
        assert_eq!(found.ambiguous.len(), 1);
        assert!(found.ambiguous[0].1.to_string().contains("x, y"));
        assert_eq!(found.routed.len(), 1);
    }
}
