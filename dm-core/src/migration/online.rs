//! Online schema changes before a task starts: one that is running is not copied half way.

use std::sync::Arc;

use dm_filter::TableName;

use crate::config::TaskPlan;
use crate::error::{Error, Result, codes};
use crate::event::LaneId;
use crate::online_ddl::{Kind, Names, running};
use crate::pipeline::Creator;
use crate::source::Source;
use crate::state::StateStore;

/// DM's name of the check, for `ignore-checking-items`.
const ITEM: &str = "online_ddl";

/// Refuses to begin a copy while a ghost table of a carried table is at the source. A task that
/// has begun goes on: it knows what has happened since.
///
/// # Errors
///
/// 26005 naming the tables; when the source cannot be asked.
pub(super) fn check(
    plan: &TaskPlan,
    source: &dyn Source,
    creator: &Creator,
    state: &StateStore,
) -> Result {
    let Some(rules) = creator.online.as_ref().filter(|_| plan.mode.dumps()) else { return Ok(()) };
    let reader = state.reader();
    let begun = reader.lane(&LaneId::main(&creator.source))?.is_some()
        || reader.copy(&LaneId::copy(&creator.source))?.is_some();
    if begun {
        return Ok(());
    }
    let fold = source.info()?.lower_case_table_names != 0;
    let names = Names::new(Arc::clone(rules), fold);
    let (chosen, wanted) = (names.clone(), creator.clone());
    let tables = source
        .tables(&move |table| chosen.candidates(table).iter().any(|real| wanted.wants(real)))?;
    let found = running(&names, &tables, &|real| creator.wants(real));
    if !found.is_empty() && !plan.ignored_checks.contains(ITEM) {
        return Err(refusal(&found));
    }
    tell_left_out(&names, &tables);
    Ok(())
}

fn refusal(found: &[(TableName, TableName)]) -> Error {
    let list: Vec<String> = found.iter().map(|(g, real)| format!("{g} of {real}")).collect();
    Error::new(
        &codes::CHECK_FAILED,
        format!(
            "{ITEM}: online schema changes are running, or were left behind: {}",
            list.join(", ")
        ),
    )
    .workaround(
        "Start again when the tool has finished; a table that an earlier run of it left behind has to be \
         dropped at the source. With `ignore-checking-items: [online_ddl]` the task starts now, and reads in \
         the source's earlier binlog what changed these tables; with `online-ddl: false` they are tables like \
         any other.",
    )
}

/// A table may have such a name by chance.
fn tell_left_out(names: &Names, tables: &[TableName]) {
    let helpers = tables.iter().filter(|t| names.kind(t) != Kind::Real);
    let list: Vec<String> = helpers.map(ToString::to_string).collect();
    if !list.is_empty() {
        log::warn!(
            "not carried, because their names are those of an online schema change tool's tables: {} \
             (`shadow-table-rules`, `trash-table-rules`, `online-ddl`)",
            list.join(", ")
        );
    }
}
