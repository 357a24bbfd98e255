//! Rules: that each is right by itself, and what an instance's choice of them comes to.

use std::collections::BTreeMap;
use std::sync::Arc;

use dm_filter::{
    BlockAllowList, EventFilter, EventRule, ExpressionFilter, ExpressionRule, Lint, RuleError,
    RuleErrorKind, Zone,
};
use dm_router::{RouteLint, RouteRule, RouteRuleError, TableRouter};

use super::Resolver;
use crate::config::context::File;
use crate::config::keys::join;
use crate::config::raw::{RawInstance, RawSource};
use crate::error::{Code, codes};

fn code(kind: RuleErrorKind) -> &'static Code {
    match kind {
        RuleErrorKind::BlockAllowList => &codes::CONFIG_BLOCK_LIST,
        RuleErrorKind::MixedExpressions => &codes::CONFIG_EXPRESSION_KINDS,
        RuleErrorKind::ExpressionGrammar => &codes::CONFIG_EXPRESSION_GRAMMAR,
        RuleErrorKind::ExpressionTable => &codes::CONFIG_EXPRESSION_TABLE,
        _ => &codes::CONFIG_EVENT_FILTER,
    }
}

fn report(file: &mut File, group: &str, errors: Vec<RuleError>) {
    for e in errors {
        let path = join(&join(group, &e.rule), &e.key);
        file.problem(code(e.kind), path, format!("found {}", e.found), e.expected);
    }
}

fn report_routes(file: &mut File, errors: Vec<RouteRuleError>) {
    for e in errors {
        let path = join(&join("routes", &e.rule), &e.key);
        file.problem(&codes::CONFIG_ROUTE, path, format!("found {}", e.found), e.expected);
    }
}

fn warn_routes(file: &mut File, lints: Vec<RouteLint>) {
    for lint in lints {
        // A doubt about both patterns together belongs to the rule.
        let rule = join("routes", &lint.rule);
        let path = if lint.key.contains(',') { rule } else { join(&rule, &lint.key) };
        file.warn(path, format!("`{}`: {}", lint.found, lint.message));
    }
}

fn warn(file: &mut File, group: &str, lints: Vec<Lint>) {
    for lint in lints {
        let path = join(&join(group, &lint.rule), &lint.key);
        file.warn(path, format!("`{}`: {}", lint.found, lint.message));
    }
}

impl Resolver<'_> {
    /// Checks every rule by itself, used or not.
    pub(super) fn check_rules(&mut self) {
        let (task, file) = (self.task, &mut self.file);
        let case = task.case_sensitive;
        let empty = |file: &mut File, code, group: &str, name: &str| {
            file.problem(code, join(group, name), "the rule is empty", "the keys of a rule");
        };
        for (name, rule) in &task.routes {
            let Some(rule) = rule else {
                empty(file, &codes::CONFIG_ROUTE, "routes", name);
                continue;
            };
            let errors = rule.validate(name);
            if errors.is_empty() {
                warn_routes(file, rule.lint(name, case));
            }
            report_routes(file, errors);
        }
        for (name, rule) in &task.filters {
            let Some(rule) = rule else {
                empty(file, &codes::CONFIG_EVENT_FILTER, "filters", name);
                continue;
            };
            let errors = rule.validate(name);
            if errors.is_empty() {
                warn(file, "filters", rule.lint(name, case));
            }
            report(file, "filters", errors);
        }
        for (name, rule) in &task.expression_filter {
            let group = "expression-filter";
            let Some(rule) = rule else {
                empty(file, &codes::CONFIG_EXPRESSION_TABLE, group, name);
                continue;
            };
            let errors = rule.validate(name);
            if errors.is_empty() {
                warn(file, group, rule.lint(name));
            }
            report(file, group, errors);
        }
        let lists = [
            ("block-allow-list", &task.block_allow_list),
            ("black-white-list", &task.black_white_list),
        ];
        for (group, rules) in lists {
            for (name, rule) in rules.iter().filter_map(|(n, r)| Some((n, r.as_ref()?))) {
                let errors = rule.validate(name);
                if errors.is_empty() {
                    warn(file, group, rule.lint(name, case));
                }
                report(file, group, errors);
            }
        }
    }

    /// The map that block-allow-lists are looked up in, and its key: DM takes the old one only when
    /// the new one is empty as a whole.
    fn block_lists(&self) -> (&'static str, &BTreeMap<String, Option<dm_filter::BlockAllowRules>>) {
        if self.task.block_allow_list.is_empty() && !self.task.black_white_list.is_empty() {
            ("black-white-list", &self.task.black_white_list)
        } else {
            ("block-allow-list", &self.task.block_allow_list)
        }
    }

    /// An instance's block-allow-list; everything without one.
    pub(super) fn block_allow(
        &mut self,
        instance: &RawInstance,
        path: &str,
        case: bool,
    ) -> Option<BlockAllowList> {
        let (key, name) = if instance.block_allow_list.is_empty() {
            ("black-white-list", &instance.black_white_list)
        } else {
            ("block-allow-list", &instance.block_allow_list)
        };
        if name.is_empty() {
            return Some(BlockAllowList::allow_all());
        }
        let (group, lists) = self.block_lists();
        let Some(rules) = lists.get(name) else {
            let found = format!("`{name}` is not defined");
            let expected = defined(group, lists.keys());
            self.file.problem(&codes::CONFIG_BLOCK_NAME, join(path, key), found, expected);
            return None;
        };
        let Some(rules) = rules else { return Some(BlockAllowList::allow_all()) };
        match BlockAllowList::compile(name, rules, case) {
            Ok(list) => Some(list),
            Err(errors) => {
                report(&mut self.file, group, errors);
                None
            }
        }
    }

    /// The names that stand in a list of an instance, each once and defined.
    pub(super) fn names<'n, T>(
        &mut self,
        names: &'n [String],
        path: &str,
        group: &str,
        map: &BTreeMap<String, T>,
        unknown: &'static Code,
    ) -> Vec<&'n str> {
        let mut known = Vec::new();
        for (i, name) in names.iter().enumerate() {
            let place = format!("{path}[{i}]");
            if names.iter().take(i).any(|n| n == name) {
                let found = format!("`{name}` stands twice");
                self.file.problem(&codes::CONFIG_DUPLICATE_NAME, place, found, "each name once");
            } else if map.contains_key(name) {
                self.used.insert(join(group, name));
                known.push(name.as_str());
            } else {
                let found = format!("`{name}` is not defined");
                self.file.problem(unknown, place, found, defined(group, map.keys()));
            }
        }
        known
    }

    /// An instance's event filters, those of its source behind them.
    pub(super) fn event_filter(
        &mut self,
        instance: &RawInstance,
        path: &str,
        source: Option<usize>,
        case: bool,
    ) -> Option<EventFilter> {
        let filters = &self.task.filters;
        let path = join(path, "filter-rules");
        let unknown = &codes::CONFIG_FILTER_NAME;
        let names = self.names(&instance.filter_rules, &path, "filters", filters, unknown);
        let mut rules: Vec<(&str, &EventRule)> =
            names.into_iter().filter_map(|n| Some((n, filters.get(n)?.as_ref()?))).collect();
        let of_source = source.and_then(|i| self.sources.get_mut(i));
        let mut own = Vec::new();
        if let Some((source, file)) = of_source {
            own = filters_of_source(source, file, &rules, case);
        }
        let places: Vec<String> = own.iter().map(|(i, _)| format!("filters[{i}]")).collect();
        rules.extend(places.iter().zip(&own).map(|(place, (_, rule))| (place.as_str(), rule)));
        match EventFilter::compile(rules, case) {
            Ok(filter) => Some(filter),
            Err(errors) => {
                // Rules of the source were reported in its own file.
                let task = errors.into_iter().filter(|e| !places.contains(&e.rule)).collect();
                report(&mut self.file, "filters", task);
                None
            }
        }
    }

    /// An instance's routes.
    pub(super) fn router(
        &mut self,
        instance: &RawInstance,
        path: &str,
        case: bool,
    ) -> Option<Arc<TableRouter>> {
        let routes = &self.task.routes;
        let path = join(path, "route-rules");
        let unknown = &codes::CONFIG_ROUTE_NAME;
        let names = self.names(&instance.route_rules, &path, "routes", routes, unknown);
        let rules: Vec<(&str, &RouteRule)> =
            names.into_iter().filter_map(|n| Some((n, routes.get(n)?.as_ref()?))).collect();
        match TableRouter::compile(rules.iter().copied(), case) {
            Ok(router) => {
                self.ambiguous(&rules, &router);
                warn_routes(&mut self.file, dm_router::lint_routes(rules, case));
                Some(Arc::new(router))
            }
            Err(errors) => {
                report_routes(&mut self.file, errors);
                None
            }
        }
    }

    /// A route for exactly one table that another route of the instance matches too. Whether patterns
    /// overlap otherwise depends on the tables that there are, which checking the task finds out.
    fn ambiguous(&mut self, rules: &[(&str, &RouteRule)], router: &TableRouter) {
        for (name, rule) in rules {
            let literal = |p: &str| !p.contains(['*', '?', '[']) && !p.starts_with('~');
            let (schema, table) = (rule.schema_pattern.as_str(), rule.table_pattern.as_str());
            if table.is_empty() || !literal(schema) || !literal(table) {
                continue;
            }
            let matching = router.explain(schema, table);
            if matching.len() > 1 {
                let found = format!("`{schema}`.`{table}` matches {}", matching.join(" and "));
                let path = join("routes", name);
                self.file.problem(&codes::ROUTE_AMBIGUOUS, path, found, "one route for each table");
            }
        }
    }

    /// An instance's expression filters.
    pub(super) fn expressions(
        &mut self,
        instance: &RawInstance,
        path: &str,
    ) -> Option<ExpressionFilter> {
        let map = &self.task.expression_filter;
        let path = join(path, "expression-filters");
        let unknown = &codes::CONFIG_EXPRESSION_NAME;
        let list = &instance.expression_filters;
        let names = self.names(list, &path, "expression-filter", map, unknown);
        let rules: Vec<(&str, &ExpressionRule)> =
            names.into_iter().filter_map(|n| Some((n, map.get(n)?.as_ref()?))).collect();
        // A zone that is none has been reported.
        let zone = match self.task.timezone.as_str() {
            "" => Zone::utc(),
            zone => Zone::parse(zone).ok()?,
        };
        match ExpressionFilter::compile(rules, zone) {
            Ok(filter) => Some(filter),
            Err(errors) => {
                report(&mut self.file, "expression-filter", errors);
                None
            }
        }
    }
}

/// The event filters of a source file that the task's own do not replace, with their indexes.
fn filters_of_source(
    source: &RawSource,
    file: &mut File,
    task: &[(&str, &EventRule)],
    case: bool,
) -> Vec<(usize, EventRule)> {
    let mut own = Vec::new();
    for (i, rule) in source.filters.iter().enumerate() {
        let place = format!("filters[{i}]");
        let errors = rule.validate(&place);
        let lints = if errors.is_empty() { rule.lint(&place, case) } else { Vec::new() };
        for e in errors {
            let found = format!("found {}", e.found);
            file.problem(code(e.kind), join(&place, &e.key), found, e.expected);
        }
        for lint in lints {
            file.warn(join(&place, &lint.key), format!("`{}`: {}", lint.found, lint.message));
        }
        let same = |r: &EventRule| {
            r.schema_pattern == rule.schema_pattern && r.table_pattern == rule.table_pattern
        };
        match task.iter().find(|(_, r)| same(r)) {
            Some((name, _)) => {
                file.warn(
                    place,
                    format!("the task's filter `{name}` for the same tables goes before"),
                );
            }
            None => own.push((i, rule.clone())),
        }
    }
    own
}

/// What could have been meant by a name that is not defined.
pub(super) fn defined<'n>(group: &str, names: impl Iterator<Item = &'n String>) -> String {
    let names: Vec<_> = names.map(String::as_str).collect();
    if names.is_empty() {
        format!("a name under `{group}`, which has none")
    } else {
        format!("one of those under `{group}`: {}", names.join(", "))
    }
}
