//! `dm sample`: commented files to begin with.

use std::process::ExitCode;

use crate::args::SampleKind;
use crate::files::Failure;
use crate::out;

pub fn run(kind: SampleKind) -> Result<ExitCode, Failure> {
    let text = match kind {
        SampleKind::Task => dm_core::config::sample_task(),
        SampleKind::Source => dm_core::config::sample_source(),
    };
    out::raw(text.as_bytes())
}
