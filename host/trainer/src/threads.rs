//! How many threads a trial computes on: one unless somebody says otherwise.
//!
//! At the sizes of tabular models a second thread inside a product makes it slower, while a second
//! trial on the second core is nearly free. Larger products can be shared out; the numbers are the
//! same bit for bit.

use std::sync::atomic::{AtomicUsize, Ordering};

static THREADS: AtomicUsize = AtomicUsize::new(1);

/// Lets every trial of this process share its large products out to so many threads; with one, a
/// trial trains on the thread that calls it, and on that thread alone.
///
/// Builds rayon's global pool with as many threads. Call it once at the start of the program, before
/// anything else uses rayon. Calling it again with the same number is harmless.
///
/// # Errors
/// Somebody has already built the global pool with another number of threads. Training then gives
/// the same numbers on one thread.
pub fn use_threads(threads: usize) -> Result<(), ThreadsError> {
    // An error here only says that the pool exists, which the count below judges better.
    let _ = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|number| format!("attune-product-{number}"))
        .build_global();
    match rayon::current_num_threads() {
        there if there == threads => {
            THREADS.store(threads, Ordering::Relaxed);
            Ok(())
        }
        there => Err(ThreadsError { threads, there }),
    }
}

/// As [`use_threads`] of one: what trials that run side by side want.
///
/// # Errors
/// As [`use_threads`].
pub fn use_one_thread() -> Result<(), ThreadsError> {
    use_threads(1)
}

/// How many threads a product may be shared out to.
pub(crate) fn count() -> usize {
    THREADS.load(Ordering::Relaxed)
}

/// Runs what may share its products out, on one of the threads that they are shared out to: from
/// outside, each product would wake one of them and wait for it.
pub(crate) fn together<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    match count() {
        1 => work(),
        _ => rayon::scope(|_| work()),
    }
}

/// Cuts what there is to do into so many parts, and does them side by side: `cut` gives the given
/// numerator's share of the denominator, and what is left.
pub(crate) fn share<T: Send>(
    whole: T,
    parts: usize,
    cut: &(impl Fn(T, usize, usize) -> (T, T) + Sync),
    work: &(impl Fn(T) + Sync),
) {
    if parts <= 1 {
        return work(whole);
    }
    let half = parts / 2;
    let (first, second) = cut(whole, half, parts);
    rayon::join(
        || share(first, half, cut, work),
        || share(second, parts - half, cut, work),
    );
}

/// Rayon's pool was there first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the global thread pool already has {there} threads instead of {threads}; call use_threads \
     before anything else uses rayon"
)]
pub struct ThreadsError {
    /// How many threads were asked for.
    pub threads: usize,
    /// How many it has.
    pub there: usize,
}
