//! `docs/commands.md`, rendered from the arguments.
//!
//! `UPDATE_DOCS=1 cargo test -p dm-cli --bins docs` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, Command, CommandFactory as _};

const HEAD: &str = "\
# Commands

Every command of `dm` with its arguments; rendered from the program (`dm <command> --help` says the same). What scripts rely
on (exit status, outputs, JSON) stands in [cli.md](cli.md), and how tasks are operated in [operating.md](operating.md).
";

#[test]
fn docs_are_rendered_from_the_arguments() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/commands.md");
    let text = render();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == text, "{} is not what the program says: UPDATE_DOCS=1", path.display());
}

/// The commands of the blocks of a page: lines that begin with `dm`, up to a pipe or what follows them.
fn commands_of(page: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in page.replace("\\\n", " ").lines() {
        if line.starts_with("```") {
            inside = !inside;
            continue;
        }
        let line = line.trim().trim_start_matches("$ ");
        // An environment may stand before it.
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        let line = if first.contains('=') { rest } else { line };
        let ends = ["&&", "||", "|", ";", "#", ">", "<"];
        for part in line.split("&& ") {
            let end = ends.iter().filter_map(|end| part.find(end)).min().unwrap_or(part.len());
            let part = part[..end].trim();
            if inside && part.starts_with("dm ") {
                found.push(part.to_owned());
            }
        }
    }
    found
}

/// Words as a shell splits them; quotes stand around whole words.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in command.chars() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, ' ') => words.extend(Some(std::mem::take(&mut word)).filter(|w| !w.is_empty())),
            (_, c) => word.push(c),
        }
    }
    words.extend(Some(word).filter(|w| !w.is_empty()));
    words
}

/// Every command that stands in a block of the documentation, the examples of the help included, is one
/// that the program takes. (`docs/runbook` is run as a whole by another test.)
#[test]
fn commands_in_the_documentation_are_taken() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = vec![root.join("README.md")];
    for dir in ["docs", "docs/runbook"] {
        let entries = std::fs::read_dir(root.join(dir)).unwrap().map(|entry| entry.unwrap().path());
        pages.extend(entries.filter(|path| path.extension().is_some_and(|e| e == "md")));
    }
    let (mut count, mut wrong) = (0, Vec::new());
    for page in pages {
        for command in commands_of(&std::fs::read_to_string(&page).unwrap()) {
            count += 1;
            if let Err(error) = super::Args::command().try_get_matches_from(words(&command)) {
                wrong.push(format!("{}: {command}\n{error}", page.display()));
            }
        }
    }
    assert!(count > 150, "{count} commands");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn render() -> String {
    let mut root = super::Args::command();
    root.build();
    let mut text = HEAD.to_owned();
    for command in root.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
        section(&mut text, command, "dm", 2);
    }
    text
}

fn section(text: &mut String, command: &Command, parent: &str, depth: usize) {
    let name = format!("{parent} {}", command.get_name());
    let about = command.get_long_about().or_else(|| command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let _ = write!(text, "\n{} {name}\n\n{}\n", "#".repeat(depth), wrapped(&about));
    let wanted = |arg: &&Arg| {
        let own = !arg.is_global_set() && !arg.is_hide_set();
        own && !matches!(arg.get_id().as_str(), "help" | "version")
    };
    let args: Vec<&Arg> = command.get_arguments().filter(wanted).collect();
    if !args.is_empty() {
        text.push_str("\n| argument | meaning |\n|---|---|\n");
    }
    for arg in args {
        let _ = writeln!(text, "| {} | {} |", spelled(arg), meaning(arg));
    }
    if let Some(help) = command.get_after_help() {
        let _ = write!(text, "\n```text\n{}\n```\n", help.to_string().trim_end());
    }
    for sub in command.get_subcommands().filter(|c| c.get_name() != "help") {
        section(text, sub, &name, depth + 1);
    }
}

fn wrapped(text: &str) -> String {
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// An argument as it is typed.
fn spelled(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let value: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let value = value.join(" ").replace('|', "\\|");
    if arg.is_positional() {
        return format!("`{value}`");
    }
    let short = arg.get_short().map(|c| format!("`-{c}`, ")).unwrap_or_default();
    let long = arg.get_long().unwrap_or_default();
    let value = if arg.get_action().takes_values() { format!(" {value}") } else { String::new() };
    format!("{short}`--{long}{value}`")
}

fn meaning(arg: &Arg) -> String {
    let help = arg.get_long_help().or_else(|| arg.get_help());
    let mut text = help.map(ToString::to_string).unwrap_or_default().replace('\n', " ");
    // clap takes the full stop of a first sentence away.
    if !text.ends_with('.') {
        text.push('.');
    }
    let values: Vec<String> =
        arg.get_possible_values().iter().map(|v| format!("`{}`", v.get_name())).collect();
    if !values.is_empty() && arg.get_action().takes_values() {
        let _ = write!(text, " One of {}.", values.join(", "));
    }
    let default: Vec<_> = arg.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
    if !default.is_empty() && arg.get_action().takes_values() {
        let _ = write!(text, " Default: `{}`.", default.join(" "));
    }
    if let Some(env) = arg.get_env() {
        let _ = write!(text, " Environment: `{}`.", env.to_string_lossy());
    }
    text.replace('|', "\\|")
}
