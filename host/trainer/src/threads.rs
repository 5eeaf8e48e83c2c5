//! How many threads a trial computes on: one unless somebody says otherwise.
//!
//! A second trial on the second core is nearly free, so trials that run side by side have a thread
//! each. One that runs alone shares its products out; the numbers are the same bit for bit. A small
//! product takes less time than to wake a thread, so those that it is shared out to stay awake for a
//! while, looking for more.

use rayon::{ThreadPool, Yield};
use std::array;
use std::cell::Cell;
use std::hint::spin_loop;
use std::mem::take;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

static THREADS: AtomicUsize = AtomicUsize::new(1);

/// Work of fewer multiplications than this is done by one thread: sharing it out costs as much as it
/// brings.
const WORTH_SHARING: usize = 1 << 20;

/// How long a thread that found nothing to do stays awake: longer than anything takes that a step does
/// between two products, which is far less. To wake it takes some 50 µs.
const AWAKE: Duration = Duration::from_micros(500);

/// How many threads are awake, or on their way, to be given parts.
static HELPERS: AtomicUsize = AtomicUsize::new(0);

std::thread_local! {
    /// Whether this thread has a trial of its own to go on with, and must not wait for others'.
    static LEADS: Cell<bool> = const { Cell::new(false) };
    /// Whether it is one of the helpers.
    static HELPS: Cell<bool> = const { Cell::new(false) };
}

/// More threads than these a trial does not use: products are too small for it, and each has a stack.
const MOST: usize = 16;

/// Who products are shared out to: made when first needed, by a thread that trains, whose priority
/// they have. None where the system does not give any.
static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();

/// Lets every trial of this process share its work out to so many threads from now on, of as many as
/// there are cores, and at most 16; they then train on these threads, schedulers and telemetry
/// included, and more trials at once than there are cores wait for each other. With one, as at first, a
/// trial trains on the thread that calls it, and on that thread alone. It may be called at any time, also
/// while trials train.
pub fn use_threads(threads: usize) {
    THREADS.store(threads.clamp(1, MOST), Ordering::Relaxed);
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

/// How many threads may share work out.
pub(crate) fn count() -> usize {
    THREADS.load(Ordering::Relaxed)
}

/// Into how many parts work of so many multiplications is cut, of as many as it can be cut into.
pub(crate) fn parts(multiplications: usize, most: usize) -> usize {
    match multiplications >= WORTH_SHARING {
        true => count().min(most).max(1),
        false => 1,
    }
}

/// Runs what may share its products out, on one of the threads that they are shared out to: from
/// outside, each product would be handed to one of them and waited for.
pub(crate) fn together<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    match count() {
        1 => work(),
        _ => in_pool(|| {
            let _helped = Helped::no_more();
            work()
        }),
    }
}

/// A trial may come to a thread that helps, which then is none of the helpers until its end.
struct Helped(bool);

impl Helped {
    fn no_more() -> Self {
        let helped = HELPS.replace(false);
        if helped {
            HELPERS.fetch_sub(1, Ordering::Relaxed);
        }
        Helped(helped)
    }
}

impl Drop for Helped {
    fn drop(&mut self) {
        if self.0 {
            HELPERS.fetch_add(1, Ordering::Relaxed);
            HELPS.set(true);
        }
    }
}

fn in_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let pool = POOL.get_or_init(|| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(available_parallelism().map_or(1, usize::from).min(MOST))
            .thread_name(|number| format!("attune-product-{number}"))
            .build()
            .ok()
    });
    match pool {
        Some(pool) => pool.install(|| {
            let _leads = Leads(LEADS.replace(true));
            work()
        }),
        None => work(),
    }
}

/// While this thread leads; and whether it did before.
struct Leads(bool);

impl Drop for Leads {
    fn drop(&mut self) {
        LEADS.set(self.0);
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
        have_help();
        let is_done = AtomicBool::new(false);
        rayon::join(
            || {
                share(first, half, cut, work);
                // Left to rayon, this thread would soon sleep, and have to be woken; or it might begin
                // another trial, and come back at its end.
                while !is_done.load(Ordering::Acquire) {
                    if rayon::yield_local() != Some(Yield::Executed) {
                        spin_loop();
                    }
                }
            },
            || {
                let _done = Done(&is_done);
                share(second, parts - half, cut, work);
            },
        )
    });
}

/// Does what is made of slices unit by unit, in so many parts: each has a hand, which is kept from one
/// time to the next. `ins` are read and `outs` written; with each goes how many of its numbers belong
/// to a unit. The last unit may be shorter.
pub(crate) fn units<H: Default + Send, const IN: usize, const OUT: usize>(
    count: usize,
    parts: usize,
    hands: &mut Vec<H>,
    ins: [(&[f32], usize); IN],
    outs: [(&mut [f32], usize); OUT],
    work: &(impl Fn(&mut H, [&[f32]; IN], [&mut [f32]; OUT]) + Sync),
) {
    if hands.len() < parts {
        hands.resize_with(parts, H::default);
    }
    let whole = Units {
        count,
        hands: &mut hands[..parts],
        ins,
        outs,
    };
    share(whole, parts, &Units::cut, &|units: Units<
        '_,
        H,
        IN,
        OUT,
    >| {
        if let Some(hand) = units.hands.first_mut() {
            let outs = units.outs.map(|(out, _)| out);
            work(hand, units.ins.map(|(numbers, _)| numbers), outs);
        }
    });
}

/// What [`units`] does with some of its hands.
struct Units<'a, H, const IN: usize, const OUT: usize> {
    count: usize,
    hands: &'a mut [H],
    ins: [(&'a [f32], usize); IN],
    outs: [(&'a mut [f32], usize); OUT],
}

impl<H, const IN: usize, const OUT: usize> Units<'_, H, IN, OUT> {
    fn cut(self, share: usize, of: usize) -> (Self, Self) {
        let count = self.count * share / of;
        let place = |len: usize, each: usize| len.min(count * each);
        let ins = self.ins.map(|(numbers, each)| {
            let (first, rest) = numbers.split_at(place(numbers.len(), each));
            [(first, each), (rest, each)]
        });
        let mut outs = self.outs.map(|(numbers, each)| {
            let (first, rest) = numbers.split_at_mut(place(numbers.len(), each));
            [(first, each), (rest, each)]
        });
        let (hands, other_hands) = self.hands.split_at_mut(share);
        let first = Units {
            count,
            hands,
            ins: ins.map(|[first, _]| first),
            outs: array::from_fn(|at| take(&mut outs[at][0])),
        };
        let rest = Units {
            count: self.count - count,
            hands: other_hands,
            ins: ins.map(|[_, rest]| rest),
            outs: outs.map(|[_, rest]| rest),
        };
        (first, rest)
    }
}

/// Says so when something is over, though it be by a panic.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Sees to it that the other threads are awake, or soon will be.
fn have_help() {
    let others = count().min(rayon::current_num_threads()) - 1;
    let one_more = |helpers| (helpers < others).then_some(helpers + 1);
    while HELPERS
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
        .is_ok()
    {
        rayon::spawn(help);
    }
}

/// Does what is to be done, until for a while there is nothing.
fn help() {
    // Whoever leads may come upon this while it waits for a part, and has no time for it; and who helps
    // already leaves it to another.
    if !LEADS.get() && !HELPS.replace(true) {
        let mut last = Instant::now();
        while last.elapsed() < AWAKE {
            match rayon::yield_now() {
                Some(Yield::Executed) => last = Instant::now(),
                _ => spin_loop(),
            }
        }
        HELPS.set(false);
    }
    HELPERS.fetch_sub(1, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use super::{share, together, use_threads};
    use std::ops::Range;
    use std::panic::catch_unwind;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn cut(run: Range<u64>, share: usize, of: usize) -> (Range<u64>, Range<u64>) {
        let middle = run.start + (run.end - run.start) * share as u64 / of as u64;
        (run.start..middle, middle..run.end)
    }

    /// What is said to be done by how many threads is one for the whole process, but decides nothing
    /// of what is made.
    #[test]
    fn parts_of_several_trials_at_once_are_all_made_once() {
        use_threads(3);
        std::thread::scope(|scope| {
            for trial in 1..=3_u64 {
                scope.spawn(move || {
                    together(|| {
                        for round in 0..200_u64 {
                            let sum = AtomicU64::new(0);
                            share(0..100, 1 + round as usize % 5, &cut, &|run: Range<u64>| {
                                sum.fetch_add(run.map(|at| at * trial).sum(), Ordering::Relaxed);
                            });
                            assert_eq!(sum.into_inner(), 4950 * trial);
                        }
                    });
                });
            }
        });
        use_threads(1);
    }

    #[test]
    fn a_part_that_panics_is_heard_of_whichever_it_is() {
        for broken in 0..4 {
            let made = catch_unwind(|| {
                share(0..4, 4, &cut, &|run: Range<u64>| {
                    assert!(!run.contains(&broken), "part {broken}");
                });
            });
            assert!(made.is_err(), "{broken}");
        }
    }
}
