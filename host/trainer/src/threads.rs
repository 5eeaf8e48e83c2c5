//! How many threads a trial computes on: one unless somebody says otherwise.
//!
//! At the sizes of tabular models a second thread inside a product makes it slower, while a second
//! trial on the second core is nearly free. Larger products can be shared out; the numbers are the
//! same bit for bit.

use rayon::ThreadPool;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

static THREADS: AtomicUsize = AtomicUsize::new(1);

/// What a thread may need on its stack to make a part of a product. There may be many threads, and
/// their stacks count to what a process may have of memory.
const STACK: usize = 512 << 10;

/// Who products are shared out to: made when first needed, by a thread that trains, whose priority
/// they have. None where the system does not give any.
static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();

/// Lets every trial of this process share its large products and updates out to so many threads from
/// now on, of as many as there are cores. With one, as at first, a trial trains on the thread that
/// calls it, and on that thread alone. It may be called at any time, also while trials train.
pub fn use_threads(threads: usize) {
    THREADS.store(threads.max(1), Ordering::Relaxed);
}

/// Sees to it that trials train on the thread that calls them until [`use_threads`] says otherwise:
/// rayon's global pool, whose size dfdx's own products go by, gets one thread. Call it at the start of
/// the program, before anything else uses rayon. Calling it again is harmless.
///
/// # Errors
/// Somebody has already built the global pool with more threads. The engine `dfdx` then uses them.
pub fn use_one_thread() -> Result<(), ThreadsError> {
    // An error here only says that the pool exists, which the count below judges better.
    let _ = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build_global();
    match rayon::current_num_threads() {
        1 => {
            use_threads(1);
            Ok(())
        }
        there => Err(ThreadsError { there }),
    }
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
        _ => in_pool(work),
    }
}

fn in_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let pool = POOL.get_or_init(|| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(available_parallelism().map_or(1, usize::from))
            .stack_size(STACK)
            .thread_name(|number| format!("attune-product-{number}"))
            .build()
            .ok()
    });
    match pool {
        Some(pool) => pool.install(work),
        None => work(),
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
    // At the threads themselves it costs nothing to be sent to them.
    in_pool(|| {
        rayon::join(
            || share(first, half, cut, work),
            || share(second, parts - half, cut, work),
        )
    });
}

/// Rayon's global pool was there first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "rayon's global pool already has {there} threads; call use_one_thread before anything else uses \
     rayon"
)]
pub struct ThreadsError {
    /// How many threads it has.
    pub there: usize,
}
