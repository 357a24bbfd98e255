//! `target-database`.

use std::path::PathBuf;

use super::{Resolver, conn};
use crate::config::plan::{ScriptTarget, TargetPlan};
use crate::error::codes;

impl Resolver<'_> {
    pub(super) fn target(&mut self) -> Option<TargetPlan> {
        let Some(raw) = &self.task.target_database else {
            let expected = "`host`, `port`, `user` and `password` of the target";
            let code = &codes::CONFIG_NO_TARGET;
            self.file.problem(code, "target-database", "no target is given", expected);
            return None;
        };
        let kinds = [
            (!raw.server.host.is_empty(), "host"),
            (raw.sqlite.is_some(), "sqlite"),
            (raw.script.is_some(), "script"),
        ];
        let given: Vec<_> = kinds.iter().filter(|(given, _)| *given).map(|(_, k)| *k).collect();
        if given.len() != 1 {
            let found = if given.is_empty() {
                "no kind of target is given".to_owned()
            } else {
                format!("several kinds of target are given: {}", given.join(", "))
            };
            let expected = "one of `host`, `sqlite`, `script`";
            self.file.problem(&codes::CONFIG_TARGET_KIND, "target-database", found, expected);
            return None;
        }
        if let Some(path) = &raw.sqlite {
            return Some(TargetPlan::Sqlite(PathBuf::from(path)));
        }
        match raw.script.as_deref() {
            Some("-") => return Some(TargetPlan::Script(ScriptTarget::Stdout)),
            Some(path) => return Some(TargetPlan::Script(ScriptTarget::File(path.into()))),
            None => {}
        }
        let plan = conn::connection(&raw.server, "target-database", &mut self.file, self.lookup);
        Some(TargetPlan::Mysql(Box::new(plan)))
    }

    /// Whether the target's session turns `foreign_key_checks` on.
    pub(super) fn foreign_key_checks(&self) -> bool {
        self.task.target_database.as_ref().is_some_and(|t| {
            t.server.session.iter().any(|(name, value)| {
                name.eq_ignore_ascii_case("foreign_key_checks")
                    && matches!(value.to_ascii_lowercase().as_str(), "1" | "on" | "true" | "yes")
            })
        })
    }
}
