//! The store as its callers see it.
// Helpers stand outside of the test functions that clippy exempts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod care;
mod curves;
mod damage;
mod deletion;
mod full_disk;
mod histories;
mod kill;
mod lock;
mod old;
mod records;
mod scenario;
mod schema;
