//! `mydumpers`, `loaders`, `syncers`, `validators`.

use std::time::Duration;

use super::Resolver;
use crate::config::context::File;
use crate::config::extra_args::{self, ExtraArgs};
use crate::config::keys::join;
use crate::config::plan::{
    CommitOrder, DumpPlan, LoadPlan, MissingRow, OnDuplicate, ShardMode, SyncPlan, TaskMode,
};
use crate::config::raw::{RawDump, RawLoad, RawSync};
use crate::config::{defaults, scalar};
use crate::error::{Code, codes};

/// Reads one of several words; the first of them is the default.
fn word<T: Copy>(
    file: &mut File,
    code: &'static Code,
    path: String,
    text: Option<&str>,
    words: &[(&str, T)],
) -> Option<T> {
    let (_, default) = words.first()?;
    let Some(text) = text.filter(|t| !t.is_empty()) else { return Some(*default) };
    if let Some((_, value)) = words.iter().find(|(w, _)| w.eq_ignore_ascii_case(text)) {
        return Some(*value);
    }
    let known: Vec<_> = words.iter().map(|(w, _)| *w).collect();
    file.problem(code, path, format!("found `{text}`"), format!("one of {}", known.join(", ")));
    Some(*default)
}

fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

impl Resolver<'_> {
    /// How a source is read; `place` is where `raw` stands, and `override_` the instance's own number of threads.
    pub(super) fn dump(
        &mut self,
        raw: &RawDump,
        place: &str,
        override_: u64,
        mode: TaskMode,
        case: bool,
    ) -> (DumpPlan, ExtraArgs) {
        let file = &mut self.file;
        if mode.dumps() && raw.mydumper_path.as_deref() == Some("") {
            let path = join(place, "mydumper-path");
            file.problem(&codes::CONFIG_MYDUMPER_PATH, path, "an empty path", "no such key");
        }
        let size = raw.chunk_filesize.as_deref().filter(|s| !s.is_empty());
        let size = size.and_then(|text| {
            let bytes = scalar::bytes(text, 1 << 20).filter(|n| *n > 0);
            if bytes.is_none() {
                let path = join(place, "chunk-filesize");
                let expected = "a number of MiB, or a number with a unit";
                file.problem(&codes::CONFIG_CHUNK_SIZE, path, format!("found `{text}`"), expected);
            }
            bytes
        });
        let args_at = join(place, "extra-args");
        let args = extra_args::parse(&raw.extra_args, case).unwrap_or_else(|errors| {
            for e in errors {
                file.problem(&codes::CONFIG_EXTRA_ARGS, &args_at, e, "");
            }
            ExtraArgs::default()
        });
        for note in &args.ignored {
            file.warn(&args_at, note.as_str());
        }
        let positive = |n: Option<u64>, default| n.filter(|n| *n > 0).unwrap_or(default);
        let threads = args.threads.or(Some(override_).filter(|n| *n > 0)).or(raw.threads);
        let where_typed = Some(raw.where_clause.clone()).filter(|w| !w.is_empty());
        let plan = DumpPlan {
            threads: to_usize(positive(threads, defaults::DUMP_THREADS)),
            chunk_rows: positive(args.rows.or(raw.rows), defaults::CHUNK_ROWS),
            chunk_bytes: positive(args.chunk_bytes.or(size), defaults::CHUNK_BYTES),
            statement_bytes: positive(
                args.statement_bytes.or(raw.statement_size),
                defaults::STATEMENT_BYTES,
            ),
            where_clause: args.where_clause.clone().or(where_typed),
            consistency: args.consistency.unwrap_or_default(),
            snapshot: args.snapshot.clone(),
            select: Some(args.select.clone()).filter(|s| !s.is_empty()),
            views: args.views.unwrap_or(false),
        };
        (plan, args)
    }

    /// How the copy is written.
    pub(super) fn load(
        &mut self,
        raw: &RawLoad,
        place: &str,
        override_: u64,
        mode: TaskMode,
    ) -> LoadPlan {
        self.import_mode(raw, place);
        let dir = raw.dir.clone().filter(|d| !d.is_empty());
        let dir = dir.unwrap_or_else(|| defaults::LOAD_DIR.to_owned());
        if dir.contains("://") && matches!(mode, TaskMode::Load | TaskMode::LoadAndSync) {
            let found = format!("found `{dir}`");
            let path = join(place, "dir");
            self.file.problem(&codes::CONFIG_S3_DIR, path, found, "a path of this host");
        }
        let words = [
            ("replace", OnDuplicate::Replace),
            ("error", OnDuplicate::Error),
            ("ignore", OnDuplicate::Ignore),
        ];
        let path = join(place, "on-duplicate-logical");
        let text = raw.on_duplicate_logical.as_deref();
        let code = &codes::CONFIG_ON_DUPLICATE;
        let on_duplicate = word(&mut self.file, code, path, text, &words).unwrap_or_default();
        let workers = Some(override_).filter(|n| *n > 0).or(raw.pool_size.filter(|n| *n > 0));
        LoadPlan { workers: to_usize(workers.unwrap_or(defaults::LOAD_WORKERS)), dir, on_duplicate }
    }

    /// The keys of imports that go around SQL: checked, and answered.
    fn import_mode(&mut self, raw: &RawLoad, place: &str) {
        let several = self.task.mysql_instances.len() > 1
            || self.task.is_sharding
            || !self.task.shard_mode.is_empty();
        let file = &mut self.file;
        let modes = [
            ("logical", "logical"),
            ("sql", "logical"),
            ("loader", "logical"),
            ("physical", "physical"),
            ("import-into", "import-into"),
        ];
        let path = join(place, "import-mode");
        let text = raw.import_mode.as_deref();
        match word(file, &codes::CONFIG_IMPORT_MODE, path.clone(), text, &modes) {
            Some("import-into") if several => {
                let found = "import-into with several sources or a shard-mode";
                file.problem(&codes::CONFIG_IMPORT_INTO_SOURCES, path, found, "logical");
            }
            Some("import-into") if !raw.dir.as_deref().unwrap_or("").contains("://") => {
                let found = "import-into with a directory of this host";
                let path = join(place, "dir");
                file.problem(&codes::CONFIG_IMPORT_INTO_DIR, path, found, "logical");
            }
            Some("physical" | "import-into") => file.warn(
                path,
                "rows are written by SQL, as in the mode `logical`: slower for very large tables, and the target's \
                 tables need not be empty",
            ),
            _ => {}
        }
        let words = |key: &str| join(place, key);
        let three = [("required", ()), ("optional", ()), ("off", ())];
        word(
            file,
            &codes::CONFIG_ON_DUPLICATE_PHYSICAL,
            words("on-duplicate-physical"),
            raw.on_duplicate_physical.as_deref(),
            &[("none", ()), ("manual", ())],
        );
        let checksum = raw.checksum_physical.as_deref();
        let path = words("checksum-physical");
        word(file, &codes::CONFIG_CHECKSUM_PHYSICAL, path, checksum, &three);
        let path = words("analyze");
        word(file, &codes::CONFIG_ANALYZE, path, raw.analyze.as_deref(), &three);
        let no_size = |text: &&String| scalar::bytes(text, 1).is_none();
        if let Some(text) = raw.disk_quota_physical.as_ref().filter(no_size) {
            let path = words("disk-quota-physical");
            file.problem(&codes::CONFIG_VALUE, path, format!("found `{text}`"), "a size");
        }
    }

    /// How the binlog is applied.
    pub(super) fn sync(&mut self, raw: &RawSync, place: &str, override_: u64) -> SyncPlan {
        let positive = |n: Option<u64>, default| n.filter(|n| *n > 0).unwrap_or(default);
        let seconds = positive(raw.checkpoint_flush_interval, defaults::CHECKPOINT_INTERVAL);
        let checkpoint_interval = Duration::from_secs(seconds);
        let safe_mode_duration = self.safe_mode_duration(raw, place, checkpoint_interval);
        if self.foreign_key_checks() {
            for (on, key) in [(raw.compact, "compact"), (raw.multiple_rows, "multiple-rows")] {
                if on {
                    let found = format!("`{key}` is on, and so is `foreign_key_checks`");
                    let code = &codes::CONFIG_FOREIGN_KEYS;
                    self.file.problem(code, join(place, key), found, "one of them off");
                }
            }
        }
        let file = &mut self.file;
        let missing = [
            ("warn", MissingRow::Warn),
            ("ignore", MissingRow::Ignore),
            ("stop", MissingRow::Stop),
        ];
        let orders = [("key", CommitOrder::Key), ("source", CommitOrder::Source)];
        let allow = [("", false), ("allow", true)];
        let code = &codes::CONFIG_VALUE;
        let path = |key| join(place, key);
        let workers = Some(override_).filter(|n| *n > 0).or(raw.worker_count);
        SyncPlan {
            workers: to_usize(positive(workers, defaults::SYNC_WORKERS)),
            batch: to_usize(positive(raw.batch, defaults::SYNC_BATCH)),
            queue_size: to_usize(positive(raw.queue_size, defaults::QUEUE_SIZE)),
            checkpoint_interval,
            compact: raw.compact,
            multiple_rows: raw.multiple_rows,
            safe_mode: raw.safe_mode,
            safe_mode_duration,
            missing_row: word(
                file,
                code,
                path("missing-row"),
                raw.missing_row.as_deref(),
                &missing,
            )
            .unwrap_or_default(),
            commit_order: word(
                file,
                code,
                path("commit-order"),
                raw.commit_order.as_deref(),
                &orders,
            )
            .unwrap_or_default(),
            allow_at_least_once: word(
                file,
                code,
                path("at-least-once"),
                raw.at_least_once.as_deref(),
                &allow,
            )
            .unwrap_or_default(),
        }
    }

    fn safe_mode_duration(&mut self, raw: &RawSync, place: &str, interval: Duration) -> Duration {
        let path = join(place, "safe-mode-duration");
        let duration = match raw.safe_mode_duration.as_deref() {
            None => defaults::SAFE_MODE_DURATION,
            Some("") => interval.saturating_mul(2),
            Some(text) => scalar::duration(text).unwrap_or_else(|| {
                let found = format!("found `{text}`");
                let code = &codes::CONFIG_SAFE_MODE_DURATION;
                self.file.problem(code, &path, found, "a duration such as `60s`");
                defaults::SAFE_MODE_DURATION
            }),
        };
        if raw.safe_mode && duration.is_zero() {
            let found = "zero, and `safe-mode` is true";
            self.file.problem(&codes::CONFIG_SAFE_MODE_ZERO, path, found, "one of the two");
        }
        duration
    }

    /// Checks every validator by itself.
    pub(super) fn check_validators(&mut self) {
        let (task, file) = (self.task, &mut self.file);
        for (name, raw) in &task.validators {
            let Some(raw) = raw else { continue };
            let place = join("validators", name);
            let modes = [("none", false), ("fast", true), ("full", true)];
            let path = join(&place, "mode");
            let code = &codes::CONFIG_VALIDATION_MODE;
            if word(file, code, path.clone(), raw.mode.as_deref(), &modes) == Some(true) {
                file.warn(
                    path,
                    "comparing both sides comes with a later release; the task runs without it",
                );
            }
            for (key, text) in &raw.durations {
                if scalar::duration(text).is_none() {
                    let found = format!("found `{text}`");
                    let expected = "a duration such as `10s`";
                    file.problem(&codes::CONFIG_YAML, join(&place, key), found, expected);
                }
            }
            let no_size = |text: &&String| scalar::bytes(text, 1).is_none();
            if let Some(text) = raw.max_pending_row_size.as_ref().filter(no_size) {
                let found = format!("found `{text}`");
                let path = join(&place, "max-pending-row-size");
                file.problem(&codes::CONFIG_YAML, path, found, "a size such as `500m`");
            }
        }
    }
}

impl ShardMode {
    /// True when DDLs of merged tables are coordinated.
    pub fn coordinates(self) -> bool {
        self != Self::None
    }
}
