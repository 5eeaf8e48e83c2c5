//! The store as its callers see it.
// Helpers stand outside of the test functions that clippy exempts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod damage;
mod histories;
mod kill;
mod lock;
mod records;
mod scenario;
mod schema;
