//! The servers of a run and the proxies in front of them.

use crate::support::proxy::Proxy;
use crate::support::server::{Address, Flavor, Server};

/// Which servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// MySQL to MySQL.
    Mysql,
    /// MariaDB to MariaDB.
    Mariadb,
    /// MySQL and MariaDB into one MariaDB.
    Mixed,
}

impl Layout {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Mysql, Self::Mariadb, Self::Mixed];

    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
            Self::Mixed => "mixed",
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
            Self::Mariadb => &[Flavor::Mariadb],
            Self::Mixed => &[Flavor::Mysql, Flavor::Mariadb],
        }
    }

    fn target(self) -> Flavor {
        if self == Self::Mysql { Flavor::Mysql } else { Flavor::Mariadb }
    }
}

/// A server with the proxy that `dm` reaches it by.
#[derive(Debug)]
pub struct Place {
    /// The server.
    pub server: Server,
    /// The proxy in front of it.
    pub proxy: Proxy,
    /// The proxy's address.
    pub address: Address,
}

impl Place {
    fn start(name: &str, flavor: Flavor) -> Option<Self> {
        // A kill of the server must not lose what it has promised to keep.
        let safe = ["--innodb-doublewrite=ON", "--innodb-flush-log-at-trx-commit=1"];
        let server = Server::start(name, flavor, &safe)?;
        let proxy = Proxy::start(&server.host, server.port);
        let address = Address { port: proxy.port, ..server.address.clone() };
        Some(Self { server, proxy, address })
    }

    fn heal(&self) {
        self.proxy.refuse(false);
        self.proxy.black_hole(false);
        self.proxy.delay(std::time::Duration::ZERO);
        self.proxy.throttle(0);
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
    /// Starts them; `None` when servers are not installed.
    pub fn start(layout: Layout) -> Option<Self> {
        let sources = layout
            .sources()
            .iter()
            .map(|&flavor| Place::start(&format!("ts-{}-{}", layout.word(), flavor.word()), flavor))
            .collect::<Option<Vec<_>>>()?;
        let target = Place::start(&format!("tt-{}", layout.word()), layout.target())?;
        Some(Self { layout, sources, target })
    }

    /// Keeps the binlogs of all servers for whoever looks into a failure; says where.
    pub fn save_binlogs(&self, seed: u64) {
        let dir = std::env::temp_dir().join(format!("dm-torture-{}-{seed}", self.layout.word()));
        for place in self.sources.iter().chain([&self.target]) {
            place.server.save_binlogs(&dir.join(&place.server.name));
        }
        println!("   the binlogs of the servers are in {}", dir.display());
    }

    /// Ends all faults, and starts what was killed.
    pub fn heal(&self) {
        for place in self.sources.iter().chain([&self.target]) {
            place.heal();
            let _ = std::panic::catch_unwind(|| place.server.thaw());
            if place.server.try_conn().is_err() {
                place.server.restart();
            }
        }
    }
}
