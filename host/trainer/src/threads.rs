//! One thread a trial.
//!
//! dfdx hands every matrix product to gemm, which asks rayon how many threads there are. At the
//! sizes of tabular models a second thread inside a product makes it slower, while a second trial
//! on the second core is nearly free.

/// Makes every trial train on the thread that calls it, and on that thread alone.
///
/// Builds rayon's global pool with a single thread. gemm then sees one thread and computes inline
/// on the caller; the pool's thread itself never gets work. Call it once at the start of the
/// program, before anything else uses rayon. Calling it again is harmless.
///
/// # Errors
/// Somebody has already built the global pool with another number of threads. Training then still
/// gives the same numbers, only slower when several trials run side by side.
pub fn use_one_thread() -> Result<(), ThreadsError> {
    // An error here only says that the pool exists, which the count below judges better.
    let _ = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .thread_name(|_| "attune-idle-pool".to_owned())
        .build_global();
    match rayon::current_num_threads() {
        1 => Ok(()),
        threads => Err(ThreadsError { threads }),
    }
}

/// Rayon's pool was there first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the global thread pool already has {threads} threads, so trials that run side by side would \
     share them; call use_one_thread before anything else uses rayon"
)]
pub struct ThreadsError {
    /// How many threads it has.
    pub threads: usize,
}
