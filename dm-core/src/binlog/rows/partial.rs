//! Updates that tell of a JSON document only what changed in it.

use dm_filter::{Row, RowOp};

use super::super::bytes::{Bytes, bit};
use super::super::json::{self, JsonDiffs};
use super::super::{Error, Result, codes, malformed};
use super::Rows;

impl<'e> Rows<'e> {
    /// An update whose second image may hold changes of JSON documents: they are applied to the
    /// documents of the first.
    pub(super) fn partial_update(&mut self) -> Result<RowOp<'e>> {
        let mut documents = vec![None; self.plan.ops().len()];
        let start = self.rest;
        let before = self.first()?.row;
        self.documents(start, &mut documents)?;

        let options = self.rest.lenenc()?;
        if options & !1 != 0 {
            return Err(malformed(format!("unknown row value options {options}")));
        }
        // One bit for every JSON column of the table, carried or not.
        let partial = match options & 1 {
            0 => &[][..],
            _ => self.rest.take(self.event.table.json_columns().div_ceil(8))?,
        };
        let nulls = self.rest.take(self.carried[1].div_ceil(8))?;
        let mut cells = Vec::with_capacity(self.plan.width());
        let (mut carried, mut jsons) = (0, 0);
        for (i, op) in self.plan.ops().iter().enumerate() {
            let is_diff = op.is_json() && {
                jsons += 1;
                bit(partial, jsons - 1)
            };
            if !bit(self.event.second(), i) {
                self.plan.push(&mut cells, i, None);
                continue;
            }
            let null = bit(nulls, carried);
            carried += 1;
            let value = match (null, is_diff) {
                (true, _) => dm_filter::Value::Null,
                (false, false) => op.read(&mut self.rest)?,
                (false, true) => {
                    let document = documents.get(i).copied().flatten();
                    self.apply_diffs(i, document)?
                }
            };
            self.plan.push(&mut cells, i, Some(value));
        }
        Ok(RowOp::Update { before, after: Row::partial(cells) })
    }

    /// The bytes of the JSON documents of an image.
    fn documents(&self, start: Bytes<'e>, into: &mut [Option<&'e [u8]>]) -> Result<()> {
        let present = self.event.first();
        let mut b = start;
        let nulls = b.take(self.carried[0].div_ceil(8))?;
        let mut seen = 0;
        for ((i, op), slot) in self.plan.ops().iter().enumerate().zip(into) {
            if !bit(present, i) {
                continue;
            }
            seen += 1;
            if bit(nulls, seen - 1) {
                continue;
            }
            match op.json_bytes(&mut b)? {
                Some(document) => *slot = Some(document),
                None => drop(op.read(&mut b)?),
            }
        }
        Ok(())
    }

    fn apply_diffs(
        &mut self,
        column: usize,
        document: Option<&'e [u8]>,
    ) -> Result<dm_filter::Value<'e>> {
        let length = self.rest.u32()?;
        let diffs = JsonDiffs::parse(self.rest.take_u64(u64::from(length))?)?;
        let document = document.ok_or_else(|| {
            Error::new(
                &codes::BINLOG_PARTIAL_JSON,
                format!(
                    "column {} is changed in part, but the row before the change does not carry it",
                    column + 1
                ),
            )
        })?;
        json::apply(document, &diffs).map(dm_filter::Value::Json)
    }
}
