//! Statements of many rows do what their changes one by one do: random batches are applied to one
//! table in a single target transaction and to its twin change by change, on real servers. Rows,
//! and what was counted, must be the same, also where rows are missing at the target.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dm_core::RowOp;
use dm_core::config::{ConnPlan, Secret};
use dm_core::event::{ApplyMode, LaneId, SourceId};
use dm_core::filter::{Date, DateTime, TableName, Time, Timestamp, Value};
use dm_core::sink::{ApplyStats, MysqlSink, Sink, Slot, Writer};
use dm_core::testing::build;
use support::random::Random;
use support::serial;
use support::server::{Flavor, Server};

type Row = Vec<Value<'static>>;

/// What a table looks like, and how its keys are made.
struct Shape {
    columns: &'static [&'static str],
    definition: &'static str,
    key: fn(u64) -> Vec<Value<'static>>,
}

const VALUES: &str = "u INT UNIQUE, i BIGINT, bu BIGINT UNSIGNED, f FLOAT, d DOUBLE, m DECIMAL(40,10), \
    s VARCHAR(200) CHARACTER SET utf8mb4, tx TEXT CHARACTER SET utf8mb4, b VARBINARY(100), bl BLOB, dt DATETIME(6), \
    ti TIME(6), da DATE, y YEAR, bt BIT(64), js JSON, \
    ts TIMESTAMP(6) NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP(6)";
const NAMES: [&str; 17] =
    ["u", "i", "bu", "f", "d", "m", "s", "tx", "b", "bl", "dt", "ti", "da", "y", "bt", "js", "ts"];

const SHAPES: [Shape; 4] = [
    Shape {
        columns: &["id"],
        definition: "id BIGINT UNSIGNED PRIMARY KEY",
        // Both halves of the type's range.
        key: |n| vec![Value::UInt(if n % 2 == 0 { n } else { u64::MAX - n })],
    },
    Shape {
        columns: &["name"],
        definition: "name VARCHAR(40) CHARACTER SET utf8mb4 PRIMARY KEY",
        // Some are wild, most are not.
        key: |n| vec![text(if n % 5 == 0 { format!("größe {n}") } else { format!("it's {n}") })],
    },
    Shape {
        columns: &["a", "bb"],
        definition: "a INT, bb VARBINARY(20), PRIMARY KEY (a, bb)",
        key: |n| {
            vec![
                Value::Int((n % 7) as i64 - 3),
                Value::Bytes(format!("{n}\0'").into_bytes().into()),
            ]
        },
    },
    Shape {
        columns: &["p"],
        definition: "p DECIMAL(20,3) PRIMARY KEY",
        key: |n| vec![Value::Decimal(format!("-{n}.{:03}", n % 1000).into())],
    },
];

fn text(v: impl Into<String>) -> Value<'static> {
    Value::Text(v.into().into())
}

/// A value for the column at this place of [`NAMES`]; ends of ranges are frequent.
fn value(column: usize, random: &mut Random) -> Value<'static> {
    let n = random.below(1000);
    if random.below(8) == 0 {
        return Value::Null;
    }
    match NAMES[column] {
        // Unique values are given by hand.
        "u" => Value::Null,
        "i" => Value::Int([i64::MIN, i64::MAX, -1, 0, n as i64][random.below(5) as usize]),
        "bu" => Value::UInt([u64::MAX, 0, 1 << 63, n, n][random.below(5) as usize]),
        "f" => Value::Float(
            [f32::MAX, f32::MIN_POSITIVE, -0.1, 1e-7, n as f32 / 3.0][random.below(5) as usize],
        ),
        "d" => Value::Double(
            [f64::MAX, f64::MIN_POSITIVE, -0.1, 1e300, n as f64 / 3.0][random.below(5) as usize],
        ),
        "m" => Value::Decimal(
            [
                "999999999999999999999999999999.9999999999",
                "-0.0000000001",
                "0.0000000000",
                "12.3400000000",
            ][random.below(4) as usize]
                .into(),
        ),
        "s" => text(["", " ", "a'b\\c\"\0\n", "größe 東京 🦀", "plain "][random.below(5) as usize]),
        "tx" => text("x".repeat(n as usize * 3)),
        "b" | "bl" => {
            Value::Bytes((0..n % 40).map(|i| (i * 37 + n) as u8).collect::<Vec<u8>>().into())
        }
        "dt" => Value::DateTime(DateTime {
            date: Date { year: 1000 + (n as u16) * 8, month: (n % 13) as u8, day: (n % 29) as u8 },
            hour: (n % 24) as u8,
            minute: 59,
            second: 1,
            micro: n as u32 * 999,
            decimals: 6,
        }),
        "ti" => Value::Time(Time {
            negative: n.is_multiple_of(2),
            hours: n as u16 % 839,
            minutes: 59,
            seconds: 58,
            micro: 0,
            decimals: 6,
        }),
        "da" => {
            Value::Date(Date { year: (n * 9) as u16, month: (n % 13) as u8, day: (n % 29) as u8 })
        }
        "y" => Value::Year(if n.is_multiple_of(3) { 0 } else { 1901 + n as u16 % 255 }),
        "bt" => Value::Bit([u64::MAX, 0, 1, n << 30][random.below(4) as usize]),
        "js" => Value::Json(dm_core::filter::Json {
            text: format!("{{\"n\": {n}, \"t\": \"it's\"}}").into(),
            ..dm_core::filter::Json::default()
        }),
        "ts" => Value::Timestamp(Timestamp {
            seconds: 1_000_000_000 + n as i64,
            micro: n as u32,
            decimals: 6,
        }),
        other => panic!("{other}"),
    }
}

/// The rows that the source has, and the changes that it makes.
struct Model<'r> {
    shape: &'static Shape,
    random: &'r mut Random,
    live: BTreeMap<u64, Row>,
    next: u64,
    unique: i64,
}

impl Model<'_> {
    fn row(&mut self, n: u64) -> Row {
        let mut row = (self.shape.key)(n);
        for column in 0..NAMES.len() {
            row.push(value(column, self.random));
        }
        row[self.shape.columns.len()] = self.fresh();
        row
    }

    fn fresh(&mut self) -> Value<'static> {
        self.unique += 1;
        if self.unique % 3 == 0 { Value::Null } else { Value::Int(self.unique) }
    }

    /// A row that is there; some are met again and again.
    fn some(&mut self) -> Option<u64> {
        let hot = self.random.below(3) == 0;
        let n = self.live.len() as u64;
        let at = self.random.below(if hot { n.min(3) } else { n }.max(1));
        self.live.keys().nth(at as usize).copied()
    }

    fn change(&mut self) -> RowOp<'static> {
        let what = self.random.below(10);
        let Some(n) = self.some().filter(|_| what > 2) else {
            // New, or one that was deleted before.
            let n = match self.random.below(3) {
                0 => self.random.below(self.next + 1),
                _ => self.next,
            };
            self.next += 1;
            if !self.live.contains_key(&n) {
                let row = self.row(n);
                self.live.insert(n, row.clone());
                return build::insert(row);
            }
            return self.update(n);
        };
        if what == 3 {
            return build::delete(self.live.remove(&n).unwrap());
        }
        self.update(n)
    }

    fn update(&mut self, n: u64) -> RowOp<'static> {
        let before = self.live[&n].clone();
        let mut after = before.clone();
        let first = self.shape.columns.len();
        // Few sets of columns, so that statements have many rows; now and then a unique value.
        match self.random.below(6) {
            0 => after[first] = self.fresh(),
            1 => {
                for (i, cell) in after.iter_mut().enumerate().skip(first + 1) {
                    *cell = value(i - first, self.random);
                }
            }
            set => {
                for column in [set as usize, set as usize + 5] {
                    after[first + column] = value(column, self.random);
                }
            }
        }
        self.live.insert(n, after.clone());
        build::update(before, after)
    }
}

struct Twins {
    server: &'static Server,
    writers: [Box<dyn Writer>; 2],
    lane: LaneId,
    ordinal: u64,
}

impl Twins {
    fn apply(
        &mut self,
        which: usize,
        shape: &Shape,
        table: &str,
        txns: &[Vec<RowOp<'static>>],
    ) -> ApplyStats {
        let columns: Vec<&str> = shape.columns.iter().copied().chain(NAMES).collect();
        let name = TableName::new("many", table);
        let plan = build::plan(&SourceId::new("s"), &name, &name, &columns);
        let batch = txns
            .iter()
            .map(|ops| {
                self.ordinal += 1;
                build::txn(self.ordinal, vec![build::block(&plan, ApplyMode::Exact, ops.clone())])
            })
            .collect();
        let mark = build::mark(&self.lane, 1, which as u32, 0, &[self.ordinal]);
        let applied = self.writers[which].apply(&build::batch(&self.lane, batch), &mark);
        applied.unwrap_or_else(|e| panic!("{e}"))
    }

    fn same(&self) {
        let rows = |table: &str| -> Vec<String> {
            let mut lines: Vec<String> = Vec::new();
            for row in self.server.rows::<mysql::Row>(&format!("SELECT * FROM many.{table}")) {
                lines.push(format!("{row:?}"));
            }
            lines.sort();
            lines
        };
        assert_eq!(rows("one"), rows("other"));
    }
}

fn equal(flavor: Flavor) {
    let _one = serial();
    let Some(server) = Server::shared_with(flavor, "sink", &["--character-set-server=utf8mb4"])
    else {
        return;
    };
    let seed = Random::seed();
    println!("DM_TEST_SEED={seed}");
    let mut random = Random::new(seed);
    for shape in &SHAPES {
        server.drop_database("many");
        server.drop_database("many_meta");
        let create =
            |table: &str| format!("CREATE TABLE many.{table} ({}, {VALUES})", shape.definition);
        server.run("", &format!("CREATE DATABASE many; {}; {}", create("one"), create("other")));
        let address = &server.address;
        let secret = Secret::new(address.password.as_str());
        let conn =
            ConnPlan::new(address.host.as_str(), address.port, address.user.as_str(), secret);
        let sink = Arc::new(MysqlSink::connect(conn, "many_meta"));
        sink.prepare("many", "state").unwrap();
        let lane = LaneId::main(&SourceId::new("s"));
        let writer = |worker| {
            let slot = Slot { task: "many".to_owned(), lane: lane.clone(), worker, epoch: 1 };
            sink.writer(&slot, &AtomicBool::new(false)).unwrap()
        };
        let writers = [writer(0), writer(1)];
        let mut twins = Twins { server, writers, lane: lane.clone(), ordinal: 0 };
        let mut model =
            Model { shape, random: &mut random, live: BTreeMap::new(), next: 0, unique: 0 };
        let mut missing = 0;
        for round in 0..8 {
            let txns: Vec<Vec<RowOp<'static>>> = (0..60)
                .map(|_| {
                    let n = 1 + model.random.below(6);
                    (0..n).map(|_| model.change()).collect()
                })
                .collect();
            if round > 2 {
                // Rows that somebody else has deleted at the target. A new row may then stand
                // where one of these had its unique value: nothing here depends on it.
                for table in ["one", "other"] {
                    server.run("", &format!("DELETE FROM many.{table} WHERE i = -1 OR bu = 0"));
                }
            }
            let together = twins.apply(0, shape, "one", &txns);
            let mut alone = ApplyStats::default();
            for op in txns.iter().flatten() {
                alone.add(&twins.apply(1, shape, "other", &[vec![op.clone()]]));
            }
            let count = |s: &ApplyStats| {
                (s.inserted, s.updated, s.deleted, s.missing.iter().map(|(_, n)| n).sum::<u64>())
            };
            assert_eq!(count(&together), count(&alone), "round {round} of {:?}", shape.columns);
            twins.same();
            missing += count(&alone).3;
        }
        assert!(missing > 0, "the rounds with missing rows are part of the test");
    }
}

#[test]
fn on_mysql() {
    equal(Flavor::Mysql);
}

#[test]
fn on_mariadb() {
    equal(Flavor::Mariadb);
}
