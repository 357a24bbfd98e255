//! Runs the directories of `tests/cases` (explained in `tests/cases/README.md`) against real
//! servers, one line of output each.
//!
//! `cargo test --test e2e_cases -- rename shard` runs the cases whose names contain one of the
//! words; `--rehearse` runs their scripts without `dm`, to see whether the servers take them.
//! `DM_TEST_TARGET=mysql://user:password@host:port` puts that server (a TiDB, for instance)
//! in the place of every MySQL and MariaDB target; what is left out there is printed with the reason.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use support::cases::files::Case;
use support::cases::run::{Ended, rehearse, run};
use support::server::{available, external_target};
use support::{in_ci, workspace};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&String> = args.iter().filter(|a| !a.starts_with('-')).collect();
    let cases = Case::load_all(&workspace().join("tests/cases"));
    let chosen: Vec<Case> = cases
        .into_iter()
        .map(|case| case.unwrap_or_else(|why| panic!("{why}")))
        .filter(|case| words.is_empty() || words.iter().any(|w| case.name.contains(w.as_str())))
        .collect();
    if args.iter().any(|a| a == "--list") {
        chosen.iter().for_each(|case| println!("{}: test", case.name));
        return ExitCode::SUCCESS;
    }
    let rehearsal = args.iter().any(|a| a == "--rehearse");
    let (mut passed, mut failed, mut left_out) = (0, Vec::new(), Vec::new());
    for case in &chosen {
        for line in &case.lines {
            let title = format!("{} ({})", case.name, line.text);
            let began = Instant::now();
            match catch_unwind(AssertUnwindSafe(|| {
                if rehearsal { rehearse(case, line) } else { run(case, line) }
            })) {
                Ok(Ended::Passed) => {
                    println!("test {title} ... ok ({:.1} s)", began.elapsed().as_secs_f64());
                    passed += 1;
                }
                Ok(Ended::LeftOut(why)) => {
                    println!("test {title} ... SKIPPED: {why}");
                    left_out.push((title, why));
                }
                Err(_) => {
                    println!("test {title} ... FAILED");
                    failed.push(title);
                }
            }
        }
    }
    summary(passed, &failed, &left_out)
}

fn summary(passed: usize, failed: &[String], left_out: &[(String, String)]) -> ExitCode {
    println!("\ncases: {passed} passed, {} failed, {} left out", failed.len(), left_out.len());
    failed.iter().for_each(|title| println!("  failed: {title}"));
    left_out.iter().for_each(|(title, why)| println!("  left out: {title}: {why}"));
    // Reasons that a case names itself, and those of an external target, are no failure.
    let servers = available(support::server::Flavor::Mysql).is_ok();
    if !failed.is_empty() || (in_ci() && !servers && external_target().is_none()) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
