//! The first NVIDIA GPU, as dfdx has it.

use dfdx::prelude::Cuda;
use std::cell::RefCell;

thread_local! {
    /// dfdx's handle stays on its thread, while trials move from one to another.
    static DEVICE: RefCell<Option<Cuda>> = const { RefCell::new(None) };
}

/// Does something on the GPU.
///
/// # Errors
/// Why there is none, or what went wrong on it.
pub(crate) fn on_cuda<T>(work: impl FnOnce(&Cuda) -> Result<T, String>) -> Result<T, String> {
    let device = DEVICE.with_borrow_mut(|known| match known {
        Some(device) => Ok(device.clone()),
        None => {
            let found = Cuda::try_build(0, 0).map_err(|error| error.to_string())?;
            Ok::<_, String>(known.insert(found).clone())
        }
    });
    work(&device?)
}
