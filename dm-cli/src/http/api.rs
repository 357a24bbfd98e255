//! The part of DM's OpenAPI that only tells: sources, tasks, and how a task stands.

use dm_core::error::codes;
use dm_core::state::Stage;
use dm_core::{SourceStatus, TaskStatus, Unit, metrics};
use serde_json::{Value, json};

use super::request::Request;
use super::routes::{About, Place, Response};
use crate::operate::answers::WORKER;
use crate::operate::relay::View;

/// Answers a path below `/api`.
pub fn answer(request: &Request, about: &About, status: &TaskStatus) -> Response {
    let (method, path) = (request.method.as_str(), request.path.as_str());
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let read = matches!(method, "GET" | "HEAD");
    match parts.as_slice() {
        ["api", "v1", "sources"] if read => {
            let asked = with_status(request);
            list(about.sources.iter().map(|place| source_with(about, place, asked)).collect())
        }
        ["api", "v1", "sources", id, "status"] if read => {
            match about.sources.iter().find(|s| s.id == *id) {
                Some(place) => list(vec![source_status(about, &place.id)]),
                None => missing(&format!("there is no source {id:?} in this task")),
            }
        }
        ["api", "v1", "sources", id] if read => match about.sources.iter().find(|s| s.id == *id) {
            Some(place) => Response::json(200, &source(place)),
            None => missing(&format!("there is no source {id:?} in this task")),
        },
        ["api", "v1", "tasks"] if read => list(tasks(request, about, status)),
        ["api", "v1", "tasks", name] if read && *name == about.task => {
            Response::json(200, &task(request, about, status))
        }
        ["api", "v1", "tasks", name, "status"] if read && *name == about.task => {
            list(sub_tasks(request, about, status))
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

/// The values of a key in the query: it may be repeated, and each may be a list with commas.
fn values<'r>(request: &'r Request, key: &'r str) -> impl Iterator<Item = &'r str> {
    let pairs = request.query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(move |(name, _)| *name == key).flat_map(|(_, value)| value.split(','))
}

fn with_status(request: &Request) -> bool {
    values(request, "with_status").any(|value| value == "true")
}

/// The parts of the task: those of the sources in `source_name_list`, in the stages of `stage`, where these
/// are given.
fn sub_tasks(request: &Request, about: &About, status: &TaskStatus) -> Vec<Value> {
    let wanted = |key: &str, found: &str| {
        let mut values = values(request, key).filter(|v| !v.is_empty()).peekable();
        values.peek().is_none() || values.any(|v| v.eq_ignore_ascii_case(found))
    };
    let chosen = status
        .sources
        .iter()
        .filter(|s| wanted("source_name_list", &s.source) && wanted("stage", s.stage.as_str()));
    chosen.map(|s| sub_task(about, s)).collect()
}

/// The task, with how it stands where that is asked for.
fn task(request: &Request, about: &About, status: &TaskStatus) -> Value {
    let mut one = about.document.clone();
    if let Some(fields) = one.as_object_mut().filter(|_| with_status(request)) {
        fields.insert("status_list".to_owned(), sub_tasks(request, about, status).into());
    }
    one
}

/// The one task of this process, unless no part of it is as the query wants it.
fn tasks(request: &Request, about: &About, status: &TaskStatus) -> Vec<Value> {
    let any = !sub_tasks(request, about, status).is_empty();
    any.then(|| task(request, about, status)).into_iter().collect()
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
pub const HIDDEN: &str = "******";

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
        "security": place.allowed_cn.as_ref().map(|names| security(names)),
        "purge": place.relay.as_ref().map(|relay| json!({
            "interval": relay.purge.interval.as_secs(),
            "expires": relay.purge.expires.map_or(0, |span| span.as_secs() / 3_600),
            "remain_space": relay.purge.remain_space.unwrap_or(0) >> 30,
        })),
        "relay_config": place.relay.as_ref().map(|relay| json!({
            "enable_relay": relay.enabled,
            "relay_binlog_name": relay.binlog_name.clone().unwrap_or_default(),
            "relay_binlog_gtid": relay.binlog_gtid.clone().unwrap_or_default(),
            "relay_dir": relay.dir.as_ref().map(|d| d.display().to_string()).unwrap_or_default(),
        })),
    })
}

/// DM's `Security` of an encrypted connection. Certificates and keys are not told.
pub fn security(allowed_cn: &[String]) -> Value {
    json!({
        "ssl_ca_content": "",
        "ssl_cert_content": "",
        "ssl_key_content": "",
        "cert_allowed_cn": allowed_cn,
    })
}

/// The line of DM's `SourceStatus` of a source.
fn source_status(about: &About, id: &str) -> Value {
    let relay = View::read(&about.state_dir, id);
    json!({
        "source_name": id,
        "worker_name": WORKER,
        "relay_status": relay.as_ref().map(View::open_api),
        "error_msg": relay.as_ref().map(View::error_text).unwrap_or_default(),
    })
}

/// A source, with how it stands where that is asked for.
fn source_with(about: &About, place: &Place, status: bool) -> Value {
    let mut one = source(place);
    if let Some(fields) = one.as_object_mut().filter(|_| status) {
        let list = vec![source_status(about, &place.id)];
        fields.insert("status_list".to_owned(), list.into());
    }
    one
}

/// True when all that the source had when it was asked last has arrived.
fn synced(s: &SourceStatus) -> bool {
    let runs = matches!(s.stage, Stage::Running | Stage::Finished);
    let arrived = match (&s.source_end.gtid, &s.source_end.binlog) {
        (Some(end), _) => s.position.gtid.as_ref() == Some(end),
        (None, Some(end)) => s.position.binlog.as_ref() == Some(end),
        (None, None) => false,
    };
    runs && arrived
}

/// The lines of DM's `SubTaskStatus`; numbers are numbers here, as DM's document has it.
fn sub_task(about: &About, s: &SourceStatus) -> Value {
    let text = |p: Option<String>| p.unwrap_or_default();
    let load = json!({
        "finished_bytes": s.copy.all_bytes(),
        "total_bytes": s.copy.bytes_estimated.max(s.copy.all_bytes()),
        "progress": format!("{:.2} %", metrics::progress(s) * 100.0),
        "meta_binlog": text(s.copy.position.binlog.as_ref().map(ToString::to_string)),
        "meta_binlog_gtid": text(s.copy.position.gtid.as_ref().map(ToString::to_string)),
    });
    let jobs = s.stream.inserted + s.stream.updated + s.stream.deleted;
    let place = s.position.binlog.as_ref().map(ToString::to_string);
    let reads = if View::read(&about.state_dir, &s.source).is_some() { "local" } else { "remote" };
    let sync = json!({
        "total_events": jobs,
        "total_tps": s.mean_rows_per_second,
        "recent_tps": s.rows_per_second,
        "master_binlog": text(s.source_end.binlog.as_ref().map(ToString::to_string)),
        "master_binlog_gtid": text(s.source_end.gtid.as_ref().map(ToString::to_string)),
        "syncer_binlog": text(place),
        "syncer_binlog_gtid": text(s.position.gtid.as_ref().map(ToString::to_string)),
        "blocking_ddls": s.waiting_for.iter().collect::<Vec<_>>(),
        "unresolved_groups": [],
        "synced": synced(s),
        "binlog_type": reads,
        "seconds_behind_master": s.lag_seconds,
    });
    let mut status = json!({
        "name": about.task,
        "source_name": s.source,
        "worker_name": WORKER,
        "stage": s.stage.as_str(),
        "unit": s.unit.as_str(),
        "unresolved_ddl_lock_id": "",
        "error_msg": s.error.clone().unwrap_or_default(),
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use dm_core::config::{RawTask, SourceText, TaskPlan};

    use super::*;

    /// Where a connection is encrypted DM's document says so, without certificates and keys.
    #[test]
    fn encrypted_connections_are_told() {
        let task = "
name: t
task-mode: all
target-database:
  {host: h, user: u, security: {ssl-ca: /ca.pem, cert-allowed-cn: [db]}}
mysql-instances: [{source-id: a}, {source-id: b}]";
        let a = "{source-id: a, from: {host: h, user: u, security: {ssl-ca: /ca.pem}}}";
        let b = "{source-id: b, from: {host: h, user: u}}";
        let text = |name, text| SourceText { name, text };
        let task = text("task.yaml", task);
        let sources = [text("a.yaml", a), text("b.yaml", b)];
        let (plan, _) = TaskPlan::from_yaml(&task, &sources, &|_| None).unwrap();
        let about = About::new(&plan, &RawTask::from_yaml(&task).unwrap(), Path::new("none"));
        let told: Vec<Value> =
            about.sources.iter().map(|p| source(p)["security"].clone()).collect();
        let empty = security(&[]);
        assert_eq!(told, [empty, Value::Null]);
        let target = &about.document["target_config"]["security"];
        assert_eq!(target, &security(&["db".to_owned()]));
        assert_eq!(target["ssl_ca_content"], "");
    }
}
