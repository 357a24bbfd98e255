//! Sets of transactions as text: short, because every target transaction writes one.

use super::{OrdinalSet, Part};
use crate::position::{GtidSet, Position, Sid};

/// Equal ranges in a row that a text may tell by their number: far more than a worker can have
/// between the low-water mark and its last transaction.
const RANGES: usize = 1 << 24;

impl OrdinalSet {
    /// Text form: each bound told from the one before it, equal steps once with their number behind
    /// a star; then the GTIDs behind a bar and the part behind a tilde; empty for the empty set.
    ///
    /// GTIDs that are the ordinals, counted from another number by one server, are told by their
    /// server and the first of them: `|=uuid:first`.
    pub fn to_text(&self) -> String {
        use std::fmt::Write as _;
        let mut out = String::new();
        let mut steps = self.steps().peekable();
        while let Some(step) = steps.next() {
            let mut times = 1u64;
            while steps.next_if_eq(&step).is_some() {
                times += 1;
            }
            if !out.is_empty() {
                out.push(',');
            }
            let _ = write!(out, "{}", step.0);
            if step.1 > 0 {
                let _ = write!(out, "+{}", step.1);
            }
            if times > 1 {
                let _ = write!(out, "*{times}");
            }
        }
        if let Some(gtids) = self.gtids.as_ref().filter(|_| !self.ranges.is_empty()) {
            match self.counted_by(gtids) {
                Some((sid, first)) => drop(write!(out, "|={sid}:{first}")),
                None => drop(write!(out, "|{}", Position::of_gtid(gtids.clone()).to_text())),
            }
        }
        if let Some(Part { ordinal, events, server }) = self.part() {
            let _ = write!(out, "~{ordinal}:{events}:{server:x}");
        }
        out
    }

    /// Each range: how far it begins behind the end of the one before, and how much longer than one
    /// it is.
    fn steps(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut base = 0;
        self.ranges.iter().map(move |&(low, high)| {
            let step = (low - base, high - low);
            base = high;
            step
        })
    }

    /// Who counts the GTIDs, and the number of the first, when they are the ordinals of the set.
    fn counted_by<'g>(&self, gtids: &'g GtidSet) -> Option<(&'g Sid, u64)> {
        let GtidSet::MySql(set) = gtids else { return None };
        let mut sids = set.iter();
        let (Some((sid, numbers)), None) = (sids.next(), sids.next()) else { return None };
        let (first, _) = numbers.iter().next()?;
        let (begin, _) = *self.ranges.first()?;
        let shift = |n: u64| first.checked_add(n - begin);
        let shifted = self.ranges.iter().map(|&(low, high)| Some((shift(low)?, shift(high)?)));
        numbers.iter().map(Some).eq(shifted).then_some((sid, first))
    }

    /// Reads the text form.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut set = Self::new();
        let text = match text.rsplit_once('~') {
            Some((text, part)) => {
                set.part = Some(Part::from_text(part)?);
                text
            }
            None => text,
        };
        let (text, gtids) = match text.split_once('|') {
            Some((text, gtids)) => (text, Some(gtids)),
            None => (text, None),
        };
        let mut base = 0u64;
        for part in text.split(',').filter(|p| !p.is_empty()) {
            let (part, times) = match part.split_once('*') {
                Some((part, times)) => (part, times.parse::<usize>().ok()?),
                None => (part, 1),
            };
            let (low, span) = match part.split_once('+') {
                Some((low, span)) => (low.parse::<u64>().ok()?, span.parse::<u64>().ok()?),
                None => (part.parse::<u64>().ok()?, 0),
            };
            if times > RANGES {
                return None;
            }
            for _ in 0..times {
                let begin = base.checked_add(low)?;
                let end = begin.checked_add(span)?;
                if set.ranges.last().is_some_and(|last| begin <= last.1 + 1) {
                    return None;
                }
                set.ranges.push((begin, end));
                base = end;
            }
        }
        match gtids.map(|gtids| (gtids, gtids.strip_prefix('='))) {
            Some((_, Some(counted))) => {
                let (sid, first) = counted.rsplit_once(':')?;
                set.set_counted(&sid.parse().ok()?, first.parse().ok()?).then_some(())?;
            }
            Some((gtids, None)) => set.gtids = Some(Position::from_text(gtids).ok()?.gtid?),
            None => {}
        }
        Some(set)
    }
}

impl Part {
    fn from_text(text: &str) -> Option<Self> {
        let mut numbers = text.split(':');
        let (ordinal, events) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        let server = u64::from_str_radix(numbers.next()?, 16).ok()?;
        numbers.next().is_none().then_some(Self { ordinal, events, server })
    }
}
