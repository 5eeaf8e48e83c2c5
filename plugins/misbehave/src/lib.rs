//! A plugin that misbehaves on purpose, for tests only.
//!
//! It holds one scheduler, `misbehave`, which keeps the starting rates until the environment
//! variable `ATTUNE_MISBEHAVE` says otherwise. The variable reads `ACTION@CALL` and is looked at in
//! every call, so that a test can set it after loading.
//!
//! | action | what happens | in the calls |
//! |---|---|---|
//! | `panic` | a panic | all |
//! | `error` | the call returns an error | configure, step, metric, save, load |
//! | `nan`, `negative`, `infinite` | every rate is set to that | step, metric |
//! | `hang` | the call sleeps, for [`HANG`] at most | all |
//! | `segfault` | an address that is never mapped is read | all |
//! | `abort`, `exit` | the process ends by a signal, or with code 7 | all |
//!
//! Calls: `describe`, `configure`, `step`, `metric`, `save`, `load`, `drop`. A variable of another
//! form is itself an error of configure, so that a test with a slip of the pen fails.
//!
//! The file's name does not begin like those of the shipped plugins, so it is never found by
//! accident.

use attune_plugin_api::prelude::*;
use serde::{Deserializer, Serializer};
use std::time::Duration;

/// How long a hanging call sleeps: longer than any deadline, short enough to end a forgotten one.
pub const HANG: Duration = Duration::from_secs(30);

const ACTIONS: &[&str] = &[
    "panic", "error", "nan", "negative", "infinite", "hang", "segfault", "abort", "exit",
];
const CALLS: &[&str] = &[
    "describe",
    "configure",
    "step",
    "metric",
    "save",
    "load",
    "drop",
];

/// The scheduler.
#[derive(Debug)]
pub struct Misbehave;

/// It has no parameters.
#[derive(Debug, Deserialize)]
pub struct MisbehaveParams {}

impl Scheduler for Misbehave {
    type Params = MisbehaveParams;

    fn describe() -> Description {
        // A description cannot return an error; the other actions happen here.
        let _ = act("describe");
        Description::new("misbehave", "Misbehaves on purpose, for tests only.").reads_metric()
    }

    fn configure(_: MisbehaveParams, _: &Setup) -> Result<Self, Error> {
        check_variable()?;
        act("configure")?;
        Ok(Misbehave)
    }

    fn step(&mut self, _: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        spoil(act("step")?, rates);
        Ok(())
    }

    fn metric(&mut self, _: f64, _: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        spoil(act("metric")?, rates);
        Ok(())
    }
}

impl Serialize for Misbehave {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        act("save").map_err(serde::ser::Error::custom)?;
        // One byte, so that a state that was cut is seen to be.
        serializer.serialize_u8(0)
    }
}

impl<'de> Deserialize<'de> for Misbehave {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        act("load").map_err(serde::de::Error::custom)?;
        u8::deserialize(deserializer).map(|_| Misbehave)
    }
}

impl Drop for Misbehave {
    fn drop(&mut self) {
        // A destructor cannot return an error; the other actions happen here.
        let _ = act("drop");
    }
}

/// Does what the variable asks of this call; a rate to set is returned.
fn act(call: &str) -> Result<Option<f64>, Error> {
    let wish = std::env::var("ATTUNE_MISBEHAVE").unwrap_or_default();
    let Some((action, at)) = wish.split_once('@') else {
        return Ok(None);
    };
    if at != call {
        return Ok(None);
    }
    match action {
        "panic" => fall_over(call),
        "error" => {
            return Err(Error::new(format!(
                "misbehave was asked for an error in {call}"
            )));
        }
        "nan" => return Ok(Some(f64::NAN)),
        "negative" => return Ok(Some(-1.0)),
        "infinite" => return Ok(Some(f64::INFINITY)),
        "hang" => std::thread::sleep(HANG),
        "segfault" => read_nothing(),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(7),
        _ => {}
    }
    Ok(None)
}

fn check_variable() -> Result<(), Error> {
    let Ok(wish) = std::env::var("ATTUNE_MISBEHAVE") else {
        return Ok(());
    };
    match wish.split_once('@') {
        Some((action, call)) if ACTIONS.contains(&action) && CALLS.contains(&call) => Ok(()),
        _ if wish.is_empty() => Ok(()),
        _ => Err(Error::new(format!(
            "ATTUNE_MISBEHAVE is `{wish}`; it must be ACTION@CALL with one of {} and one of {}",
            ACTIONS.join(", "),
            CALLS.join(", ")
        ))),
    }
}

fn spoil(rate: Option<f64>, rates: &mut Rates<'_>) {
    if let Some(rate) = rate {
        rates.set_each(|_, _| rate);
    }
}

#[allow(clippy::panic, reason = "panicking is what this plugin is for")]
fn fall_over(call: &str) -> ! {
    panic!("misbehave was asked to panic in {call}")
}

#[allow(
    unsafe_code,
    reason = "no safe code ends in the signal that tests need to see"
)]
fn read_nothing() {
    // SAFETY: none, on purpose. The first page is never mapped, so the read ends the process, and
    // nothing runs after it. The address is hidden from the compiler, which would be free to do
    // anything with a read that it knows to be wild.
    unsafe {
        std::hint::black_box(std::hint::black_box(std::ptr::dangling::<u8>()).read_volatile());
    }
}

attune_plugin_api::export!(Misbehave);

#[cfg(test)]
mod tests {
    use super::*;

    /// The variable belongs to the whole process, so only what holds without it is tested here;
    /// what it does is tested where the library is loaded.
    #[test]
    fn undisturbed_it_is_a_constant_schedule() {
        attune_plugin_api::conformance::check::<Misbehave>().unwrap();
    }
}
