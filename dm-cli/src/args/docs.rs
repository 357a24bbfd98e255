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
