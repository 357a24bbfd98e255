//! `dm import-dm-checkpoint` and `dm import-dm-worker`: coming from DM.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use dm_core::Migration;
use dm_core::config::{WorkerSource, from_inventory, from_worker_toml};

use crate::args::{ImportCheckpointArgs, ImportWorkerArgs};
use crate::files::{self, Failure};
use crate::operate::texts::Texts;
use crate::out;

pub fn checkpoint(args: &ImportCheckpointArgs) -> Result<ExitCode, Failure> {
    let dir = &args.files.state.state_dir;
    let (plan, warnings) = Texts::read(&args.files)?.plan()?;
    for warning in &warnings {
        out::tell(&format!("warning: {warning}"));
    }
    let migration = Migration::builder(plan).state_dir(dir).build();
    let imported = migration.import_dm_checkpoint(dir)?;
    let mut lines = Vec::new();
    for source in imported {
        lines.push(format!("{}: goes on at {}", source.source, source.position));
        lines.push(format!("{}: applied idempotently until {}", source.source, source.until));
    }
    lines.push(
        "A table without a primary or unique key may get rows twice up to there: compare those."
            .to_owned(),
    );
    out::say(&lines.join("\n"))
}

pub fn worker(args: &ImportWorkerArgs) -> Result<ExitCode, Failure> {
    let mut sources = Vec::new();
    for path in &args.from {
        let text = files::read(path)?;
        let wrong = |e: dm_core::Error| Failure::Usage(format!("{}: {e}", path.display()));
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("ini")) {
            sources.extend(from_inventory(&text).map_err(wrong)?);
        } else {
            sources.push(from_worker_toml(&text).map_err(wrong)?);
        }
    }
    let mut lines = Vec::new();
    for source in &sources {
        let file = write(&args.dir, source)?;
        lines.push(format!("{}: {file}", source.source_id));
        if !source.left_out.is_empty() {
            let keys = source.left_out.join(", ");
            out::tell(&format!("{}: means nothing here: {keys}", source.source_id));
        }
    }
    out::say(&lines.join("\n"))
}

/// Writes a source file that only this user can read; never over one that is there.
fn write(dir: &Path, source: &WorkerSource) -> Result<String, Failure> {
    let name: String = source
        .source_id
        .chars()
        .map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' })
        .collect();
    let path = dir.join(format!("{}.yaml", name.trim_start_matches('.')));
    let cannot =
        |e: std::io::Error| Failure::Usage(format!("{}: cannot be written: {e}", path.display()));
    std::fs::create_dir_all(dir).map_err(cannot)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).map_err(cannot)?;
    file.write_all(source.yaml.as_bytes()).map_err(cannot)?;
    Ok(path.display().to_string())
}
