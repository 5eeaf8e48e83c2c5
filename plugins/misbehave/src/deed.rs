//! Misbehaving.

use crate::wish::Wish;
use attune_plugin_api::Error;
use std::env;
use std::fs::File;
use std::hint::black_box;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// How long a hanging call sleeps: nobody may wait for it, and a forgotten one ends all the same.
const HANG: Duration = Duration::from_secs(3600);

/// How much memory is taken at a time.
const PIECE_BYTES: usize = 16 << 20;

/// Does what the environment, or else the scheduler's own wish, asks of this call at this step; a rate
/// to set is returned.
pub(crate) fn act(call: &str, step: Option<u64>, own: &Wish) -> Result<Option<f64>, Error> {
    let of_environment = Wish::of_environment()?;
    let wish = of_environment.as_ref().unwrap_or(own);
    if !wish.is_for(call, step) || !is_let() || !is_first_time()? {
        return Ok(None);
    }
    match wish.action.as_str() {
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
        "allocate" => take_all_memory(),
        "segfault" => read_nothing(),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(7),
        _ => {}
    }
    Ok(None)
}

/// Whether the file that must be there, where one must, is.
fn is_let() -> bool {
    let file = env::var_os("ATTUNE_MISBEHAVE_IF").filter(|name| !name.is_empty());
    file.is_none_or(|file| Path::new(&file).exists())
}

/// Whether the file that says that it was done once is not there yet; now it is.
fn is_first_time() -> Result<bool, Error> {
    let Some(once) = env::var_os("ATTUNE_MISBEHAVE_ONCE").filter(|name| !name.is_empty()) else {
        return Ok(true);
    };
    match File::create_new(&once) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Error::new(format!(
            "ATTUNE_MISBEHAVE_ONCE: {} cannot be made: {error}",
            once.display()
        ))),
    }
}

#[allow(clippy::panic, reason = "panicking is what this plugin is for")]
fn fall_over(call: &str) -> ! {
    panic!("misbehave was asked to panic in {call}")
}

/// Ends where a limit of the process or of the machine is met.
fn take_all_memory() -> ! {
    let mut taken = Vec::new();
    loop {
        // No page that was not written to counts.
        taken.push(black_box(vec![1u8; PIECE_BYTES]));
    }
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
        black_box(black_box(std::ptr::dangling::<u8>()).read_volatile());
    }
}
