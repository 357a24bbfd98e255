//! `dm completions` and `dm man`: rendered from the arguments themselves.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::Args;
use crate::files::Failure;
use crate::out;

pub fn completions(shell: clap_complete::Shell) -> Result<ExitCode, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "dm", &mut text);
    out::raw(&text)
}

pub fn man(command: Option<&str>) -> Result<ExitCode, Failure> {
    let mut all = Args::command();
    all.build();
    let page = match command {
        None => all,
        Some(name) => match all.find_subcommand(name) {
            Some(found) => found.clone(),
            None => {
                let known: Vec<_> = all.get_subcommands().map(clap::Command::get_name).collect();
                let known = known.join(", ");
                return Err(Failure::Usage(format!(
                    "there is no command {name:?}; there are {known}"
                )));
            }
        },
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page)
        .render(&mut text)
        .map_err(|e| Failure::Usage(format!("cannot render the manual page: {e}")))?;
    out::raw(&text)
}
