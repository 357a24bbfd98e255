//! The torture harness: real servers, a random load over many table shapes, random faults, and an
//! exact comparison of both sides at the end of each round.
//!
//! `tests/torture.sh --minutes 40 --seed 7 --flavor mysql` runs that long; without arguments (as part
//! of the test suite) it runs one short round per flavor. Each round begins with empty databases and
//! a state of its own, so `--seed N --rounds 1` with the seed of a round that failed repeats its task,
//! its load and its faults, as far as what runs at the same time allows. `docs/reliability.md` says
//! what is broken on purpose and how long it has run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

#[path = "../support/mod.rs"]
mod support;

mod faults;
mod replication;
mod round;
mod world;
mod xa;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use faults::Tally;
use support::random::Random;
use support::{env_number, in_ci};
use world::{Layout, World};

struct Options {
    /// How long, over all rounds of a flavor.
    time: Duration,
    /// How many rounds at most.
    rounds: u64,
    /// The seed of the first round; the next ones count up from it.
    seed: u64,
    layouts: Vec<Layout>,
    /// How long a round goes on.
    round: Duration,
    /// Sources have replicas, to which there are failovers; positions are by GTID then.
    failover: bool,
}

impl Options {
    fn parse(args: &[String]) -> Result<Self, String> {
        let short = Duration::from_secs(env_number("DM_TEST_TORTURE_SECONDS", 25));
        let mut options = Self {
            time: short,
            rounds: 1,
            seed: Random::seed() % 1_000_000,
            layouts: vec![Layout::Mysql, Layout::Mariadb],
            round: short,
            failover: false,
        };
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            let mut number = |name: &str| {
                let value = rest.next().and_then(|v| v.parse::<u64>().ok());
                value.ok_or_else(|| format!("{name} needs a number"))
            };
            match arg.as_str() {
                "--minutes" => {
                    options.time = Duration::from_secs(60 * number("--minutes")?);
                    options.rounds = u64::MAX;
                    options.round = Duration::from_secs(75);
                }
                "--round-seconds" => {
                    options.round = Duration::from_secs(number("--round-seconds")?);
                }
                "--rounds" => options.rounds = number("--rounds")?,
                "--seed" => options.seed = number("--seed")?,
                "--flavor" => {
                    let word = rest.next().map(String::as_str).unwrap_or_default();
                    options.layouts = match word {
                        "all" => Layout::ALL.to_vec(),
                        _ => vec![
                            Layout::parse(word)
                                .ok_or("--flavor mysql, mariadb, mixed, across or all")?,
                        ],
                    };
                }
                "--failover" => options.failover = true,
                // What cargo hands to every test binary.
                "--quiet" | "-q" | "--nocapture" | "--test-threads=1" => {}
                other => return Err(format!("unknown argument {other}")),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|a| a == "--list") {
        println!("torture: test");
        return ExitCode::SUCCESS;
    }
    // `cargo test WORD` asks every binary for the tests with this word in their names.
    if args.iter().any(|a| !a.starts_with('-') && a.parse::<u64>().is_err() && !Layout::is_word(a))
    {
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(&args) {
        Ok(options) => options,
        Err(why) => {
            eprintln!(
                "{why}\ntorture [--minutes N] [--seed S] [--flavor mysql|mariadb|mixed|across|all] [--rounds N] [--round-seconds N] [--failover]"
            );
            return ExitCode::FAILURE;
        }
    };
    let mut failed = Vec::new();
    for &layout in &options.layouts {
        let Some(world) = World::start(layout, options.failover) else {
            if in_ci() {
                failed.push(format!("{}: no servers", layout.word()));
            }
            continue;
        };
        failed.extend(run(&options, world));
    }
    failed.iter().for_each(|what| println!("torture: FAILED {what}"));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The rounds of one flavor; what failed.
fn run(options: &Options, mut world: World) -> Vec<String> {
    let began = Instant::now();
    let layout = world.layout;
    let mut total = Tally::default();
    let mut failed = Vec::new();
    let (mut round, mut left_out) = (0, 0);
    while round < options.rounds && (round == 0 || began.elapsed() < options.time) {
        let seed = options.seed + round;
        let title = format!("{} seed {seed}", layout.word());
        println!("== round {} ({title})", round + 1);
        match catch_unwind(AssertUnwindSafe(|| round::run(&world, seed, options.round))) {
            Ok(tally) => {
                println!("   {tally}\n   EQUAL");
                total.add(&tally);
            }
            Err(panic) if is_servers_own(&*panic, layout) => {
                println!("   LEFT OUT: a server cannot read its own files any more; new ones");
                left_out += 1;
                world.wipe();
                let new = World::start(layout, options.failover);
                world = new.expect("servers that started before");
            }
            Err(_) => {
                println!("   NOT EQUAL, or it stopped: see above");
                failed.push(format!(
                    "{title}: repeat with --flavor {} --seed {seed} --rounds 1",
                    layout.word()
                ));
                world.heal();
                world.save_binlogs(seed);
            }
        }
        round += 1;
    }
    println!(
        "torture {}: {round} rounds in {} s, {} failed, {left_out} left out\n   {total}",
        layout.word(),
        began.elapsed().as_secs(),
        failed.len()
    );
    failed
}

/// True when the servers that were killed so often have lost their own files: InnoDB of MariaDB does,
/// once in some hundred kills.
fn is_servers_own(panic: &(dyn std::any::Any + Send), layout: Layout) -> bool {
    let words = panic.downcast_ref::<String>().map_or("", String::as_str);
    layout != Layout::Mysql && words.contains("does not start again")
}
