//! Where a trial's work is done, and what becomes of its panics.

use super::error::TrialError;
use super::settings::Engine;
use crate::threads;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs our own operations where they can be shared out; others see to that themselves, or have a device
/// that stays on its thread.
pub(super) fn on_threads<T: Send>(engine: Engine, work: impl FnOnce() -> T + Send) -> T {
    match engine {
        Engine::Own => threads::together(work),
        Engine::Dfdx | Engine::Cuda => work(),
    }
}

/// Runs tensor operations or a scheduler's code, with their panics as errors.
pub(super) fn guarded<T>(step: u64, work: impl FnOnce() -> T) -> Result<T, TrialError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| broken(step, panic_message(&*panic)))
}

/// What went wrong at a step.
pub(super) fn broken(step: u64, message: String) -> TrialError {
    TrialError::Broken { step, message }
}

/// What a panic says.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
