//! Limits: quotas on verified identities, counted in memory that all workers share.
//!
//! ```
//! use mesh_core::limit::{Bucket, Charge, Header, Host, Part, Quota, Rate, Table};
//! use mesh_core::text::time::Tick;
//!
//! #[derive(Debug)]
//! struct Clock;
//!
//! impl Host for Clock {
//!     fn clock(&self) -> Tick {
//!         Tick::from_millis(5_001)
//!     }
//!
//!     fn tell_full(&self, part: Part, charges: u64) {
//!         eprintln!("{part:?} is full, {charges} found no room");
//!     }
//! }
//!
//! let header = Header::default();
//! let buckets: Vec<Bucket> = (0..16).map(|_| Bucket::default()).collect();
//! let table = Table::open(&header, &buckets, [1, 2], &Clock).unwrap();
//!
//! let quota = Quota::new("reads", Rate::parse("10r/s").unwrap(), 1, 1).unwrap();
//! let key = table.key(&quota, &[b"service", b"orders-api"]);
//! let charge = Charge::new(&quota, Part::Identities, key);
//! let now = Tick::from_millis(5_000);
//! assert_eq!(table.charge(&[charge], now).unwrap().remaining().unwrap().units(), 1);
//! assert!(table.charge(&[charge], now).is_ok());
//! assert_eq!(table.charge(&[charge], now).unwrap_err().retry_after_secs(), 1);
//! ```

mod bucket;
mod charge;
mod gcra;
mod host;
mod key;
mod part;
mod probe;
mod rule;
mod share;
mod slot;
mod table;
mod tally;

pub use self::bucket::Bucket;
pub use self::charge::{Charge, Charged, Limited};
pub(crate) use self::gcra::Measure;
pub use self::gcra::{
    MAX_COUNT, MAX_WINDOW, Period, Quota, QuotaError, Rate, RateError, Remaining,
};
pub use self::host::Host;
pub use self::key::Key;
pub use self::part::Part;
pub use self::rule::{Limit, LimitKey, MAX_LIMITS};
pub(crate) use self::share::Shares;
pub use self::slot::Slot;
pub use self::table::{BUCKETS_OFFSET, Header, Table};
