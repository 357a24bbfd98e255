//! Forgetting a task: its state file here, its marks at the target.

use std::path::Path;

use dm_core::config::TaskPlan;
use dm_core::error::codes;
use dm_core::state::{StateReader, StateStore};

use super::texts::Texts;
use crate::files::Failure;

/// Removes all that is stored of a task that no process runs; nothing stored is no failure.
///
/// The marks at the target go first: a state without marks starts anew, marks without their state
/// are refused as another task's. Without a plan the configuration that was kept tells the target.
pub fn forget(dir: &Path, task: &str, plan: Option<&TaskPlan>) -> Result<(), Failure> {
    forget_here(dir, task, |kept| match (plan, kept) {
        (Some(plan), _) => Ok(dm_core::migration::forget_marks(plan)?),
        (None, Some(kept)) if !kept.is_empty() => {
            let (plan, _) = Texts::from_kept(kept)?.plan()?;
            Ok(dm_core::migration::forget_marks(&plan)?)
        }
        _ => Ok(()),
    })
}

/// Removes what is stored of a task that no process runs here alone, behind what is to be done at the target
/// with the configuration that was kept.
pub fn forget_here(
    dir: &Path,
    task: &str,
    there: impl FnOnce(Option<&str>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // Its owner's lock is held meanwhile: nobody starts the task.
    let kept = match StateReader::open(dir, task) {
        Ok(reader) => Some(reader.task()?.config),
        Err(error) if error.code() == &codes::TASK_MISSING => None,
        Err(error) => return Err(error.into()),
    };
    let state = kept.as_ref().map(|_| StateStore::open(dir, task)).transpose()?;
    there(kept.as_deref())?;
    drop(state);
    match StateStore::remove(dir, task) {
        Err(error) if error.code() == &codes::TASK_MISSING => Ok(()),
        other => Ok(other?),
    }
}
