//! The [`export!`](crate::export!) macro and what it calls: the plugin's half of the boundary.
//!
//! A panic must not leave the library (abi_stable would end the process), so every entry point
//! and every call runs under a guard that turns it into an error.

use crate::controller::{CallError, Clock, Controller, InProcess};
use crate::describe::{Description, Library};
use crate::param::Value;
use crate::scheduler::{Scheduler, Setup};
use crate::v1::{self, BoxedController, ClockV1, ControllerV1, CreatedV1, PluginV1, PluginV1_Ref};
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{RErr, ROk, RResult, RSlice, RSliceMut, RStr, RString, RVec};
use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

/// Exports schedulers from a library: `attune_plugin_api::export!(Greedy, Plateau);`, once, at the
/// root of a crate whose `crate-type` holds `cdylib`.
#[macro_export]
macro_rules! export {
    ($($scheduler:ty),+ $(,)?) => {
        #[cfg(panic = "abort")]
        compile_error!("Attune catches a plugin's panics inside it: build without `panic = \"abort\"`");

        const _: () = {
            use $crate::reexport::abi_stable;

            /// Read by the host before anything else of this library.
            #[unsafe(no_mangle)]
            pub static ATTUNE_PLUGIN_HANDSHAKE: $crate::handshake::Handshake =
                $crate::handshake::Handshake::of_this_build();

            extern "C" fn describe() -> abi_stable::std_types::RResult<
                abi_stable::std_types::RString,
                abi_stable::std_types::RString,
            > {
                $crate::reexport::describe(
                    env!("CARGO_PKG_NAME"),
                    env!("CARGO_PKG_VERSION"),
                    &[$(<$scheduler as $crate::Scheduler>::describe),+],
                )
            }

            extern "C" fn create(
                name: abi_stable::std_types::RStr<'_>,
                params: abi_stable::std_types::RStr<'_>,
                setup: abi_stable::std_types::RStr<'_>,
            ) -> abi_stable::std_types::RResult<
                $crate::v1::CreatedV1,
                abi_stable::std_types::RString,
            > {
                $crate::reexport::create(
                    name,
                    params,
                    setup,
                    &[$((
                        <$scheduler as $crate::Scheduler>::describe,
                        $crate::reexport::plugin::<$scheduler>,
                    )),+],
                )
            }

            extern "C" fn root_module() -> abi_stable::library::RootModuleResult {
                abi_stable::library::__call_root_module_loader(|| {
                    $crate::v1::PluginV1::exported(describe, create)
                })
            }

            // What abi_stable's own `export_root_module` writes, spelled out so that a plugin needs
            // no direct dependency on abi_stable. The name is the one abi_stable looks for; a test holds it.
            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            pub static ROOT_MODULE: abi_stable::library::LibHeader =
                $crate::v1::lib_header(root_module);
        };
    };
}

impl PluginV1 {
    /// The root module of a library with these two entry points.
    #[doc(hidden)]
    pub fn exported(
        describe: extern "C" fn() -> RResult<RString, RString>,
        create: extern "C" fn(RStr<'_>, RStr<'_>, RStr<'_>) -> RResult<CreatedV1, RString>,
    ) -> PluginV1_Ref {
        PluginV1 { describe, create }.leak_into_prefix()
    }
}

/// The library's description as JSON.
pub fn describe(
    name: &str,
    version: &str,
    schedulers: &[fn() -> Description],
) -> RResult<RString, RString> {
    let described = guard(|| {
        let library = Library {
            name: name.into(),
            version: version.into(),
            schedulers: schedulers.iter().map(|describe| describe()).collect(),
        };
        serde_json::to_string(&library).map_err(|e| CallError::Refused(e.to_string()))
    });
    match described {
        Ok(json) => ROk(json.into()),
        Err(error) => RErr(error.to_string().into()),
    }
}

/// One exported scheduler: how it describes itself and how it is made.
type Entry = (
    fn() -> Description,
    fn(&BTreeMap<String, Value>, &Setup) -> Result<CreatedV1, String>,
);

/// Makes the scheduler of this name.
pub fn create(
    name: RStr<'_>,
    params: RStr<'_>,
    setup: RStr<'_>,
    schedulers: &[Entry],
) -> RResult<CreatedV1, RString> {
    let created = guard(|| {
        let params = serde_json::from_str(params.as_str())
            .map_err(|e| CallError::Refused(format!("its parameters are not valid JSON: {e}")))?;
        let setup = serde_json::from_str(setup.as_str())
            .map_err(|e| CallError::Refused(format!("its setup is not valid JSON: {e}")))?;
        let (_, configure) = schedulers
            .iter()
            .find(|(describe, _)| describe().name == name.as_str())
            .ok_or_else(|| CallError::Refused(format!("it holds no scheduler `{name}`")))?;
        configure(&params, &setup).map_err(CallError::Refused)
    });
    match created {
        Ok(created) => ROk(created),
        Err(error) => RErr(error.to_string().into()),
    }
}

/// Configures one scheduler behind the boundary.
pub fn plugin<S: Scheduler>(
    params: &BTreeMap<String, Value>,
    setup: &Setup,
) -> Result<CreatedV1, String> {
    let inner = InProcess::<S>::configure(params, setup).map_err(|e| e.to_string())?;
    let warnings = inner.warnings().iter().map(|w| w.as_str().into()).collect();
    let exported = Exported {
        inner: ManuallyDrop::new(inner),
        error: String::new(),
        poisoned: false,
    };
    Ok(CreatedV1 {
        controller: BoxedController::from_value(exported, TD_Opaque),
        warnings,
    })
}

/// A scheduler behind the boundary, guarded.
struct Exported<S: Scheduler> {
    inner: ManuallyDrop<InProcess<S>>,
    error: String,
    poisoned: bool,
}

impl<S: Scheduler> Exported<S> {
    fn call(&mut self, call: impl FnOnce(&mut InProcess<S>) -> Result<(), CallError>) -> u8 {
        if self.poisoned {
            self.error = "it panicked before and is not called again".into();
            return v1::PANICKED;
        }
        let inner = &mut self.inner;
        match guard(|| call(inner)) {
            Ok(()) => v1::OK,
            Err(CallError::Refused(message)) => {
                self.error = message;
                v1::REFUSED
            }
            Err(CallError::Panicked(message)) => {
                self.error = message;
                self.poisoned = true;
                v1::PANICKED
            }
        }
    }
}

impl<S: Scheduler> Drop for Exported<S> {
    fn drop(&mut self) {
        let inner = &mut self.inner;
        // A scheduler whose destructor panics is leaked: there is nobody left to tell.
        let _ = guard(|| {
            // SAFETY: this is the only place that drops the field, and it runs once.
            #[allow(unsafe_code)]
            unsafe {
                ManuallyDrop::drop(inner);
            }
            Ok(())
        });
    }
}

impl<S: Scheduler> ControllerV1 for Exported<S> {
    fn step(
        &mut self,
        clock: ClockV1,
        signals: RSlice<'_, f64>,
        mut rates: RSliceMut<'_, f64>,
        mut momenta: RSliceMut<'_, f64>,
    ) -> u8 {
        self.call(|inner| {
            inner.step(
                &clock.into(),
                signals.as_slice(),
                rates.as_mut_slice(),
                momenta.as_mut_slice(),
            )
        })
    }

    fn metric(
        &mut self,
        value: f64,
        clock: ClockV1,
        mut rates: RSliceMut<'_, f64>,
        mut momenta: RSliceMut<'_, f64>,
    ) -> u8 {
        self.call(|inner| {
            inner.metric(
                value,
                &clock.into(),
                rates.as_mut_slice(),
                momenta.as_mut_slice(),
            )
        })
    }

    fn take_error(&mut self) -> RString {
        std::mem::take(&mut self.error).into()
    }

    fn save(&mut self, state: &mut RVec<u8>) -> u8 {
        self.call(|inner| {
            state.extend(inner.save()?);
            Ok(())
        })
    }

    fn load(&mut self, state: RSlice<'_, u8>) -> u8 {
        self.call(|inner| inner.load(state.as_slice()))
    }
}

impl From<ClockV1> for Clock {
    fn from(clock: ClockV1) -> Self {
        Clock {
            step: clock.step,
            epoch: clock.epoch,
            samples: clock.samples,
        }
    }
}

impl From<Clock> for ClockV1 {
    fn from(clock: Clock) -> Self {
        ClockV1 {
            step: clock.step,
            epoch: clock.epoch,
            samples: clock.samples,
        }
    }
}

thread_local! {
    /// Where the last panic of this thread happened and what it said.
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Whether a guard stands on this thread, so that panics elsewhere keep their usual report.
    static GUARDED: RefCell<bool> = const { RefCell::new(false) };
}

/// Runs author's code and turns a panic into an error with its message and place.
fn guard<T>(call: impl FnOnce() -> Result<T, CallError>) -> Result<T, CallError> {
    record_panics();
    GUARDED.with(|guarded| *guarded.borrow_mut() = true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(call));
    GUARDED.with(|guarded| *guarded.borrow_mut() = false);
    outcome.unwrap_or_else(|payload| Err(CallError::Panicked(panic_message(payload))))
}

/// Installs a hook that remembers a guarded panic instead of printing it. A library has its own
/// copy of std and so its own hook: the host's is not touched.
fn record_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if GUARDED.with(|guarded| *guarded.borrow()) {
                let place = info
                    .location()
                    .map(|at| format!(" at {}:{}", at.file(), at.line()))
                    .unwrap_or_default();
                let text = message_of(info.payload());
                LAST_PANIC.with(|last| *last.borrow_mut() = Some(format!("{text}{place}")));
            } else {
                usual(info);
            }
        }));
    });
}

fn panic_message(payload: Box<dyn Any + Send>) -> String {
    let recorded = LAST_PANIC.with(|last| last.borrow_mut().take());
    recorded.unwrap_or_else(|| message_of(payload.as_ref()))
}

fn message_of(payload: &dyn Any) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    /// Halves its rates, refuses its second step, and panics at the third and when it is dropped.
    #[derive(Serialize, Deserialize)]
    struct Moody {
        steps: u64,
    }

    #[derive(Deserialize)]
    struct NoParams {}

    impl Scheduler for Moody {
        type Params = NoParams;

        fn describe() -> Description {
            Description::new("moody", "Halves its rates, for a while.")
        }

        fn configure(_: NoParams, _: &Setup) -> Result<Self, Error> {
            Ok(Moody { steps: 0 })
        }

        fn step(&mut self, _: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
            self.steps += 1;
            match self.steps {
                1 => rates.set_each(|_, rate| rate / 2.0),
                2 => return Err(Error::new("not today")),
                _ => panic!("never again"),
            }
            Ok(())
        }
    }

    impl Drop for Moody {
        fn drop(&mut self) {
            assert!(self.steps < 3, "it was too much");
        }
    }

    fn created() -> BoxedController {
        let setup = serde_json::to_string(&Setup::of_rates(&[0.5, 0.25])).unwrap();
        let entries: [Entry; 1] = [(Moody::describe, plugin::<Moody>)];
        let created = create("moody".into(), "{}".into(), setup.as_str().into(), &entries);
        created.into_result().unwrap().controller
    }

    /// As the host calls it, but within one program, so that Miri can watch.
    #[test]
    fn calls_refusals_and_panics_cross_the_boundary() {
        let mut moody = created();
        let clock = ClockV1 {
            step: 0,
            epoch: 0.0,
            samples: 0,
        };
        let mut rates = [0.5, 0.25];
        let mut state = RVec::new();
        let mut told = Vec::new();
        for _ in 0..4 {
            let (signals, none) = (RSlice::EMPTY, &mut [][..]);
            let answer = moody.step(clock, signals, rates.as_mut_slice().into(), none.into());
            told.push((answer, moody.take_error().into_string()));
            if answer == v1::OK {
                assert_eq!(moody.save(&mut state), v1::OK);
            }
        }
        assert_eq!(rates, [0.25, 0.125]);
        let starts = [
            (v1::OK, ""),
            (v1::REFUSED, "not today"),
            (v1::PANICKED, "never again at "),
            (v1::PANICKED, "it panicked before"),
        ];
        for ((answer, error), (expected, start)) in told.iter().zip(starts) {
            assert_eq!(*answer, expected, "{error}");
            assert!(error.starts_with(start), "{error}");
        }
        // Its destructor panics too, behind the boundary.
        drop(moody);

        let mut other = created();
        assert_eq!(other.load(state.as_slice().into()), v1::OK);
        let mut again = RVec::new();
        assert_eq!(other.save(&mut again), v1::OK);
        assert_eq!(again, state);
        assert_eq!(other.load(RSlice::from_slice(&[1, 2])), v1::REFUSED);
    }

    #[test]
    fn the_exported_name_is_the_one_abi_stable_looks_for() {
        assert_eq!(
            abi_stable::library::ROOT_MODULE_LOADER_NAME,
            "_1as_0lib_1header_0root_bmodule_bloader"
        );
    }
}
