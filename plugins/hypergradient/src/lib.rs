//! Hypergradient descent: the learning rate is itself trained by gradient descent.
//!
//! [`hypergradient`] holds the one scheduler. What must not live here: anything that keeps a
//! rate per parameter. That belongs on the device with the parameters.

pub mod hypergradient;

pub use hypergradient::Hypergradient;

attune_plugin_api::export!(Hypergradient);
