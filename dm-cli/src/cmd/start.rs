//! `dm start-task`: a task in the background.

use std::path::Path;
use std::process::ExitCode;

use dm_core::config::TaskPlan;
use dm_core::error::codes;
use dm_core::migration::{Answer, Command, Reply, Verb, refusal};
use dm_core::state::{SourceRow, Stage, StateReader};

use crate::args::StartArgs;
use crate::files::Failure;
use crate::http;
use crate::operate::client::{self, Sent};
use crate::operate::launch::Launch;
use crate::operate::texts::Texts;
use crate::operate::{answers, changes, forget, record};
use crate::out;

pub fn run(args: &StartArgs) -> Result<ExitCode, Failure> {
    let dir = args.ask.dir();
    let key = args.given.key.path();
    let gather = || -> Result<Texts, Failure> {
        let texts = Texts::gather(&args.task, &args.given.source_files, key, dir)?;
        let mut texts = texts.with_dumps(&args.dumps).with_http(&args.http);
        if !args.remove_meta {
            changes::keep_dumps(dir, &mut texts)?;
        }
        Ok(texts)
    };
    let json = out::wants_json(args.ask.json);
    let reply = match gather().and_then(|texts| start(args, dir, &texts)) {
        Ok(reply) => reply,
        Err(failure @ (Failure::Task(_) | Failure::Input(_) | Failure::Config(_))) if json => {
            out::fail(&failure);
            Reply::refuse(failure.to_string())
        }
        Err(failure) => return Err(failure),
    };
    for warning in &reply.checked.warnings {
        out::tell(&format!("warning: {warning}"));
    }
    let document = answers::start_task(&reply);
    if json {
        return answers::print(&document);
    }
    out::say(&answers::words("start-task", &reply))?;
    Ok(answers::status(&document))
}

fn start(args: &StartArgs, dir: &Path, texts: &Texts) -> Result<Reply, Failure> {
    let (plan, warnings) = texts.plan()?;
    for warning in &warnings {
        out::tell(&format!("warning: {warning}"));
    }
    start_plan(
        dir,
        texts,
        &plan,
        &Wanted {
            sources: &args.only.sources,
            remove_meta: args.remove_meta,
            start_time: args.start_time.as_deref(),
        },
    )
}

/// What a start wants beside the files.
#[derive(Default)]
pub struct Wanted<'a> {
    pub sources: &'a [String],
    pub remove_meta: bool,
    pub start_time: Option<&'a str>,
}

impl Wanted<'_> {
    /// What was typed beside the sources.
    fn words(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.remove_meta.then(|| "--remove-meta".to_owned()));
        words.extend(self.start_time.map(|time| format!("--start-time {time:?}")));
        words.join(" ")
    }
}

/// Starts a task, or the parts of it that are wanted.
pub fn start_plan(
    dir: &Path,
    texts: &Texts,
    plan: &TaskPlan,
    wanted: &Wanted<'_>,
) -> Result<Reply, Failure> {
    let known: Vec<&str> = plan.sources.iter().map(|s| s.source_id.as_str()).collect();
    let unknown: Vec<&str> =
        wanted.sources.iter().map(String::as_str).filter(|s| !known.contains(s)).collect();
    if !unknown.is_empty() {
        return Ok(Reply::refuse(refusal::no_part(&plan.name, &unknown).to_string()));
    }
    let start_time = wanted.start_time.map(start_time).transpose()?;
    let http_wanted = texts.http.address.is_some();
    let exists = match StateReader::open(dir, &plan.name) {
        Ok(reader) => Some(reader),
        Err(error) if error.code() == &codes::TASK_MISSING => None,
        Err(error) => return Err(error.into()),
    };
    if exists.is_some() {
        let command = Command { verb: Verb::Start, sources: wanted.sources.to_vec() };
        match client::send(dir, &plan.name, &command)? {
            Sent::Answered(reply) if wanted.remove_meta && reply.is_ok() => {
                return Ok(with_note(reply, "--remove-meta is ignored: other parts of it run"));
            }
            Sent::Answered(reply) if http_wanted => return Ok(with_note(reply, HTTP_IGNORED)),
            Sent::Answered(reply) => return Ok(reply),
            Sent::NobodyRuns => {}
        }
    }
    let rows = match &exists {
        Some(reader) => reader.sources()?,
        None => Vec::new(),
    };
    drop(exists);
    // Told before anything is forgotten for a start that then fails.
    if let Err(failure) = http::check(&texts.http, None) {
        return Ok(Reply::refuse(failure.to_string()));
    }
    if wanted.remove_meta {
        forget::forget(dir, &plan.name, Some(plan))?;
    } else if let Some(refused) = finished(&rows, wanted.sources) {
        return Ok(refused);
    }
    if !wanted.remove_meta {
        changes::check(dir, &plan.name, texts)?;
    }
    let rows = if wanted.remove_meta { Vec::new() } else { rows };
    let stages = stages(&known, &rows, wanted.sources);
    let task = &plan.name;
    let reply = Launch { texts, task, stages, resume: None, start_time, http_wanted }.start(dir)?;
    let command = Command { verb: Verb::Start, sources: wanted.sources.to_vec() };
    record::command(dir, task, &command, &wanted.words(), &reply);
    Ok(reply)
}

/// A process has its HTTP interface from its start on, or none.
pub(super) const HTTP_IGNORED: &str =
    "--http is ignored: the task's process runs already; it counts from its next start";

/// The reply with a note at those who did what was wanted.
pub(super) fn with_note(mut reply: Reply, note: &str) -> Reply {
    for answer in reply.answers.iter_mut().filter(|answer| answer.ok) {
        let before = if answer.message.is_empty() { "" } else { "; " };
        answer.message.push_str(&format!("{before}{note}"));
    }
    reply
}

fn start_time(text: &str) -> Result<u32, Failure> {
    crate::time::parse(text.trim_matches(['\'', '"'])).ok_or_else(|| {
        Failure::Usage(format!("--start-time {text:?} is not a time YYYY-MM-DD HH:MM:SS (UTC)"))
    })
}

/// A finished part has to be stopped before it is started again, as in DM.
fn finished(rows: &[SourceRow], sources: &[String]) -> Option<Reply> {
    let chosen =
        |row: &&SourceRow| sources.is_empty() || sources.iter().any(|s| s == row.source.as_str());
    let chosen: Vec<&SourceRow> = rows.iter().filter(chosen).collect();
    let done = |row: &SourceRow| {
        row.actual == Some(Stage::Finished) && row.desired != Some(Stage::Stopped)
    };
    if chosen.is_empty() || !chosen.iter().all(|row| done(row)) {
        return None;
    }
    let answers = chosen
        .iter()
        .map(|row| Answer {
            source: row.source.as_str().to_owned(),
            ok: false,
            message: refusal::finished(&Verb::Start).to_string(),
        })
        .collect();
    Some(Reply { answers, ..Reply::default() })
}

/// The stage that each source begins in: what is wanted runs, the rest is as it was left.
fn stages(known: &[&str], rows: &[SourceRow], wanted: &[String]) -> Vec<(String, Stage)> {
    let begins = |source: &str| {
        if wanted.is_empty() || wanted.iter().any(|w| w == source) {
            return Stage::Running;
        }
        let row = rows.iter().find(|row| row.source.as_str() == source);
        row.and_then(|row| row.desired).unwrap_or(Stage::Stopped)
    };
    known.iter().map(|source| ((*source).to_owned(), begins(source))).collect()
}
