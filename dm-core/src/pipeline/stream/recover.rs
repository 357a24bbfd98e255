//! Where a run of the stream starts, and with what it knows.

use std::collections::HashMap;
use std::sync::Arc;

use dm_filter::TableName;

use super::xa::Held;
use super::{Start, StreamContext};
use crate::ddl::ServerVersion;
use crate::error::{Error, Result, codes};
use crate::online_ddl::{Follower, Names};
use crate::pipeline::LanePart;
use crate::pipeline::defaults::defaults_of;
use crate::pipeline::progress::Low;
use crate::pipeline::windows::Windows;
use crate::position::Position;
use crate::schema::{HistoryStart, Place, SchemaCopy, SchemaInfo, Tracker};
use crate::source::LastGroup;
use crate::state::{
    Checkpoint, Contained, IDEMPOTENT_SECOND, LANE_START, LAST_GROUP, LaneChanges, PreparedXa,
    TrackedTable,
};

/// Asks target and state file what has arrived. The lane must have a checkpoint.
pub(super) fn recover(ctx: &StreamContext) -> Result<Start> {
    let recovered = ctx.sink.recover(&ctx.task, &ctx.lane, &ctx.stop)?;
    let unmarked = super::unmarked::at_start(ctx)?;
    let lane = ctx.state.begin_run(&ctx.lane, recovered.epoch)?;
    let checkpoint = lane.checkpoint.ok_or_else(|| {
        Error::new(
            &codes::CHECKPOINT_MODE,
            format!("lane {} has no position to start from", ctx.lane),
        )
    })?;
    let mut low =
        Low { ordinal: checkpoint.ordinal, position: checkpoint.position, at: checkpoint.event_at };
    // The marks may be ahead: the state file is saved less often, or was restored from a backup.
    if let Some((ordinal, text)) = recovered.low
        && ordinal > low.ordinal
    {
        low = Low { ordinal, position: Position::from_text(&text)?, at: low.at };
    }
    let mut applied = recovered.applied;
    applied.forget_upto(low.ordinal);
    let reader = ctx.state.reader();
    let saved = reader.tracker(&ctx.lane)?;
    let mut tracker = Tracker::new(defaults_of(&ctx.info));
    for schema in &saved.schemas {
        tracker.set_schema(&schema.name, schema_defaults(schema));
    }
    for table in saved.tables {
        tracker.set_since(table.name, table.schema, table.assumed, table.since);
    }
    let pending = reader
        .pending_ddl(&ctx.lane)?
        .into_iter()
        .filter(|p| match (&p.ddl.gtid, &low.position.gtid) {
            (Some(gtid), Some(passed)) => !passed.contains(gtid),
            _ => p.ddl.ordinal > low.ordinal,
        })
        .collect();
    let copied = reader.note(&ctx.lane, super::COPIED)?;
    let last_group = reader.note(&ctx.lane, LAST_GROUP)?.as_deref().and_then(LastGroup::from_bytes);
    let contained = windows(ctx)?;
    let last_server = last_group.as_ref().map(|last| last.server.as_str());
    super::behind::check(ctx, &low.position, &applied, &contained, last_server)?;
    let (xa, read_again) = kept(reader.xa(&ctx.lane)?, low.ordinal);
    Ok(Start {
        xa,
        copied: match copied {
            Some(text) => Some(Position::from_text(&String::from_utf8_lossy(&text))?),
            None => None,
        },
        last_group,
        windows: Windows::new(contained),
        low,
        epoch: lane.epoch,
        applied,
        tracker,
        idempotent_until: lane.idempotent_until,
        idempotent_second: reader
            .note(&ctx.lane, IDEMPOTENT_SECOND)?
            .and_then(|digits| String::from_utf8(digits).ok()?.parse().ok()),
        pending,
        online: online(ctx)?,
        changes: LaneChanges { removed_xa: read_again, ..LaneChanges::default() },
        unmarked,
        history_of: reader.history_start(&ctx.lane)?.filter(|s| s.place.position.binlog.is_some()),
    })
}

/// Prepared transactions that are kept from here on, and names of those that are read again: they lie behind
/// the low-water mark. Behind a failover another server may bring these in another order, with other numbers.
fn kept(prepared: Vec<PreparedXa>, low: u64) -> (HashMap<String, Held>, Vec<String>) {
    let (kept, again): (Vec<_>, Vec<_>) = prepared.into_iter().partition(|p| p.ordinal <= low);
    (kept.into_iter().map(Held::kept).collect(), again.into_iter().map(|p| p.xid).collect())
}

/// What the copied rows contain of what the lane reads. The windows of a table that is being added are
/// its own lane's.
fn windows(ctx: &StreamContext) -> Result<Vec<Contained>> {
    let mut contained = ctx.state.reader().contained(&ctx.lane.source)?;
    contained.retain(|c| match &ctx.creator.part {
        LanePart::All => true,
        LanePart::Without(others) => !others.contains(&c.table),
        LanePart::Only(_) => false,
    });
    if let Some(lane) = &ctx.copy_lane
        && let Some(copy) = ctx.state.reader().copy(lane)?
    {
        contained.extend(copy.tables.into_iter().map(|t| Contained {
            table: t.copy.info.name,
            upto: Arc::new(t.contained_upto.unwrap_or_else(|| t.position.clone())),
            from: Arc::new(t.position),
        }));
    }
    Ok(contained)
}

/// What is known of online schema changes at the checkpoint.
fn online(ctx: &StreamContext) -> Result<Option<Follower>> {
    let Some(rules) = &ctx.creator.online else { return Ok(None) };
    let names = Names::new(Arc::clone(rules), ctx.info.lower_case_table_names != 0);
    let server = ServerVersion::parse(&ctx.info.version);
    let saved = ctx.state.reader().online_ddl(&ctx.lane)?;
    Follower::new(names, Some(server), &saved).map(Some)
}

fn schema_defaults(schema: &SchemaCopy) -> SchemaInfo {
    SchemaInfo { charset: schema.charset.clone(), collation: schema.collation.clone() }
}

/// Writes the first checkpoint of a lane: where it starts, up to where a copy contains everything
/// (when that is further on), and the structures that the copy found.
///
/// # Errors
///
/// When the state file cannot be written.
pub(crate) fn begin_lane(
    ctx: &StreamContext,
    position: &Position,
    copied: Option<&Position>,
    schemas: &[SchemaCopy],
    tables: &[(TableName, Arc<crate::schema::TableSchema>)],
) -> Result {
    let epoch = ctx.state.begin_run(&ctx.lane, 0)?.epoch;
    let since = position.binlog.as_ref().map(|start| Arc::from(start.to_colon_text()));
    let changes = LaneChanges {
        schemas: schemas.to_vec(),
        tables: tables
            .iter()
            .enumerate()
            .map(|(i, (name, schema))| TrackedTable {
                name: name.clone(),
                schema: Arc::clone(schema),
                version: i as u64 + 1,
                assumed: false,
                since: since.clone(),
            })
            .collect(),
        history_start: Some(HistoryStart {
            place: Place { server: ctx.info.server.clone(), position: position.clone() },
            folded: ctx.info.lower_case_table_names != 0,
        }),
        notes: [(LANE_START, Some(position)), (super::COPIED, copied)]
            .into_iter()
            .filter_map(|(key, p)| Some((key.to_owned(), Some(p?.to_text().into_bytes()))))
            .chain([(LAST_GROUP.to_owned(), None)])
            .collect(),
        ..LaneChanges::default()
    };
    let checkpoint = Checkpoint { ordinal: 0, position: position.clone(), epoch, event_at: 0 };
    ctx.state.save_checkpoint(&ctx.lane, &checkpoint, &changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_prepared_behind_the_low_water_mark_is_read_again() {
        let one = |xid: &str, ordinal| PreparedXa {
            xid: xid.to_owned(),
            ordinal,
            parts: 1,
            tables: [TableName::new("db", "t")].into(),
        };
        let all = vec![one("before", 4), one("at", 7), one("behind", 8), one("far", 90)];
        let (kept, again) = kept(all, 7);
        let mut names: Vec<_> = kept.keys().cloned().collect();
        names.sort();
        assert_eq!(names, ["at", "before"]);
        assert!(kept.values().all(|held| !held.holds_back()));
        assert_eq!(again, ["behind", "far"]);
    }
}
