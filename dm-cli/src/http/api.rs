//! The part of DM's OpenAPI that only tells: sources, tasks, and how a task stands.

use dm_core::error::codes;
use dm_core::{SourceStatus, TaskStatus, Unit, metrics};
use serde_json::{Value, json};

use super::routes::{About, Place, Response};

/// Answers a path below `/api`.
pub fn answer(method: &str, path: &str, about: &About, status: &TaskStatus) -> Response {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let read = matches!(method, "GET" | "HEAD");
    match parts.as_slice() {
        ["api", "v1", "sources"] if read => list(about.sources.iter().map(source).collect()),
        ["api", "v1", "sources", id] if read => match about.sources.iter().find(|s| s.id == *id) {
            Some(place) => Response::json(200, &source(place)),
            None => missing(&format!("there is no source {id:?} in this task")),
        },
        ["api", "v1", "tasks"] if read => list(vec![task(about)]),
        ["api", "v1", "tasks", name] if read && *name == about.task => {
            Response::json(200, &task(about))
        }
        ["api", "v1", "tasks", name, "status"] if read && *name == about.task => {
            list(status.sources.iter().map(|s| sub_task(about, s)).collect())
        }
        ["api", "v1", "tasks", name] | ["api", "v1", "tasks", name, "status"] if read => {
            missing(&format!("this process runs the task {:?}, not {name:?}", about.task))
        }
        _ => failure(
            501,
            &format!(
                "{method} {path} is not offered: this interface only tells; use the commands of dm"
            ),
            codes::OPENAPI.number,
        ),
    }
}

fn list(data: Vec<Value>) -> Response {
    Response::json(200, &json!({ "total": data.len(), "data": data }))
}

fn missing(message: &str) -> Response {
    failure(400, message, codes::OPENAPI_SOURCE.number)
}

/// DM's form of an error.
fn failure(status: u16, message: &str, code: u32) -> Response {
    Response::json(status, &json!({ "error_msg": message, "error_code": code }))
}

/// What stands in place of every password.
const HIDDEN: &str = "******";

fn source(place: &Place) -> Value {
    let (host, port, user) = place.server.clone().unwrap_or_default();
    json!({
        "source_name": place.id,
        "host": host,
        "port": port,
        "user": user,
        "password": HIDDEN,
        "enable": place.enabled,
        "enable_gtid": place.gtid,
        "security": null,
        "purge": null,
        "relay_config": null,
    })
}

fn task(about: &About) -> Value {
    let (host, port, user) = about.target.clone().unwrap_or_default();
    let sources: Vec<Value> =
        about.sources.iter().map(|s| json!({ "source_name": s.id })).collect();
    json!({
        "name": about.task,
        "task_mode": about.mode,
        "meta_schema": about.meta_schema,
        "target_config": { "host": host, "port": port, "user": user, "password": HIDDEN, "security": null },
        "source_config": { "source_conf": sources },
    })
}

/// The lines of DM's `SubTaskStatus`; numbers are numbers here, as DM's document has it.
fn sub_task(about: &About, s: &SourceStatus) -> Value {
    let text = |p: Option<String>| p.unwrap_or_default();
    let load = json!({
        "finished_bytes": s.copy.bytes,
        "total_bytes": s.copy.bytes_estimated.max(s.copy.bytes),
        "progress": format!("{:.2} %", metrics::progress(s) * 100.0),
        "meta_binlog": "",
        "meta_binlog_gtid": "",
    });
    let jobs = s.stream.inserted + s.stream.updated + s.stream.deleted;
    let place = s.position.binlog.as_ref().map(|b| format!("({}, {})", b.file, b.offset));
    let sync = json!({
        "total_events": jobs,
        "total_tps": 0,
        "recent_tps": 0,
        "master_binlog": "",
        "master_binlog_gtid": "",
        "syncer_binlog": text(place),
        "syncer_binlog_gtid": text(s.position.gtid.as_ref().map(ToString::to_string)),
        "blocking_ddls": s.waiting_for.iter().collect::<Vec<_>>(),
        "unresolved_groups": [],
        "synced": s.lag_seconds == 0 && s.txns_under_way == 0,
        "binlog_type": "remote",
        "seconds_behind_master": s.lag_seconds,
    });
    let mut status = json!({
        "name": about.task,
        "source_name": s.source,
        "worker_name": "dm",
        "stage": s.stage.as_str(),
        "unit": s.unit.as_str(),
        "unresolved_ddl_lock_id": "",
        "error_msg": s.error,
    });
    let unit = match s.unit {
        Unit::Sync => ("sync_status", sync),
        _ => ("load_status", load),
    };
    if let Some(fields) = status.as_object_mut() {
        fields.insert(unit.0.to_owned(), unit.1);
    }
    status
}
