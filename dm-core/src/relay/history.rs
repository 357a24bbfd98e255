//! Whether a relay log still has what was read before a checkpoint.
//!
//! A relay log that was removed and fetched anew from a server that was restored meanwhile looks like the old
//! one: names, offsets, GTIDs. So the last event of the last group before the checkpoint is read again and
//! compared, as it is for a server (`source::mysql`). Where the file is not here any more, or the group was
//! read from another server, nothing is known and nothing is said.

use super::layout::RelayDir;
use crate::binlog::Framed;
use crate::error::{Error, Result, codes};
use crate::position::BinlogPos;
use crate::source::binlog_file::{FIRST_EVENT, head_of, open_at};
use crate::source::{LastGroup, SourceEvent, Translator};

/// Fails when something else than the last group stands where it was read.
pub(super) fn check(dir: &RelayDir, last: &LastGroup) -> Result<()> {
    let part = dir.subdirs()?.into_iter().rev().find(|sub| sub.server == last.server);
    let Some(part) = part else { return Ok(()) };
    let name = last.end.file.clone().without_relay();
    let file = dir.files(&part)?.into_iter().find(|(file, _)| *file == name);
    let Some((name, path)) = file else { return Ok(()) };
    // What is behind the end of the file is fetched again, and compared with the next start.
    if std::fs::metadata(&path).is_ok_and(|meta| meta.len() < last.end.offset) {
        return Ok(());
    }
    let flavor = head_of(&path, None)?.flavor;
    let first = BinlogPos::new(name.clone(), FIRST_EVENT);
    let mut translator = Translator::new(flavor, first, true);
    let mut reader = open_at(&name, &path, last.start.offset.max(FIRST_EVENT), &mut translator)?;
    let differs = || {
        let gtid = last.gtid.as_ref().map(|set| format!(" ({set})")).unwrap_or_default();
        let text = format!(
            "{} had a group{gtid} that ended at {}: now something else stands there",
            path.display(),
            last.end
        );
        Error::new(&codes::SOURCE_HISTORY, text)
    };
    while let Some(reader) = &mut reader {
        let Framed::Event { bytes, .. } = reader.next_event().map_err(|e| differs().cause(e))?
        else {
            return Err(differs());
        };
        // Of a compressed transaction all events end there, and any of them will do.
        let mut found: Option<SourceEvent> = None;
        let told = translator.event(bytes, &mut |event| {
            found = Some(event);
            Ok(())
        });
        told.map_err(|e| differs().cause(e))?;
        let end = &last.end;
        match found {
            Some(event) if event.end.offset == end.offset && event.print == Some(last.print) => {
                return Ok(());
            }
            _ if translator.position().offset >= end.offset => return Err(differs()),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::writer::tests::{FILES, recorded};
    use super::*;

    #[test]
    fn what_was_read_has_to_be_there_still() {
        for (place, name, flavor) in FILES {
            let temp = tempfile::tempdir().unwrap();
            let dir = RelayDir::new(temp.path());
            let sub = dir.begin("one").unwrap();
            let path = dir.sub(&sub).join(name);
            std::fs::write(&path, recorded(place, name)).unwrap();
            let start = BinlogPos::new(name.parse().unwrap(), FIRST_EVENT);
            let mut translator = Translator::new(*flavor, start, true);
            let mut reader = open_at(&name.parse().unwrap(), &path, FIRST_EVENT, &mut translator)
                .unwrap()
                .unwrap();
            let mut last = None;
            while let Framed::Event { bytes, .. } = reader.next_event().unwrap() {
                translator
                    .event(bytes, &mut |event| {
                        let print = event.print;
                        last = print.map(|print| (event.start, event.end, print)).or(last.take());
                        Ok(())
                    })
                    .unwrap();
            }
            let (start, end, print) = last.expect("the file has groups");
            let server = "one".to_owned();
            let last = LastGroup { server, start, end, gtid: None, print };
            check(&dir, &last).unwrap();
            let other = LastGroup { print: [9; 16], ..last.clone() };
            assert_eq!(check(&dir, &other).unwrap_err().code(), &codes::SOURCE_HISTORY, "{name}");
            let moved = BinlogPos::new(last.end.file.clone(), last.end.offset - 1);
            assert!(check(&dir, &LastGroup { end: moved, ..last.clone() }).is_err());
            // Read from another server, or gone: nothing is known.
            check(&dir, &LastGroup { server: "two".to_owned(), ..last.clone() }).unwrap();
            std::fs::remove_file(&path).unwrap();
            check(&dir, &last).unwrap();
        }
    }
}
