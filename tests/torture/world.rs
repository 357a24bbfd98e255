//! The servers of a run and the proxies in front of them.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::replication::wait_for_writers;
use crate::support::proxy::Proxy;
use crate::support::replica::{begin_replication, catches_up, end_replication};
use crate::support::server::{Address, Flavor, Server};
use crate::xa::{Gate, settle};

/// Which servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// MySQL to MySQL.
    Mysql,
    /// MariaDB to MariaDB.
    Mariadb,
    /// MySQL and MariaDB into one MariaDB.
    Mixed,
    /// MariaDB to MySQL.
    Across,
}

impl Layout {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mysql, Self::Mariadb, Self::Mixed, Self::Across];

    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
            Self::Mixed => "mixed",
            Self::Across => "across",
        }
    }

    /// The layout of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|l| l.word() == word)
    }

    /// True for a word that `--flavor` takes.
    pub fn is_word(word: &str) -> bool {
        word == "all" || Self::parse(word).is_some()
    }

    fn sources(self) -> &'static [Flavor] {
        match self {
            Self::Mysql => &[Flavor::Mysql],
            Self::Mariadb | Self::Across => &[Flavor::Mariadb],
            Self::Mixed => &[Flavor::Mysql, Flavor::Mariadb],
        }
    }

    fn target(self) -> Flavor {
        match self {
            Self::Mysql | Self::Across => Flavor::Mysql,
            Self::Mariadb | Self::Mixed => Flavor::Mariadb,
        }
    }
}

/// A server with the proxy that `dm` reaches it by. A source may have a replica, which takes its place
/// in a failover.
#[derive(Debug)]
pub struct Place {
    pub flavor: Flavor,
    servers: Vec<Server>,
    now: AtomicUsize,
    /// The proxy in front of it.
    pub proxy: Proxy,
    /// The proxy's address.
    pub address: Address,
    front: Proxy,
    /// Where the load writes: nothing is broken on this way, it only ends at another server after a
    /// failover.
    pub load: Address,
    /// What a kill of it waits for.
    pub gate: Gate,
}

impl Place {
    fn start(name: &str, flavor: Flavor, replica: bool) -> Option<Self> {
        // A kill of the server must not lose what it has promised to keep.
        let safe = ["--innodb-doublewrite=ON", "--innodb-flush-log-at-trx-commit=1"];
        let mut servers = vec![Server::start(name, flavor, &safe)?];
        if replica {
            servers.push(Server::start(&format!("{name}-r"), flavor, &safe)?);
        }
        let (host, port) = (servers[0].host.clone(), servers[0].port);
        let (proxy, front) = (Proxy::start(&host, port), Proxy::start(&host, port));
        let address = Address { port: proxy.port, ..servers[0].address.clone() };
        let load = Address { port: front.port, ..address.clone() };
        let (now, gate) = (AtomicUsize::new(0), Gate::default());
        Some(Self { flavor, servers, now, proxy, address, front, load, gate })
    }

    /// True when it has a replica.
    pub fn is_replicated(&self) -> bool {
        self.servers.len() > 1
    }

    /// The server that is written to.
    pub fn server(&self) -> &Server {
        &self.servers[self.now.load(Ordering::SeqCst)]
    }

    /// Empty servers, the first one in charge and the other one its replica.
    pub fn begin(&self, seed: u64) {
        for server in &self.servers {
            end_replication(server);
            // What is prepared holds its tables, at a replica as well.
            settle(server, seed);
            server.clear();
            server.reset_binlog();
        }
        self.put_in_charge(0);
        if let Some(replica) = self.servers.get(1) {
            begin_replication(replica, self.server());
        }
    }

    fn put_in_charge(&self, number: usize) {
        self.now.store(number, Ordering::SeqCst);
        for proxy in [&self.proxy, &self.front] {
            proxy.redirect(&self.server().host, self.server().port);
            proxy.cut();
        }
    }

    /// The server in charge dies and its replica, which has everything, takes over: what is written
    /// before it has would be lost, and `dm` would rightly say so. The dead one comes back as a
    /// replica. False where there is none, or it does not get on: then all stays as it was.
    pub fn fail_over(&self) -> bool {
        let next = 1 - self.now.load(Ordering::SeqCst);
        let Some(replica) = self.servers.get(next).filter(|_| self.servers.len() == 2) else {
            return false;
        };
        self.front.refuse(true);
        self.front.cut();
        let old = self.server();
        wait_for_writers(old);
        if catches_up(old, replica).is_err() {
            self.front.refuse(false);
            return false;
        }
        end_replication(replica);
        self.gate.kill(old);
        self.put_in_charge(next);
        self.front.refuse(false);
        old.restart();
        begin_replication(old, replica);
        true
    }

    fn heal(&self) {
        self.proxy.refuse(false);
        self.proxy.black_hole(false);
        self.proxy.delay(std::time::Duration::ZERO);
        self.proxy.throttle(0);
        self.front.refuse(false);
    }
}

/// All servers of a layout.
#[derive(Debug)]
pub struct World {
    /// Which.
    pub layout: Layout,
    /// The sources.
    pub sources: Vec<Place>,
    /// The target.
    pub target: Place,
}

impl World {
    /// Starts them, sources with a replica each when failovers are wanted; `None` when servers are not
    /// installed.
    pub fn start(layout: Layout, replicas: bool) -> Option<Self> {
        let sources = layout
            .sources()
            .iter()
            .map(|&flavor| {
                let name = format!("ts-{}-{}", layout.word(), flavor.word());
                Place::start(&name, flavor, replicas)
            })
            .collect::<Option<Vec<_>>>()?;
        let target = Place::start(&format!("tt-{}", layout.word()), layout.target(), false)?;
        Some(Self { layout, sources, target })
    }

    /// Ends all servers, and removes what they have.
    pub fn wipe(self) {
        let places = self.sources.iter().chain([&self.target]);
        places.flat_map(|place| &place.servers).for_each(Server::wipe);
    }

    /// True when each source has a replica.
    pub fn has_replicas(&self) -> bool {
        self.sources.iter().all(|s| s.servers.len() == 2)
    }

    /// Keeps the binlogs of all servers for whoever looks into a failure; says where.
    pub fn save_binlogs(&self, seed: u64) {
        let dir = std::env::temp_dir().join(format!("dm-torture-{}-{seed}", self.layout.word()));
        for server in self.sources.iter().chain([&self.target]).flat_map(|p| &p.servers) {
            server.save_binlogs(&dir.join(&server.name));
        }
        println!("   the binlogs of the servers are in {}", dir.display());
    }

    /// Ends all faults, and starts what was killed.
    pub fn heal(&self) {
        for place in self.sources.iter().chain([&self.target]) {
            place.heal();
            for server in &place.servers {
                let _ = std::panic::catch_unwind(|| server.thaw());
                if server.try_conn().is_err() {
                    server.restart();
                }
            }
        }
    }
}
