//! `dm check-task`, `dm check-source`: what must be so before a task starts.

use std::process::ExitCode;

use dm_core::Migration;
use serde_json::json;

use crate::args::{CheckSourceArgs, CheckTaskArgs};
use crate::files::{self, Failure};
use crate::operate::answers;
use crate::out;

/// Exit status when something speaks against starting.
const REFUSED: u8 = 1;
/// How many findings of each kind `check-source` tells.
const MOST: usize = 100;

pub fn task(args: &CheckTaskArgs) -> Result<ExitCode, Failure> {
    let (plan, warnings) = files::plan(&args.files)?;
    for warning in &warnings {
        out::tell(&format!("warning: {warning}"));
    }
    let migration = Migration::builder(plan).state_dir(&args.files.state.state_dir).build();
    let report = migration.check()?;
    if out::for_scripts(args.json) {
        let detail = report.to_json(args.error, args.warn);
        let msg = report.message(args.error, args.warn);
        let document = json!({ "result": report.passed(), "msg": msg, "detail": detail });
        answers::print(&document)?;
    } else {
        out::say(&report.to_text(args.error, args.warn))?;
    }
    Ok(status(report.passed()))
}

fn status(passed: bool) -> ExitCode {
    if passed { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) }
}

pub fn source(args: &CheckSourceArgs) -> Result<ExitCode, Failure> {
    let mut all = true;
    let (mut texts, mut documents) = (Vec::new(), Vec::new());
    for path in &args.sources {
        let (plan, warnings) = files::sources_plan(path, args.key.path())?;
        for warning in &warnings {
            out::tell(&format!("warning: {warning}"));
        }
        let id = plan.sources.first().map(|s| s.source_id.clone()).unwrap_or_default();
        let report = Migration::builder(plan).build().check_sources()?;
        all &= report.passed();
        let detail = report.to_json(MOST, MOST);
        documents.push(json!({
            "result": report.passed(),
            "msg": report.message(MOST, MOST),
            "source": id,
            "worker": "",
            "detail": detail,
        }));
        texts.push(format!("{}: {}", path.display(), report.to_text(MOST, MOST)));
    }
    if out::for_scripts(args.json) {
        let document = json!({ "result": all, "msg": "", "sources": documents });
        answers::print(&document)?;
    } else {
        out::say(&texts.join("\n"))?;
    }
    Ok(status(all))
}
