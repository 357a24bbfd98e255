//! One round: a load, faults, and the comparison.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;

use crate::faults::{Fault, Side, Tally};
use crate::support::compare::{Target, assert_databases_equal, tables};
use crate::support::dm::{Dm, Process, Task};
use crate::support::random::Random;
use crate::support::server::{Address, Server};
use crate::support::shapes::{self, Shapes};
use crate::support::statements::{More, SHAPE, change_tables, survives_kills};
use crate::support::wait;
use crate::support::workload::{Generator, Load, Transactions, big_transaction};
use crate::world::{Place, World};
use crate::xa::{prepare_and_decide, settle};

/// So long `dm` may take to end when it is asked to.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// So long after a server was away may a `dm` that started then end by itself.
const EXCUSE: Duration = Duration::from_secs(15);

/// Runs a round; panics with what is wrong.
pub fn run(world: &World, seed: u64, time: Duration) -> Tally {
    let mut random = Random::new(seed);
    prepare(world, seed);
    let plan = Plan::choose(&mut random, world);
    println!("   task: {}", plan.more.replace('\n', " "));
    let addresses: Vec<&Address> = world.sources.iter().map(|s| &s.address).collect();
    let names = databases(world);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut task = Task::new("all", &addresses, Target::Server(&world.target.address), &names);
    (task.gtid, task.instance, task.more) = (plan.gtid, INSTANCE, &plan.more);
    let dm = Dm::set_up(&task);
    let mut keeper = Keeper::new(world, &dm);
    under_load(world, seed, &mut keeper, |keeper| keeper.break_things(&mut random, time));
    world.heal();
    for source in &world.sources {
        settle(source.server(), seed);
    }
    keeper.stop();
    dm.catch_up().expect_success();
    compare(world, &mut keeper.tally);
    keeper.tally.clone()
}

const INSTANCE: &str = "    mydumper-config-name: any\n    syncer-config-name: any\n";

/// What a seed chooses of a task.
struct Plan {
    gtid: bool,
    more: String,
}

impl Plan {
    fn choose(random: &mut Random, world: &World) -> Self {
        // Files and offsets mean nothing on a replica.
        let gtid = random.one_in(2) || world.has_replicas();
        let consistency = *random.pick(&["auto", "none", "flush", "lock"]);
        // Small batches go to the target several at a time.
        let batch = if random.one_in(3) { 1 + random.below(4) } else { 1 + random.below(300) };
        let more = format!(
            "mydumpers:\n  any: {{rows: {}, threads: {}, extra-args: \"--consistency {consistency}\"}}\n\
             syncers:\n  any: {{worker-count: {}, batch: {batch}, queue-size: {}}}\n",
            100 + random.below(2_000),
            1 + random.below(4),
            1 + random.below(12),
            16 + random.below(1_000),
        );
        Self { gtid, more }
    }
}

/// The databases of the load, two of each source.
fn databases(world: &World) -> Vec<String> {
    (0..world.sources.len()).flat_map(|i| [format!("w{i}"), format!("t{i}")]).collect()
}

fn prepare(world: &World, seed: u64) {
    world.heal();
    for (i, source) in world.sources.iter().enumerate() {
        source.begin(seed);
        let (w, t) = (format!("w{i}"), format!("t{i}"));
        let source = source.server();
        Load::prepare(source, &w, seed);
        source.run(&w, &big_transaction(1_000 + seed % 20_000));
        source.run(
            "",
            &format!("CREATE DATABASE {t} DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_general_ci"),
        );
        source.run(&t, shapes::TABLES);
        source.run(&t, SHAPE);
        source.run(&t, "CREATE TABLE spare LIKE nok; INSERT INTO spare (f) VALUES (1), (1), (2)");
        source.run(&t, &shapes::large(2_000));
    }
    world.target.begin(seed);
}

/// Runs the load at all sources while `faults` happen.
fn under_load<'w>(
    world: &'w World,
    seed: u64,
    keeper: &mut Keeper<'w>,
    faults: impl FnOnce(&mut Keeper<'w>),
) {
    let (stop, statements, xa) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let mut loads = Vec::new();
    for (i, source) in world.sources.iter().enumerate() {
        let seed = seed + i as u64;
        loads.push(Load::start_with(
            &source.load,
            &format!("w{i}"),
            writers(2, |t| Generator::new(seed, t)),
            200,
        ));
        loads.push(Load::start_with(
            &source.load,
            &format!("t{i}"),
            writers(2, |t| Shapes::new(seed, t)),
            150,
        ));
    }
    std::thread::scope(|scope| {
        for (i, source) in world.sources.iter().enumerate() {
            let (seed, address, db) = (seed + i as u64, &source.load, format!("t{i}"));
            let (stop, statements, xa, other) = (&stop, &statements, &xa, db.clone());
            let kept = |statement: &str| survives_kills(source.flavor, statement);
            let own = source.flavor.is_mysql() == world.target.flavor.is_mysql();
            let more = More { own, ..More::default() };
            scope.spawn(move || change_tables(address, &db, seed, more, kept, stop, statements));
            let (replicated, gate) = (source.is_replicated(), &source.gate);
            scope.spawn(move || {
                prepare_and_decide(address, (&other, replicated), gate, seed, (stop, xa));
            });
        }
        // The threads end also when a fault finds something and panics.
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| faults(keeper)));
        world.heal();
        stop.store(true, Ordering::SeqCst);
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
    keeper.tally.transactions += loads.into_iter().map(Load::finish).sum::<u64>();
    keeper.tally.statements += statements.load(Ordering::SeqCst);
    keeper.tally.xa += xa.load(Ordering::SeqCst);
}

fn writers<T: Transactions + 'static>(
    count: u64,
    make: impl Fn(u64) -> T,
) -> Vec<Box<dyn Transactions>> {
    (0..count).map(|thread| Box::new(make(thread)) as Box<dyn Transactions>).collect()
}

fn compare(world: &World, tally: &mut Tally) {
    for (i, source) in world.sources.iter().enumerate() {
        let (w, t) = (format!("w{i}"), format!("t{i}"));
        let (source, target) = (source.server(), world.target.server());
        assert_databases_equal(source, Target::Server(target), &[&w, &t]);
        let here = |s: &Server| -> Vec<(String, String)> {
            tables(s).into_iter().filter(|(db, _)| *db == w || *db == t).collect()
        };
        let all = here(source);
        assert_eq!(all, here(target), "the tables are not the same ones");
        tally.tables += all.len() as u64;
        for (db, table) in all {
            tally.rows += source.value::<u64>(&format!("SELECT COUNT(*) FROM `{db}`.`{table}`"));
        }
    }
}

/// Keeps `dm` running, breaks things, and writes down what happens.
struct Keeper<'w> {
    world: &'w World,
    dm: &'w Dm,
    process: Process,
    began: Instant,
    disturbed: Option<Instant>,
    tally: Tally,
}

impl<'w> Keeper<'w> {
    fn new(world: &'w World, dm: &'w Dm) -> Self {
        let tally = Tally { starts: 1, ..Tally::default() };
        let process = dm.start(&[]);
        Self { world, dm, process, began: Instant::now(), disturbed: None, tally }
    }

    fn say(&self, what: &str) {
        println!("   {:7.2} s  {what}", self.began.elapsed().as_secs_f64());
    }

    fn start(&mut self) {
        self.keep_log();
        self.process = self.dm.start(&[]);
        self.tally.starts += 1;
    }

    /// The words of a process that has ended go into a file beside its state.
    fn keep_log(&self) {
        let text = self.process.stderr();
        self.dm.write(&format!("run-{}.log", self.tally.starts), &text);
    }

    fn break_things(&mut self, random: &mut Random, time: Duration) {
        while self.began.elapsed() < time {
            let quiet = Duration::from_millis(100 + random.below(2_500));
            wait::poll(quiet, || {
                self.look_after();
                None::<()>
            });
            let (sources, replicas) = (self.world.sources.len(), self.world.has_replicas());
            let fault = Fault::next(random, sources, replicas);
            self.say(&format!("{fault:?}"));
            self.tally.note(fault);
            if fault.disturbs() {
                self.disturbed = Some(Instant::now());
            }
            self.carry_out(fault, random);
            if fault.disturbs() {
                self.disturbed = Some(Instant::now());
            }
        }
    }

    /// A `dm` that ended although nobody asked it to is started again, if a server was away; else
    /// that is a finding.
    fn look_after(&mut self) {
        if self.process.is_running() {
            return;
        }
        let words = self.process.stderr();
        let last = words
            .lines()
            .rev()
            .take(6)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
            .join("\n      ");
        // A task that has begun waits for its servers.
        let excused = self.disturbed.is_some_and(|at| at.elapsed() < EXCUSE) && !self.has_begun();
        self.say(&format!("dm ended by itself:\n      {last}"));
        assert!(excused, "dm ended by itself although all servers are there:\n{words}");
        self.tally.ended += 1;
        wait::pass(Duration::from_millis(300));
        self.start();
    }

    fn has_begun(&self) -> bool {
        let file = self.dm.state().join("test.db");
        let open =
            rusqlite::Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
        let lanes =
            open.and_then(|c| c.query_row("SELECT count(*) FROM lane", [], |r| r.get::<_, i64>(0)));
        lanes.is_ok_and(|n| n > 0)
    }

    /// Asks it to stop, as Ctrl-C does; it has to end within the limit.
    fn stop(&mut self) {
        if !self.process.is_running() {
            return;
        }
        let asked = Instant::now();
        self.process.interrupt();
        let ended = wait::poll(STOP_LIMIT + Duration::from_secs(20), || {
            (!self.process.is_running()).then_some(())
        });
        let took = asked.elapsed();
        self.say(&format!("stopped after {:.1} s", took.as_secs_f64()));
        assert!(ended.is_some() && took <= STOP_LIMIT, "a stop took {:.1} s", took.as_secs_f64());
    }

    fn kill_server(&self, side: Side) {
        let place = self.place(side);
        place.gate.kill(place.server());
    }

    fn place(&self, side: Side) -> &'w Place {
        match side {
            Side::Target => &self.world.target,
            Side::Source(at) => &self.world.sources[at],
        }
    }

    fn carry_out(&mut self, fault: Fault, random: &mut Random) {
        match fault {
            Fault::KillDm(pause) => {
                self.process.kill();
                wait::pass(pause);
                self.start();
            }
            Fault::StopDm => {
                self.stop();
                self.start();
            }
            Fault::FreezeDm(time) => {
                self.process.signal("STOP");
                wait::pass(time);
                self.process.signal("CONT");
            }
            Fault::Kill(side) => {
                self.kill_server(side);
                self.place(side).server().restart();
            }
            Fault::KillBoth(side) => {
                self.process.kill();
                self.kill_server(side);
                self.place(side).server().restart();
                self.start();
            }
            Fault::Restart(side) => {
                self.place(side).server().stop();
                self.place(side).server().restart();
            }
            Fault::Freeze(side, time) => {
                self.place(side).server().freeze();
                wait::pass(time);
                self.place(side).server().thaw();
            }
            Fault::LockTarget(time) => self.lock_target(time),
            Fault::Large(rows) => {
                self.at_source(random, |s, db| try_run(s, db, &shapes::large(rows)))
            }
            Fault::Rotate => self.at_source(random, |s, db| try_run(s, db, "FLUSH BINARY LOGS")),
            Fault::FailOver(at) => {
                if !self.world.sources[at].fail_over() {
                    self.say("no failover: the replica does not get on");
                    self.tally.undone(fault);
                }
            }
            network => self.network(network, random),
        }
    }

    fn network(&mut self, fault: Fault, random: &mut Random) {
        match fault {
            Fault::Cut(side) => self.place(side).proxy.cut(),
            Fault::Refuse(side, time) => {
                let proxy = &self.place(side).proxy;
                proxy.refuse(true);
                proxy.cut();
                wait::pass(time);
                proxy.refuse(false);
            }
            Fault::BlackHole(side, time, cut) => {
                let proxy = &self.place(side).proxy;
                proxy.black_hole(true);
                let stop = random.one_in(3);
                wait::pass(time);
                if stop {
                    self.stop();
                }
                if cut {
                    proxy.cut();
                }
                proxy.black_hole(false);
                if stop {
                    self.start();
                }
            }
            Fault::Delay(side, time) => {
                let proxy = &self.place(side).proxy;
                proxy.delay(Duration::from_millis(20));
                wait::pass(time);
                proxy.delay(Duration::ZERO);
            }
            Fault::Throttle(side, time) => {
                let proxy = &self.place(side).proxy;
                proxy.throttle(100_000);
                wait::pass(time);
                proxy.throttle(0);
            }
            _ => {}
        }
    }

    fn at_source(&self, random: &mut Random, work: impl FnOnce(&Server, &str)) {
        let at = usize::try_from(random.below(self.world.sources.len() as u64)).unwrap_or(0);
        work(self.world.sources[at].server(), &format!("t{at}"));
    }

    fn lock_target(&self, time: Duration) {
        let Ok(mut conn) = self.world.target.server().try_conn() else { return };
        // Tables that the copy has not made yet are not there to be locked.
        let _ = conn.query_drop("BEGIN");
        for table in ["w0.acct", "t0.shape", "t0.tri"] {
            let _ = conn.query_drop(format!("SELECT * FROM {table} LIMIT 200 FOR UPDATE"));
        }
        wait::pass(time);
        let _ = conn.query_drop("ROLLBACK");
    }
}

/// Runs a script; a deadlock or lock wait with the load's transactions ends it.
fn try_run(source: &Server, db: &str, script: &str) {
    let Ok(mut conn) = source.try_conn() else { return };
    let _ = conn.query_drop(format!("USE {db}"));
    for statement in crate::support::sql::split(script) {
        if conn.query_drop(statement).is_err() {
            return;
        }
    }
}
