//! A task in the words of DM's OpenAPI: what its file says, with the defaults.

use dm_core::config::{
    ConnPlan, OnDuplicate, RawInstance, RawTask, ShardMode, SourcePlan, TaskPlan,
};
use serde_json::{Map, Value, json};

use super::api::{HIDDEN, security};

/// DM's `Task`. Holds no password.
pub fn document(raw: &RawTask, plan: &TaskPlan, target: Option<&ConnPlan>) -> Value {
    let server = target.map(|to| (to.host.as_str(), to.port, to.user.as_str()));
    let (host, port, user) = server.unwrap_or_default();
    let tls = target.and_then(|to| to.tls.as_ref());
    let first = plan.sources.first();
    json!({
        "name": plan.name,
        "task_mode": plan.mode.as_str(),
        "shard_mode": shard_mode(plan.shard_mode),
        "meta_schema": plan.meta_schema,
        "enhance_online_schema_change": plan.online_ddl.is_some(),
        "on_duplicate": first.map_or("", |s| on_duplicate(s.load.on_duplicate)),
        "target_config": {
            "host": host, "port": port, "user": user, "password": HIDDEN,
            "security": tls.map(|tls| security(&tls.allowed_cn)),
        },
        "binlog_filter_rule": filter_rules(raw),
        "table_migrate_rule": migrate_rules(raw),
        "source_config": {
            "full_migrate_conf": first.map(full),
            "incr_migrate_conf": first.map(|s| json!({
                "repl_threads": s.sync.workers, "repl_batch": s.sync.batch,
            })),
            "source_conf": raw.mysql_instances.iter().flatten().map(source).collect::<Vec<_>>(),
        },
    })
}

fn shard_mode(mode: ShardMode) -> &'static str {
    match mode {
        ShardMode::Pessimistic => "pessimistic",
        ShardMode::Optimistic { .. } => "optimistic",
        _ => "",
    }
}

fn on_duplicate(what: OnDuplicate) -> &'static str {
    match what {
        OnDuplicate::Replace => "overwrite",
        _ => "error",
    }
}

fn full(source: &SourcePlan) -> Value {
    json!({
        "export_threads": source.dump.threads,
        "import_threads": source.load.workers,
        "data_dir": "",
        "consistency": source.dump.consistency.as_str(),
    })
}

fn source(instance: &RawInstance) -> Value {
    let meta = instance.meta.clone().unwrap_or_default();
    json!({
        "source_name": instance.source_id,
        "binlog_name": meta.binlog_name,
        "binlog_pos": meta.binlog_pos,
        "binlog_gtid": meta.binlog_gtid,
    })
}

/// The filters that leave something out; the other kind has no words in DM's document.
fn filter_rules(raw: &RawTask) -> Map<String, Value> {
    let rules = raw.filters.iter().filter_map(|(name, rule)| {
        let rule = rule.as_ref().filter(|r| r.action.eq_ignore_ascii_case("ignore"))?;
        let told = json!({"ignore_event": rule.events, "ignore_sql": rule.sql_pattern});
        Some((name.clone(), told))
    });
    rules.collect()
}

/// For each source its routes, and the tables that are carried under their own names.
fn migrate_rules(raw: &RawTask) -> Vec<Value> {
    let mut all = Vec::new();
    for instance in raw.mysql_instances.iter().flatten() {
        let mut add = |from: (&str, &str), to: (&str, &str)| {
            let source = json!({
                "source_name": instance.source_id, "schema": from.0, "table": from.1,
            });
            let target = json!({"schema": to.0, "table": to.1});
            all.push(json!({
                "source": source, "target": target, "binlog_filter_rule": instance.filter_rules,
            }));
        };
        for route in instance.route_rules.iter().filter_map(|name| raw.routes.get(name)) {
            let Some(route) = route else { continue };
            add(
                (&route.schema_pattern, &route.table_pattern),
                (&route.target_schema, &route.target_table),
            );
        }
        let lists = [
            (&instance.block_allow_list, &raw.block_allow_list),
            (&instance.black_white_list, &raw.black_white_list),
        ];
        for list in lists.into_iter().filter_map(|(name, lists)| lists.get(name)?.as_ref()) {
            list.do_tables.iter().for_each(|t| {
                add((&t.db_name, &t.tbl_name), (&t.db_name, &t.tbl_name));
            });
            if list.do_tables.is_empty() {
                list.do_dbs.iter().for_each(|db| add((db, "*"), (db, "*")));
            }
        }
    }
    all
}
