//! Forgetting what a task has left at its target.

use super::build;
use crate::config::{ScriptTarget, TargetPlan, TaskPlan};
use crate::error::Result;
use crate::event::{LaneId, SourceId};

/// Removes the marks of a task at its target, so that it may begin anew with another state file. Its
/// rows stay. The task must not run.
///
/// # Errors
///
/// When the target cannot be asked, or it cannot forget (a script).
pub fn forget_marks(plan: &TaskPlan) -> Result<()> {
    let ids = plan.sources.iter().map(|s| SourceId::new(s.source_id.as_str()));
    let lanes: Vec<LaneId> = ids.flat_map(|id| [LaneId::main(&id), LaneId::copy(&id)]).collect();
    build::sink(plan)?.forget_task(&plan.name, &lanes)
}

/// Where the marks of a task are, in words.
pub fn marks_place(plan: &TaskPlan) -> String {
    match &plan.target {
        TargetPlan::Mysql(conn) => {
            format!("schema {} of {}", plan.meta_schema, conn.address())
        }
        TargetPlan::Sqlite(path) => format!("the file {}", path.display()),
        TargetPlan::Script(ScriptTarget::File(path)) => format!("the script {}", path.display()),
        TargetPlan::Script(ScriptTarget::Stdout) => "what was printed".to_owned(),
    }
}
