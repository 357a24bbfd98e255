//! What it costs a running task that somebody looks: printed with `DM_TEST_COST_ROUNDS=N` only, and not
//! judged, because the machine that runs the tests has other work.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use mysql::prelude::Queryable as _;

use crate::place::{DB, servers};
use crate::support::compare::Target;
use crate::support::dm::{DEADLINE, Dm, Task};
use crate::support::{env_number, http, leave_out, serial};

/// Processor time, in seconds, of the processes that this one has waited for (proc(5), `stat`, fields 16
/// and 17, in hundredths).
fn children() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = rest.split(' ').collect();
    fields[13..15].iter().map(|f| f.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

/// One run over the same binlog, with somebody who looks all the time or without; processor time of the run, and
/// how often somebody looked.
fn round(dm: &Dm, looks: bool) -> (f64, u32) {
    let before = children();
    let mut run = dm.start(&["--until", "caught-up", "--http", "127.0.0.1:0"]);
    let mut looked = 0;
    if looks {
        let site = http::place_of(&run);
        while run.is_running() {
            for path in ["/metrics", "/status"] {
                // The last one may come too late.
                let Ok(mut stream) = TcpStream::connect(&site) else { break };
                let request = format!("GET {path} HTTP/1.1\r\nHost: {site}\r\n\r\n");
                let _ = stream.write_all(request.as_bytes());
                let _ = stream.read_to_end(&mut Vec::new());
            }
            looked += 1;
        }
    }
    run.wait(DEADLINE).expect_success();
    (children() - before, looked)
}

#[test]
fn what_it_costs_that_somebody_looks() {
    let rounds = env_number("DM_TEST_COST_ROUNDS", 0);
    if rounds == 0 {
        return leave_out("the cost of metrics", "only with DM_TEST_COST_ROUNDS=N");
    }
    let _one = serial();
    let Some((from, to)) = servers() else { return };
    let table =
        format!("CREATE TABLE {DB}.cost (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(80))");
    from.run("", &table);
    let start = from.position();
    let mut conn = from.conn();
    let work = format!(
        "CREATE PROCEDURE {DB}.work(n INT) BEGIN WHILE n > 0 DO \
         INSERT INTO cost (v) VALUES (REPEAT('x', 60)); SET n = n - 1; END WHILE; END"
    );
    conn.query_drop(work).unwrap();
    conn.query_drop(format!("CALL {DB}.work(60000)")).unwrap();
    let sources = [&from.address];
    let mut task = Task::new("incremental", &sources, Target::Server(&to.address), &[DB]);
    let meta = format!("    meta: {{binlog-name: {}, binlog-pos: {}}}\n", start.file, start.pos);
    task.instance = &meta;
    let mut sums = [(0.0, 0); 2];
    for n in 0..2 * rounds {
        to.clear();
        to.run("", &format!("CREATE DATABASE {DB}; {table}"));
        let looks = n % 2 == 1;
        let (took, looked) = round(&Dm::set_up(&task), looks);
        println!("{took:.2} s, {looked} looks");
        let sum = &mut sums[usize::from(looks)];
        *sum = (sum.0 + took, sum.1 + looked);
    }
    let [(without, _), (with, looks)] = sums;
    let one = (with - without) / f64::from(looks);
    println!(
        "without {:.2} s, with {:.2} s in {looks} looks: {:.3} ms for one, {:.3} % of a processor when it is \
         once a second",
        without / rounds as f64,
        with / rounds as f64,
        one * 1000.0,
        one * 100.0
    );
}
