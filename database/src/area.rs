/// A storage area. On Postgres it is a schema; embedded it is a SQLite file of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Area {
    /// The append-only log: the only truth.
    Log,
    /// What projections keep; may be dropped at any time and made again from the log.
    Views,
    /// Plain state: accounts, catalogue, carts, inbox, keys, leases.
    State,
    /// What the simulated channels keep.
    Sandbox,
}

impl Area {
    /// The schema that holds the area on Postgres.
    pub fn schema(self) -> &'static str {
        match self {
            Self::Log => "paystream_log",
            Self::Views => "paystream_views",
            Self::State => "paystream_state",
            Self::Sandbox => "paystream_sandbox",
        }
    }

    /// Whether each commit must survive a loss of power. Views need not: they follow the log, and what they lost with
    /// their checkpoint they read again. Everything else is acknowledged to someone.
    pub(crate) fn survives_power_loss(self) -> bool {
        self != Self::Views
    }

    /// The advisory lock that one migrating process holds. Fixed numbers, so that old and new programs agree.
    pub(crate) fn migration_lock(self) -> i64 {
        const FIRST: i64 = 0x7061_7973_7472_6d00;
        FIRST
            + match self {
                Self::Log => 1,
                Self::Views => 2,
                Self::State => 3,
                Self::Sandbox => 4,
            }
    }
}
