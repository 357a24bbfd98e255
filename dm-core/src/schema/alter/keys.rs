//! What becomes of the old keys, foreign keys and checks, and what new keys need.
use super::{NewColumn, Work};
use crate::ddl::{AlterSpec, DropKind};
use crate::error::Result;
use crate::schema::prefix;
use crate::schema::rename::{columns_in_expression, rename_in_expression};
use crate::schema::table::{Key, KeyKind, KeyPart, same_name};

impl Work<'_> {
    /// The old keys with their parts under the new names; without dropped ones and empty ones.
    pub(super) fn keys(&mut self) {
        for key in &self.old.keys {
            if self.key_is_dropped(key) {
                continue;
            }
            let mut kept = key.clone();
            for spec in self.specs() {
                match spec {
                    AlterSpec::RenameKey { old, new, .. } if same_name(old, &key.name) => {
                        kept.name.clone_from(new);
                        kept.generated = false;
                    }
                    AlterSpec::KeyVisibility { name, invisible } if same_name(name, &key.name) => {
                        kept.invisible = *invisible;
                    }
                    _ => {}
                }
            }
            kept.parts = key.parts.iter().filter_map(|p| self.part(p)).collect();
            if !kept.parts.is_empty() {
                self.new.keys.push(kept);
            }
        }
        let named: Vec<(&AlterSpec, &String)> = self
            .specs()
            .filter_map(|s| match s {
                AlterSpec::Drop { kind: DropKind::Key, name, .. } => Some((s, name)),
                AlterSpec::RenameKey { old, .. } => Some((s, old)),
                _ => None,
            })
            .collect();
        for (_, name) in named {
            if !self.old.keys.iter().any(|k| same_name(&k.name, name)) {
                self.missing("key", name);
            }
        }
    }

    fn key_is_dropped(&self, key: &Key) -> bool {
        self.specs().any(|s| match s {
            AlterSpec::DropPrimaryKey => key.kind == KeyKind::Primary,
            AlterSpec::Drop { kind: DropKind::Key, name, .. } => same_name(name, &key.name),
            AlterSpec::Drop { kind: DropKind::Constraint, name, .. } => {
                same_name(name, &key.name)
                    && matches!(key.kind, KeyKind::Unique | KeyKind::Primary)
                    && !self.old.foreign_keys.iter().any(|f| same_name(&f.name, name))
                    && !self.old.checks.iter().any(|c| same_name(&c.name, name))
            }
            _ => false,
        })
    }

    /// A part of an old key in the new table; `None` when its column is gone.
    fn part(&self, part: &KeyPart) -> Option<KeyPart> {
        let KeyPart::Column { name, prefix, descending } = part else {
            let KeyPart::Expression { expr, descending } = part else { return None };
            let expr = rename_in_expression(expr, &self.out.renamed);
            return Some(KeyPart::Expression { expr, descending: *descending });
        };
        let is = |c: &&NewColumn| same_name(c.old.as_deref().unwrap_or(&c.column.name), name);
        let Some(found) = self.columns.iter().find(is) else {
            // A period stands in a key by its own name.
            let period = self.new.periods.iter().any(|p| same_name(&p.0, name));
            return period.then(|| part.clone());
        };
        let before = self.old.column(name).map(|(_, c)| c);
        let prefix = match before.filter(|_| found.old.is_none()) {
            Some(before) => prefix::inherited(*prefix, before, &found.column),
            None => prefix::kept(*prefix, before, &found.column),
        };
        Some(KeyPart::Column { name: found.column.name.clone(), prefix, descending: *descending })
    }

    /// Foreign keys and checks.
    pub(super) fn constraints(&mut self) {
        let dropped = |kind: DropKind, name: &str, specs: &[&AlterSpec]| {
            specs.iter().any(|s| match s {
                AlterSpec::Drop { kind: k, name: n, .. } => {
                    (*k == kind || *k == DropKind::Constraint) && same_name(n, name)
                }
                _ => false,
            })
        };
        let specs: Vec<&AlterSpec> = self.specs().collect();
        self.new.foreign_keys.retain(|k| !dropped(DropKind::ForeignKey, &k.name, &specs));
        let gone: Vec<String> = self
            .old
            .columns
            .iter()
            .filter(|c| !self.columns.iter().any(|n| n.old.as_ref() == Some(&c.name)))
            .map(|c| c.name.clone())
            .collect();
        // A check stays unless it is dropped or all columns that it looks at are gone; that of a
        // column goes with it and is given anew when the column is changed.
        let columns = &self.old.columns;
        // An expression of a key is a column, too, which goes with the key.
        let hidden = |key: &Key| key.parts.iter().any(|part| part.column().is_none());
        let drops = !gone.is_empty()
            || self.old.keys.iter().any(|key| hidden(key) && self.key_is_dropped(key));
        let changed: Vec<&String> = specs
            .iter()
            .filter_map(
                |s| if let AlterSpec::ChangeColumn { old, .. } = s { Some(old) } else { None },
            )
            .collect();
        self.new.checks.retain(|c| {
            let owned = c.column.as_ref().is_some_and(|o| {
                gone.iter().chain(changed.iter().copied()).any(|g| same_name(g, o))
            });
            let used = columns_in_expression(&c.expr, columns);
            // A constant condition counts as one about the dropped columns only.
            let orphan = drops && c.column.is_none() && used.iter().all(|u| gone.contains(u));
            !owned && !orphan && !dropped(DropKind::Check, &c.name, &specs)
        });
        for check in &mut self.new.checks {
            for spec in &specs {
                if let AlterSpec::Enforce { name, enforced } = spec
                    && same_name(name, &check.name)
                {
                    check.enforced = *enforced;
                }
            }
            check.expr = rename_in_expression(&check.expr, &self.out.renamed);
            if let Some(column) = &mut check.column
                && let Some((_, new)) = self.out.renamed.iter().find(|(o, _)| same_name(o, column))
            {
                column.clone_from(new);
            }
        }
    }

    /// New keys need their columns, a name of their own, and there is one primary key.
    pub(super) fn check_keys(&self) -> Result {
        for (n, key) in self.builder.keys.iter().enumerate() {
            let others = self.new.keys.iter().chain(self.builder.keys.iter().take(n));
            let taken = |other: &Key| !key.name.is_empty() && same_name(&other.name, &key.name);
            // A key made for a foreign key goes away when another has its name or serves as well.
            if !key.generated && others.filter(|k| !k.generated).any(taken) {
                return Err(self.conflict(&format!("key `{}` is there already", key.name)));
            }
            for column in key.parts.iter().filter_map(KeyPart::column) {
                let period = self.new.periods.iter().any(|p| same_name(&p.0, column));
                if self.new.column(column).is_none() && !period {
                    return Err(self.conflict(&format!("key column `{column}` is not there")));
                }
            }
        }
        Ok(())
    }
}
