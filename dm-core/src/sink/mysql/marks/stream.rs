//! The marks of the stream: what each slot has committed, and who owns it.

use super::super::session::Session;
use super::{Marks, damaged, lane_key, literal};
use crate::error::Result;
use crate::event::{LaneId, OrdinalSet, StreamMark};
use crate::sink::{Recovered, Slot};

impl Marks {
    /// The statement that writes a stream mark.
    pub fn write(&self, task: &str, mark: &StreamMark, connection: u64) -> String {
        format!(
            "INSERT INTO {}.`dm_apply_mark` VALUES ({},{},{},{},{},'{}',{connection}) \
             ON DUPLICATE KEY UPDATE `low`=VALUES(`low`),`low_position`=VALUES(`low_position`),\
             `applied`=VALUES(`applied`),`connection`=VALUES(`connection`)",
            self.schema,
            literal(&lane_key(task, &mark.lane)),
            mark.epoch,
            mark.worker,
            mark.low,
            literal(&mark.low_position),
            mark.applied.to_text(),
        )
    }

    /// The statement that writes a stream mark if the writer still owns its slot: it finds one row,
    /// or none.
    pub fn write_owned(&self, task: &str, mark: &StreamMark, owner: u64) -> String {
        format!(
            "UPDATE {}.`dm_apply_mark` SET `low`={},`low_position`={},`applied`='{}' WHERE `lane`={} \
             AND `epoch`={} AND `worker`={} AND `connection`={owner}",
            self.schema,
            mark.low,
            literal(&mark.low_position),
            mark.applied.to_text(),
            literal(&lane_key(task, &mark.lane)),
            mark.epoch,
            mark.worker,
        )
    }

    /// The question whether a writer still owns its slot; it may not lose it before the end of its
    /// transaction, or its COMMIT fails.
    pub fn is_owner(&self, slot: &Slot, owner: u64) -> String {
        format!(
            "SELECT 1 FROM {}.`dm_apply_mark` WHERE `lane`={} AND `epoch`={} AND `worker`={} AND \
             `connection`={owner} FOR UPDATE",
            self.schema,
            literal(&lane_key(&slot.task, &slot.lane)),
            slot.epoch,
            slot.worker,
        )
    }

    /// The statement that takes all slots of a lane over.
    pub fn own_all(&self, task: &str, lane: &LaneId, owner: u64) -> String {
        format!(
            "UPDATE {}.`dm_apply_mark` SET `connection`={owner} WHERE `lane`={}",
            self.schema,
            literal(&lane_key(task, lane)),
        )
    }

    /// Who owns a slot; `None` when nobody has had it.
    pub fn owner(
        &self,
        session: &mut Session,
        task: &str,
        lane: &LaneId,
        epoch: u64,
        worker: u32,
    ) -> Result<Option<u64>> {
        let owner = session.value(&format!(
            "SELECT `connection` FROM {}.`dm_apply_mark` WHERE `lane`={} AND `epoch`={epoch} AND \
             `worker`={worker}",
            self.schema,
            literal(&lane_key(task, lane)),
        ))?;
        Ok(owner.and_then(|number| number.parse().ok()))
    }

    /// The owners of all slots of a lane.
    pub fn owners(&self, session: &mut Session, task: &str, lane: &LaneId) -> Result<Vec<u64>> {
        self.column(session, "`connection`", task, lane)
    }

    /// The latest run that has written for a lane, or was about to; 0 when there is none.
    pub fn last_epoch(&self, session: &mut Session, task: &str, lane: &LaneId) -> Result<u64> {
        let all = self.column::<u64>(session, "`epoch`", task, lane)?;
        Ok(all.into_iter().max().unwrap_or_default())
    }

    fn column<T: std::str::FromStr>(
        &self,
        session: &mut Session,
        name: &str,
        task: &str,
        lane: &LaneId,
    ) -> Result<Vec<T>> {
        let rows = session.rows(&format!(
            "SELECT DISTINCT {name} FROM {}.`dm_apply_mark` WHERE `lane`={}",
            self.schema,
            literal(&lane_key(task, lane)),
        ))?;
        Ok(rows
            .into_iter()
            .filter_map(|row| row.into_iter().next().flatten()?.parse().ok())
            .collect())
    }

    /// The statement that registers a writer before its first batch, so that a successor finds it.
    pub fn register(&self, task: &str, lane: &LaneId, epoch: u64, worker: u32, id: u64) -> String {
        format!(
            "INSERT INTO {}.`dm_apply_mark` VALUES ({},{epoch},{worker},0,'','',{id}) \
             ON DUPLICATE KEY UPDATE `connection`={id}",
            self.schema,
            literal(&lane_key(task, lane)),
        )
    }

    /// What a slot has committed in an epoch.
    pub fn applied(
        &self,
        session: &mut Session,
        task: &str,
        lane: &LaneId,
        epoch: u64,
        worker: u32,
    ) -> Result<OrdinalSet> {
        let text = session.value(&format!(
            "SELECT `applied` FROM {}.`dm_apply_mark` WHERE `lane`={} AND `epoch`={epoch} AND \
             `worker`={worker}",
            self.schema,
            literal(&lane_key(task, lane)),
        ))?;
        parse_set(&text.unwrap_or_default())
    }

    /// The workers that have written for a lane.
    pub fn workers(&self, session: &mut Session, task: &str, lane: &LaneId) -> Result<Vec<u32>> {
        self.column(session, "`worker`", task, lane)
    }

    /// What all marks of a lane say together.
    pub fn recover(&self, session: &mut Session, task: &str, lane: &LaneId) -> Result<Recovered> {
        let rows = session.rows(&format!(
            "SELECT `epoch`,`low`,`low_position`,`applied` FROM {}.`dm_apply_mark` WHERE `lane`={}",
            self.schema,
            literal(&lane_key(task, lane)),
        ))?;
        let mut all = Recovered::default();
        for row in rows {
            let [epoch, low, position, applied] = row.as_slice() else { continue };
            let number = |v: &Option<String>| v.as_deref().and_then(|v| v.parse::<u64>().ok());
            let (Some(epoch), Some(low)) = (number(epoch), number(low)) else {
                return Err(damaged("a number of dm_apply_mark"));
            };
            let position = position.clone().unwrap_or_default();
            all.epoch = all.epoch.max(epoch);
            if !position.is_empty() && all.low.as_ref().is_none_or(|(have, _)| *have < low) {
                all.low = Some((low, position));
            }
            all.applied.union(&parse_set(applied.as_deref().unwrap_or_default())?);
        }
        if let Some((low, _)) = &all.low {
            all.applied.forget_upto(*low);
        }
        Ok(all)
    }
}

fn parse_set(text: &str) -> Result<OrdinalSet> {
    OrdinalSet::from_text(text).ok_or_else(|| damaged("a set of dm_apply_mark"))
}
