//! What the processor can do, and loops compiled for it.

#[cfg(target_arch = "x86_64")]
use pulp::x86::{V3, V4};
#[cfg(target_arch = "x86_64")]
use std::sync::LazyLock;

/// How wide a processor computes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Level {
    /// What every processor of its kind can do: 4 numbers at once on x86-64 and on ARM.
    Plain,
    /// AVX2: 8 numbers at once.
    #[cfg(target_arch = "x86_64")]
    Avx2(V3),
    /// AVX-512: 16 numbers at once.
    #[cfg(target_arch = "x86_64")]
    Avx512(V4),
}

impl Level {
    /// All levels of this processor, the widest first.
    pub(crate) fn all() -> Vec<Level> {
        let mut levels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            levels.extend(V4::try_new().map(Level::Avx512));
            levels.extend(V3::try_new().map(Level::Avx2));
        }
        levels.push(Level::Plain);
        levels
    }

    fn run<R>(self, work: impl FnOnce() -> R) -> R {
        match self {
            Level::Plain => work(),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2(level) => level.vectorize(Op(work)),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512(level) => level.vectorize(Op(work)),
        }
    }
}

struct Op<F>(F);

impl<F: FnOnce() -> R, R> pulp::NullaryFnOnce for Op<F> {
    type Output = R;

    #[inline(always)]
    fn call(self) -> R {
        (self.0)()
    }
}

/// Runs a loop compiled for this processor. The closure is inlined where it is marked
/// `#[inline(always)]`, and so must be what it calls.
#[inline]
pub(crate) fn wide<R>(work: impl FnOnce() -> R) -> R {
    best().run(work)
}

#[cfg(not(test))]
fn best() -> Level {
    detected()
}

#[cfg(target_arch = "x86_64")]
fn detected() -> Level {
    static LEVEL: LazyLock<Level> =
        LazyLock::new(|| Level::all().first().copied().unwrap_or(Level::Plain));
    *LEVEL
}

#[cfg(not(target_arch = "x86_64"))]
fn detected() -> Level {
    Level::Plain
}

#[cfg(test)]
std::thread_local! {
    static FORCED: std::cell::Cell<Option<Level>> = const { std::cell::Cell::new(None) };
}

#[cfg(test)]
fn best() -> Level {
    FORCED.get().unwrap_or_else(detected)
}

/// Runs this thread's loops on another level than the widest.
#[cfg(test)]
pub(crate) fn at_level<R>(level: Level, work: impl FnOnce() -> R) -> R {
    let before = FORCED.replace(Some(level));
    let result = work();
    FORCED.set(before);
    result
}
