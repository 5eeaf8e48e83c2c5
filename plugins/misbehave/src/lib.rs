//! A plugin that misbehaves on purpose, for tests only.
//!
//! It holds one scheduler, `misbehave`, which keeps the starting rates until it is asked otherwise:
//! by the environment or by its parameters.
//!
//! # By the environment
//! `ATTUNE_MISBEHAVE` reads `ACTION@CALL` and is looked at in every call, so that a test can set it
//! after loading.
//!
//! | action | what happens | in the calls |
//! |---|---|---|
//! | `panic` | a panic; in `open`, where nobody can catch it, it ends the process | all |
//! | `error` | the call returns an error | configure, step, metric, save, load |
//! | `nan`, `negative`, `infinite` | every rate is set to that | step, metric |
//! | `hang` | the call sleeps, for an hour: whoever waits must kill it | all |
//! | `allocate` | memory is taken and written to until there is no more | all |
//! | `segfault` | an address that is never mapped is read | all |
//! | `abort`, `exit` | the process ends by a signal, or with code 7 | all |
//!
//! Calls: `open`, `describe`, `configure`, `step`, `metric`, `save`, `load`, `drop`. `open` is the
//! library's initialiser, which runs while the library is mapped, as the constructors of a C++
//! plugin's globals do. A load drops the scheduler that it replaces.
//!
//! Three more variables limit when it acts:
//! - `ATTUNE_MISBEHAVE_AT=N`: from step N of the scheduler on. Saving, loading and dropping count as
//!   at the last step that the scheduler saw; `open`, `describe` and `configure` are at no step and
//!   happen anyway.
//! - `ATTUNE_MISBEHAVE_ONCE=FILE`: only where FILE is not there, and makes it first. So a trial that
//!   kills its worker succeeds when it is tried again. It limits the parameters' wish too.
//! - `ATTUNE_MISBEHAVE_IF=FILE`: only while FILE is there. So a library that was found sound kills
//!   whoever loads it later. It limits the parameters' wish too.
//!
//! # By its parameters
//! A process that was started earlier does not share its client's environment, and one study may want
//! trials that behave beside some that do not. So `action`, `call` (`step` where none is given; never
//! `open` or `describe`, which know no parameters) and `at_step` ask for the same. Where
//! `ATTUNE_MISBEHAVE` is set, it is obeyed instead.
//!
//! A wish of another form, or for what cannot happen in that call, is itself an error of configure,
//! so that a test with a slip of the pen fails.
//!
//! The file's name does not begin like those of the shipped plugins, so it is never found by
//! accident.

mod deed;
mod wish;

use attune_plugin_api::prelude::*;
use deed::act;
use serde::{Deserializer, Serializer};
use wish::Wish;

/// The scheduler.
#[derive(Debug)]
pub struct Misbehave {
    state: State,
}

/// What is saved, so that a loaded scheduler misbehaves as the saved one would have.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct State {
    wish: Wish,
    step: u64,
}

/// What it shall do, and when.
#[derive(Debug, Deserialize)]
pub struct MisbehaveParams {
    action: String,
    call: String,
    at_step: u64,
}

impl Misbehave {
    fn act(&self, call: &str) -> Result<Option<f64>, Error> {
        act(call, Some(self.state.step), &self.state.wish)
    }

    fn spoil(&mut self, call: &str, now: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        self.state.step = now.step();
        if let Some(rate) = self.act(call)? {
            rates.set_each(|_, _| rate);
        }
        Ok(())
    }
}

impl Scheduler for Misbehave {
    type Params = MisbehaveParams;

    fn describe() -> Description {
        // A description cannot return an error; the other actions happen here.
        let _ = act("describe", None, &Wish::nothing());
        Description::new("misbehave", "Misbehaves on purpose, for tests only.")
            .reads_metric()
            .param(
                Param::choice("action", &wish::parameter_actions(), "none")
                    .doc("What to do; the environment's wish, where there is one, goes first."),
            )
            .param(
                Param::choice("call", &wish::parameter_calls(), "step")
                    .doc("The call in which to do it."),
            )
            .param(Param::int("at_step", 0).doc("The first step at which to do it."))
    }

    fn configure(params: MisbehaveParams, _: &Setup) -> Result<Self, Error> {
        let wish = Wish::of_parameters(&params.action, &params.call, params.at_step)?;
        act("configure", None, &wish)?;
        Ok(Misbehave {
            state: State { wish, step: 0 },
        })
    }

    fn step(&mut self, now: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        self.spoil("step", now, rates)
    }

    fn metric(&mut self, _: f64, now: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        self.spoil("metric", now, rates)
    }
}

impl Serialize for Misbehave {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.act("save").map_err(serde::ser::Error::custom)?;
        self.state.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Misbehave {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let state = State::deserialize(deserializer)?;
        act("load", Some(state.step), &state.wish).map_err(serde::de::Error::custom)?;
        Ok(Misbehave { state })
    }
}

impl Drop for Misbehave {
    fn drop(&mut self) {
        // A destructor cannot return an error; the other actions happen here.
        let _ = self.act("drop");
    }
}

/// Run by the system's loader while it maps the library, before anybody has asked for anything.
extern "C" fn initialise() {
    // An initialiser cannot return an error; the other actions happen here.
    let _ = act("open", None, &Wish::nothing());
}

#[allow(
    unsafe_code,
    reason = "the system's loader finds initialisers by the section they stand in"
)]
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(
    target_os = "macos",
    unsafe(link_section = "__DATA,__mod_init_func,mod_init_funcs")
)]
static INITIALISER: extern "C" fn() = initialise;

attune_plugin_api::export!(Misbehave);

#[cfg(test)]
mod tests {
    use super::*;

    /// The environment belongs to the whole process, and most deeds would end it: what they do is
    /// tested where the library is loaded, in a process of its own for each.
    #[test]
    fn undisturbed_it_is_a_constant_schedule() {
        attune_plugin_api::conformance::check::<Misbehave>().unwrap();
    }

    #[test]
    fn no_parameter_is_searched() {
        assert!(
            Misbehave::describe()
                .params
                .iter()
                .all(|p| p.search.is_none())
        );
    }
}
