//! `mysql-instances`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use dm_filter::Chain;

use super::rules::defined;
use super::source::{self, MAX_SOURCE_ID};
use super::{Resolver, lint};
use crate::config::extra_args::ExtraArgs;
use crate::config::keys::join;
use crate::config::plan::{
    DumpPlan, LoadPlan, Pem, SourceKind, SourcePlan, StartPoint, SyncPlan, TaskMode, TlsPlan,
};
use crate::config::raw::{RawInstance, RawMeta};
use crate::error::{Code, codes};

/// The first event of a binlog file stands behind 4 bytes that say it is one.
const FIRST_EVENT: u64 = 4;

impl Resolver<'_> {
    /// All instances; `None` when one of them is not usable, which has been reported then.
    pub(super) fn instances(&mut self, mode: TaskMode) -> Option<Vec<SourcePlan>> {
        let instances = &self.task.mysql_instances;
        if instances.is_empty() {
            let code = &codes::CONFIG_NO_INSTANCES;
            self.file.problem(code, "mysql-instances", "no source is given", "at least one");
            return None;
        }
        let mut plans = Vec::new();
        for (i, instance) in instances.iter().enumerate() {
            let path = format!("mysql-instances[{i}]");
            let Some(instance) = instance else {
                let code = &codes::CONFIG_NULL_INSTANCE;
                self.file.problem(code, path, "the entry is empty", "an instance");
                continue;
            };
            let earlier = instances.iter().take(i).flatten();
            self.source_id(instance, &path, earlier);
            plans.extend(self.instance(instance, &path, mode));
        }
        (plans.len() == instances.len()).then_some(plans)
    }

    fn source_id<'i>(
        &mut self,
        instance: &RawInstance,
        path: &str,
        mut earlier: impl Iterator<Item = &'i RawInstance>,
    ) {
        let id = &instance.source_id;
        let path = join(path, "source-id");
        if id.is_empty() {
            self.file.problem(&codes::CONFIG_NO_SOURCE_ID, path, "no source is named", "an id");
        } else if id.chars().count() > MAX_SOURCE_ID {
            let found = format!("`{id}` has more than {MAX_SOURCE_ID} characters");
            self.file.problem(&codes::CONFIG_LONG_SOURCE_ID, path, found, "");
        } else if earlier.any(|e| e.source_id == *id) {
            let found = format!("`{id}` stands in an earlier entry too");
            self.file.problem(&codes::CONFIG_SAME_SOURCE_ID, path, found, "each source once");
        }
    }

    fn instance(
        &mut self,
        instance: &RawInstance,
        path: &str,
        mode: TaskMode,
    ) -> Option<SourcePlan> {
        let source = self.find_source(instance, path);
        let of_source =
            source.and_then(|i| self.sources.get(i)).is_some_and(|s| s.0.case_sensitive);
        let case = self.task.case_sensitive || of_source;
        if !instance.column_mapping_rules.is_empty() {
            let code = &codes::CONFIG_MAPPING_NAME;
            let found = "column mappings are named";
            self.file.problem(code, join(path, "column-mapping-rules"), found, "no such key");
        }
        let block = self.block_allow(instance, path, case);
        let events = self.event_filter(instance, path, source, case);
        let router = self.router(instance, path, case);
        let expressions = self.expressions(instance, path);
        let (dump, load, sync, args) = self.stages(instance, path, mode, case);
        self.validator(instance, path);
        let meta = self.meta(instance, path, mode, source);
        if let Some(block) = &block {
            lint::note_hidden(self, instance, block);
        }
        lint::instance(self, instance, path, mode, &dump, router.as_deref());
        let (raw, file) = self.sources.get_mut(source?)?;
        let kind = source::kind(raw, file, self.lookup);
        let resume = source::resume(raw, file);
        let (enabled, source_id) = (raw.enable.unwrap_or(true), instance.source_id.clone());
        let kind = self.fit(kind?, path, mode, &load, &args)?;
        let block_allow = Arc::new(block?);
        let events = Arc::new(events?);
        let expressions = Arc::new(expressions?);
        let filter = Chain::new()
            .with(Arc::clone(&block_allow))
            .with(Arc::clone(&events))
            .with(Arc::clone(&expressions));
        Some(SourcePlan {
            source_id,
            enabled,
            kind,
            meta,
            case_sensitive: case,
            filter: Arc::new(filter),
            block_allow,
            events,
            expressions,
            router: router?,
            dump,
            load,
            sync,
            resume,
        })
    }

    /// The index of the source that an instance names.
    fn find_source(&mut self, instance: &RawInstance, path: &str) -> Option<usize> {
        let id = &instance.source_id;
        if id.is_empty() {
            return None;
        }
        let found = self.sources.iter().position(|(s, _)| s.source_id == *id);
        // A source file that could not be read may be the one.
        if found.is_none() && self.sources.iter().all(|(_, file)| !file.unreadable) {
            let known: Vec<_> = self.sources.iter().map(|(s, _)| s.source_id.as_str()).collect();
            let expected = if known.is_empty() {
                "one that is registered (`dm operate-source create`), or the source's file on the command line".to_owned()
            } else {
                format!("one of {}", known.join(", "))
            };
            let found = format!("no source has the id `{id}`");
            let path = join(path, "source-id");
            self.file.problem(&codes::CONFIG_UNKNOWN_SOURCE, path, found, expected);
        }
        found
    }

    fn stages(
        &mut self,
        instance: &RawInstance,
        path: &str,
        mode: TaskMode,
        case: bool,
    ) -> (DumpPlan, LoadPlan, SyncPlan, ExtraArgs) {
        let task = self.task;
        let (raw, place) = self.configuration(
            &Named {
                path,
                group: "mydumpers",
                inline: "mydumper",
                both: &codes::CONFIG_BOTH_MYDUMPER,
                unknown: &codes::CONFIG_MYDUMPER_NAME,
            },
            &instance.mydumper_config_name,
            instance.mydumper.as_ref(),
            &task.mydumpers,
        );
        let (dump, args) = self.dump(&raw, &place, instance.mydumper_thread, mode, case);
        lint::dump(self, &dump, &place, mode);
        let (raw, place) = self.configuration(
            &Named {
                path,
                group: "loaders",
                inline: "loader",
                both: &codes::CONFIG_BOTH_LOADER,
                unknown: &codes::CONFIG_LOADER_NAME,
            },
            &instance.loader_config_name,
            instance.loader.as_ref(),
            &task.loaders,
        );
        let load = self.load(&raw, &place, instance.loader_thread, mode);
        let (raw, place) = self.configuration(
            &Named {
                path,
                group: "syncers",
                inline: "syncer",
                both: &codes::CONFIG_BOTH_SYNCER,
                unknown: &codes::CONFIG_SYNCER_NAME,
            },
            &instance.syncer_config_name,
            instance.syncer.as_ref(),
            &task.syncers,
        );
        let sync = self.sync(&raw, &place, instance.syncer_thread);
        (dump, load, sync, args)
    }

    /// A configuration that is named or written in place, and where it stands.
    fn configuration<T: Clone + Default>(
        &mut self,
        named: &Named<'_>,
        name: &str,
        inline: Option<&T>,
        map: &BTreeMap<String, Option<T>>,
    ) -> (T, String) {
        let name_key = join(named.path, &format!("{}-config-name", named.inline));
        let inline_key = join(named.path, named.inline);
        if name.is_empty() {
            return (inline.cloned().unwrap_or_default(), inline_key);
        }
        if inline.is_some() {
            let found = format!("`{name}` beside `{}`", named.inline);
            self.file.problem(named.both, &name_key, found, "one of the two");
        }
        let place = join(named.group, name);
        match map.get(name) {
            Some(entry) => {
                self.used.insert(place.clone());
                (entry.clone().unwrap_or_default(), place)
            }
            None => {
                let found = format!("`{name}` is not defined");
                self.file.problem(
                    named.unknown,
                    &name_key,
                    found,
                    defined(named.group, map.keys()),
                );
                (T::default(), name_key)
            }
        }
    }

    fn validator(&mut self, instance: &RawInstance, path: &str) {
        let name = &instance.validator_config_name;
        if name.is_empty() {
            return;
        }
        self.used.insert(join("validators", name));
        if !self.task.validators.contains_key(name) {
            let found = format!("`{name}` is not defined");
            let expected = defined("validators", self.task.validators.keys());
            let path = join(path, "validator-config-name");
            self.file.problem(&codes::CONFIG_VALIDATOR_NAME, path, found, expected);
        }
    }

    fn meta(
        &mut self,
        instance: &RawInstance,
        path: &str,
        mode: TaskMode,
        source: Option<usize>,
    ) -> Option<StartPoint> {
        let path = join(path, "meta");
        let source = source.and_then(|i| self.sources.get(i)).map(|(s, _)| s);
        let gtid = source.is_some_and(|s| s.enable_gtid);
        let from_server = source.is_none_or(|s| s.from.is_some());
        let Some(RawMeta { binlog_name, binlog_pos, binlog_gtid }) = &instance.meta else {
            if mode == TaskMode::Incremental && from_server {
                self.file.warn(
                    path,
                    "no `meta` is given: without a checkpoint and without `--start-time`, following begins where the \
                     source's binlog ends at that moment, and nothing older is migrated",
                );
            }
            return None;
        };
        if binlog_name.is_empty() && binlog_gtid.is_empty() {
            let expected = "`binlog-name` and `binlog-pos`, or `binlog-gtid`";
            let code = &codes::CONFIG_META_EMPTY;
            self.file.problem(code, path, "neither file nor GTID set is given", expected);
            return None;
        }
        if mode != TaskMode::Incremental {
            let why = format!(
                "has no effect in the mode `{mode}`: following begins where the copy was taken"
            );
            self.file.warn(&path, why);
        } else if !gtid && !binlog_gtid.is_empty() && source.is_some() {
            let what = if binlog_name.is_empty() { "only the start" } else { "not even the start" };
            let why = format!("the source has `enable-gtid: false`, so that {what} is found by it");
            self.file.warn(join(&path, "binlog-gtid"), why);
        }
        if u32::try_from(*binlog_pos).is_err() {
            let found = format!("found {binlog_pos}");
            let path = join(&path, "binlog-pos");
            self.file.problem(&codes::CONFIG_YAML, path, found, "0 to 4294967295");
        }
        let name = without_relay_suffix(binlog_name);
        if !name.is_empty() && !source::is_binlog_name(&name) {
            let found = format!("found `{binlog_name}`");
            let path = join(&path, "binlog-name");
            let expected = "`base.number`, such as `mysql-bin.000001`";
            self.file.problem(&codes::BINLOG_FILE_NAME, path, found, expected);
        }
        let binlog = (!name.is_empty()).then(|| (name, (*binlog_pos).max(FIRST_EVENT)));
        let gtid = (!binlog_gtid.is_empty()).then(|| binlog_gtid.clone());
        Some(StartPoint { binlog, gtid })
    }

    /// Brings the source together with the task's mode.
    fn fit(
        &mut self,
        mut kind: SourceKind,
        path: &str,
        mode: TaskMode,
        load: &LoadPlan,
        args: &ExtraArgs,
    ) -> Option<SourceKind> {
        let loads = matches!(mode, TaskMode::Load | TaskMode::LoadAndSync);
        let dir = || Some(PathBuf::from(&load.dir));
        let missing = match &mut kind {
            SourceKind::Mysql(server) => {
                if loads && server.dump_dir.is_none() {
                    server.dump_dir = dir();
                }
                take_certificates(server.conn.tls.get_or_insert_default(), args);
                server.conn.tls =
                    server.conn.tls.take().filter(|t| t.ca.is_some() || t.cert.is_some());
                None
            }
            SourceKind::Recorded(files) => {
                if loads && files.dump_dir.is_none() {
                    files.dump_dir = dir();
                }
                if mode.copies() && files.dump_dir.is_none() {
                    Some("`recorded.dump-dir`")
                } else if mode.syncs() && files.binlog.is_none() {
                    Some("`recorded.binlog-files` or `recorded.binlog-dir`")
                } else {
                    None
                }
            }
        };
        let Some(missing) = missing else { return Some(kind) };
        let found = format!("the source has no {missing}, which the mode `{mode}` needs");
        self.file.problem(&codes::CONFIG_SOURCE_KIND, join(path, "source-id"), found, "");
        None
    }
}

/// DM's checkpoints name files of its relay log `mysql-bin|000001.000123`, where the server's own name
/// is `mysql-bin.000123`; people copy such names into `meta`.
fn without_relay_suffix(name: &str) -> String {
    match name.split_once('|').and_then(|(base, rest)| Some((base, rest.split_once('.')?.1))) {
        Some((base, number)) => format!("{base}.{number}"),
        None => name.to_owned(),
    }
}

/// `--ca`, `--cert` and `--key` of `extra-args` go before the source's own.
fn take_certificates(tls: &mut TlsPlan, args: &ExtraArgs) {
    let pairs = [(&args.ca, &mut tls.ca), (&args.cert, &mut tls.cert), (&args.key, &mut tls.key)];
    for (given, pem) in pairs {
        if let Some(path) = given {
            *pem = Some(Pem::Path(PathBuf::from(path)));
        }
    }
}

/// A kind of configuration that an instance names or holds.
struct Named<'a> {
    path: &'a str,
    group: &'static str,
    inline: &'static str,
    both: &'static Code,
    unknown: &'static Code,
}
