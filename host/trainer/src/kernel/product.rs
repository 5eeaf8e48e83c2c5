//! Products of matrices, by the `gemm` crate.

use super::turn::turn;
use crate::threads;
use gemm::Parallelism;
use std::cell::Cell;
use std::ops::Range;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, Once, PoisonError};

/// The least rows or columns of a thread's part, and of a shared product the other way: gemm makes
/// smaller products in other ways, whose bits are others.
const LEAST_PART: usize = 128;
const LEAST_ACROSS: usize = 16;
/// Rows or columns that gemm makes at once, at most.
const TILE: usize = 64;

/// gemm reads a matrix as it lies, and does not put it in order first, where it goes through it for at
/// most so many of its tiles. By itself it would from 8 on, which made steps of a small network 2 to 3%
/// slower.
const TILES_IN_PLACE: usize = 64;

/// The least sides, and the most numbers, of a matrix on the right that is turned before it is
/// multiplied by, where its columns lie as rows: gemm would do it number by number, which made such a
/// product take 1.1 to 2 times as long. What is larger is for gemm to put in order, piece by piece.
const LEAST_TURNED: usize = 16;
const MOST_TURNED: usize = 1 << 22;

std::thread_local! {
    /// Where a thread turns such matrices.
    static TURNED: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Where matrices of more numbers than these are turned: one place for all threads, since a trial goes
/// from one to another and its largest matrix is not to be in memory once for each.
static LARGE: Mutex<Vec<f32>> = Mutex::new(Vec::new());
const SMALL_TURNED: usize = 1 << 18;

/// A place for so many numbers, or for more. Whoever comes while it is lent gets another.
fn lend(numbers: usize) -> Vec<f32> {
    let mut room = match numbers {
        0..=SMALL_TURNED => TURNED.take(),
        _ => std::mem::take(&mut *LARGE.lock().unwrap_or_else(PoisonError::into_inner)),
    };
    if room.len() < numbers {
        room.resize(numbers, 0.0);
    }
    room
}

fn give_back(room: Vec<f32>) {
    match room.len() {
        0..=SMALL_TURNED => TURNED.set(room),
        _ => *LARGE.lock().unwrap_or_else(PoisonError::into_inner) = room,
    }
}

/// A matrix in a slice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    numbers: &'a [f32],
    shape: Shape,
}

/// The same, to be written to.
#[derive(Debug)]
pub(crate) struct MatrixMut<'a> {
    numbers: &'a mut [f32],
    shape: Shape,
}

/// Where in a slice the numbers of a matrix lie: `row * steps.0 + column * steps.1`.
#[derive(Debug, Clone, Copy)]
struct Shape {
    rows: usize,
    columns: usize,
    steps: (usize, usize),
}

/// What a product is written onto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Onto {
    /// Whatever was there is replaced.
    Nothing,
    /// It is added to what is there.
    Itself,
}

impl Shape {
    /// # Panics
    /// Numbers that do not fill whole rows.
    fn whole(len: usize, columns: usize) -> Self {
        assert!(
            columns > 0 && len.is_multiple_of(columns),
            "{len} in rows of {columns}"
        );
        Shape {
            rows: len / columns,
            columns,
            steps: (columns, 1),
        }
    }

    fn strided(rows: usize, columns: usize, step: usize) -> Self {
        Shape {
            rows,
            columns,
            steps: (step, 1),
        }
    }

    /// The place of its last number, if it has one.
    fn last(self) -> Option<usize> {
        let row = self.rows.checked_sub(1)?.checked_mul(self.steps.0)?;
        row.checked_add(self.columns.checked_sub(1)?.checked_mul(self.steps.1)?)
    }

    /// # Panics
    /// A slice that is too short for it.
    fn check(self, len: usize) -> Self {
        let fits = self.rows == 0 || self.columns == 0 || self.last().is_some_and(|at| at < len);
        assert!(fits, "{self:?} does not lie in {len} numbers");
        self
    }
}

impl<'a> Matrix<'a> {
    /// Rows of `columns` numbers, one after another.
    pub(crate) fn of(numbers: &'a [f32], columns: usize) -> Self {
        Matrix {
            shape: Shape::whole(numbers.len(), columns),
            numbers,
        }
    }

    /// The first `columns` numbers of `rows` rows that begin `step` numbers apart.
    pub(crate) fn strided(numbers: &'a [f32], rows: usize, columns: usize, step: usize) -> Self {
        Matrix {
            shape: Shape::strided(rows, columns, step).check(numbers.len()),
            numbers,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.shape.rows
    }

    pub(crate) fn columns(&self) -> usize {
        self.shape.columns
    }

    /// How many numbers are turned to have its rows one after another: none where they are so already,
    /// or so few products with it are not worth the way.
    fn to_turn(self, products: usize) -> usize {
        let Shape {
            rows,
            columns,
            steps: (down, right),
        } = self.shape;
        let numbers = rows.saturating_mul(columns);
        let is_worth_it = products.min(rows).min(columns) >= LEAST_TURNED && numbers <= MOST_TURNED;
        match down == 1 && right >= rows && is_worth_it {
            true => numbers,
            false => 0,
        }
    }

    /// Rows for columns.
    pub(crate) fn turned(mut self) -> Self {
        let Shape {
            rows,
            columns,
            steps: (down, right),
        } = self.shape;
        self.shape = Shape {
            rows: columns,
            columns: rows,
            steps: (right, down),
        };
        self
    }
}

impl<'a> MatrixMut<'a> {
    /// As [`Matrix::of`].
    pub(crate) fn of(numbers: &'a mut [f32], columns: usize) -> Self {
        MatrixMut {
            shape: Shape::whole(numbers.len(), columns),
            numbers,
        }
    }

    /// As [`Matrix::strided`].
    pub(crate) fn strided(
        numbers: &'a mut [f32],
        rows: usize,
        columns: usize,
        step: usize,
    ) -> Self {
        assert!(
            step >= columns,
            "rows of {columns} overlap at a step of {step}"
        );
        MatrixMut {
            shape: Shape::strided(rows, columns, step).check(numbers.len()),
            numbers,
        }
    }
}

/// `out` = `scale` · a·b, or that added to it. Its order of sums depends on the processor, not on
/// the number of threads.
///
/// # Panics
/// Matrices that do not fit together.
pub(crate) fn multiply(out: MatrixMut<'_>, onto: Onto, scale: f32, a: Matrix<'_>, b: Matrix<'_>) {
    let Shape { rows, columns, .. } = out.shape;
    let work = rows.saturating_mul(columns).saturating_mul(a.shape.columns);
    let parts = match rows.min(columns) >= LEAST_ACROSS {
        true => threads::parts(work, rows.max(columns) / LEAST_PART),
        false => 1,
    };
    multiply_in(parts, out, onto, scale, a, b);
}

/// The same by this thread alone: for numbers that it made just now, and that lie in its core's own
/// cache. To bring them to another core costs more than it brings.
///
/// # Panics
/// As [`multiply`].
pub(crate) fn multiply_here(
    out: MatrixMut<'_>,
    onto: Onto,
    scale: f32,
    a: Matrix<'_>,
    b: Matrix<'_>,
) {
    multiply_in(1, out, onto, scale, a, b);
}

/// The same in so many parts, runs of columns or of rows.
fn multiply_in(
    parts: usize,
    out: MatrixMut<'_>,
    onto: Onto,
    scale: f32,
    a: Matrix<'_>,
    b: Matrix<'_>,
) {
    let (m, n, k) = (out.shape.rows, out.shape.columns, a.shape.columns);
    assert!(
        a.shape.rows == m && b.shape.columns == n && b.shape.rows == k,
        "{:?} is not {:?} times {:?}",
        out.shape,
        a.shape,
        b.shape
    );
    let to_turn = b.to_turn(m);
    if to_turn > 0 {
        let mut room = lend(to_turn);
        turn(b.numbers, n, k, b.shape.steps.1, &mut room[..to_turn]);
        let turned = Matrix::of(&room[..to_turn], n);
        multiply_in(parts, out, onto, scale, a, turned);
        return give_back(room);
    }
    // A part puts all rows of `a` or all columns of `b` in order for itself, and it is `b` that
    // costs more.
    let is_upright = n >= parts * LEAST_PART;
    let place = AtomicPtr::new(out.numbers.as_mut_ptr());
    let step = |step: usize| step as isize;
    let make = maker();
    let part = |part: Range<usize>| {
        let (rows, columns) = match is_upright {
            true => (0..m, part),
            false => (part, 0..n),
        };
        let down = |shape: Shape| rows.start * shape.steps.0;
        let right = |shape: Shape| columns.start * shape.steps.1;
        let place = place.load(Ordering::Relaxed);
        // SAFETY: each pointer is that of a slice in which every number of its matrix lies: `Shape`'s
        // constructors checked that, `turned` changes no place, and these are some of its rows or
        // columns. The slice that is written to is borrowed for writing, so it is none of the
        // others, and no two of its numbers share a place: its rows do not overlap, and each number
        // is in one part. Slices are no longer than isize::MAX bytes, so the steps fit.
        #[expect(unsafe_code, reason = "the one door to the products")]
        unsafe {
            make(
                rows.len(),
                columns.len(),
                k,
                place.wrapping_add(down(out.shape) + right(out.shape)),
                step(out.shape.steps.1),
                step(out.shape.steps.0),
                onto == Onto::Itself,
                a.numbers.as_ptr().wrapping_add(down(a.shape)),
                step(a.shape.steps.1),
                step(a.shape.steps.0),
                b.numbers.as_ptr().wrapping_add(right(b.shape)),
                step(b.shape.steps.1),
                step(b.shape.steps.0),
                1.0,
                scale,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    };
    let whole = 0..if is_upright { n } else { m };
    threads::share(whole, parts, &cut, &part);
}

/// What `gemm::gemm` is.
type Gemm = unsafe fn(
    usize,
    usize,
    usize,
    *mut f32,
    isize,
    isize,
    bool,
    *const f32,
    isize,
    isize,
    *const f32,
    isize,
    isize,
    f32,
    f32,
    bool,
    bool,
    bool,
    Parallelism,
);

/// What makes products: it chooses among its kernels by what the processor can do.
fn maker() -> Gemm {
    static TUNED: Once = Once::new();
    // It holds for all of the process, where nobody else has this version of gemm.
    TUNED.call_once(|| gemm::set_lhs_packing_threshold_single_thread(TILES_IN_PLACE));
    #[cfg(test)]
    if let Some(forced) = tests::FORCED.get() {
        return forced;
    }
    gemm::gemm
}

/// This share of a run, in whole tiles, and the rest of it: no part is shorter than it has to be.
fn cut(run: Range<usize>, share: usize, of: usize) -> (Range<usize>, Range<usize>) {
    let middle = run.start + run.len() * share / of / TILE * TILE;
    (run.start..middle, middle..run.end)
}

#[cfg(test)]
mod tests {
    use super::{
        Gemm, LEAST_ACROSS, LEAST_PART, Matrix, MatrixMut, Onto, Parallelism, multiply, multiply_in,
    };
    use gemm_common::gemm::gemm_basic_generic;
    use gemm_common::simd::{MixedSimd, Scalar};
    use proptest::prelude::*;
    use std::cell::Cell;

    std::thread_local! {
        /// What makes this thread's products, if not gemm by its own choice.
        pub(super) static FORCED: Cell<Option<Gemm>> = const { Cell::new(None) };
    }

    fn made_by<R>(gemm: Gemm, work: impl FnOnce() -> R) -> R {
        let before = FORCED.replace(Some(gemm));
        let result = work();
        FORCED.set(before);
        result
    }

    /// gemm with the kernels of one of its modules, whatever else the processor can do; none where it
    /// cannot do these.
    macro_rules! gemm_of {
        ($simd:ident, $lanes:literal, $kernels:ident) => {{
            use gemm_f32::microkernel::$kernels::f32::{H_M, H_N, H_UKR, MR_DIV_N, NR, UKR};

            /// Columns of what is written come first, as `gemm::gemm` sees to it.
            #[expect(
                unsafe_code,
                clippy::too_many_arguments,
                reason = "what `gemm::gemm` is"
            )]
            unsafe fn gemm(
                m: usize,
                n: usize,
                k: usize,
                out: *mut f32,
                out_right: isize,
                out_down: isize,
                adds: bool,
                a: *const f32,
                a_right: isize,
                a_down: isize,
                b: *const f32,
                b_right: isize,
                b_down: isize,
                alpha: f32,
                beta: f32,
                conj_out: bool,
                conj_a: bool,
                conj_b: bool,
                parallelism: Parallelism,
            ) {
                let simd = <$simd as MixedSimd<f32, f32, f32, f32>>::try_new().unwrap();
                let (m, n, out_right, out_down, a, a_right, a_down, b, b_right, b_down) =
                    match out_right < out_down {
                        true => (
                            n, m, out_down, out_right, b, b_down, b_right, a, a_down, a_right,
                        ),
                        false => (
                            m, n, out_right, out_down, a, a_right, a_down, b, b_right, b_down,
                        ),
                    };
                // SAFETY: as the caller's, which has seen to all that `gemm::gemm` asks for.
                unsafe {
                    gemm_basic_generic::<
                        _,
                        f32,
                        $lanes,
                        { MR_DIV_N * $lanes },
                        NR,
                        MR_DIV_N,
                        H_M,
                        H_N,
                    >(
                        simd,
                        m,
                        n,
                        k,
                        out,
                        out_right,
                        out_down,
                        adds,
                        a,
                        a_right,
                        a_down,
                        b,
                        b_right,
                        b_down,
                        alpha,
                        beta,
                        conj_out,
                        conj_a,
                        conj_b,
                        |a, b, c| a * b + c,
                        &UKR,
                        &H_UKR,
                        false,
                        parallelism,
                    );
                }
            }
            let can = <$simd as MixedSimd<f32, f32, f32, f32>>::try_new().is_some();
            can.then_some((stringify!($kernels), gemm as Gemm))
        }};
    }

    /// All that gemm could choose, so that products of every machine are held to the definition on
    /// this one; the widest that this processor can do come last.
    fn makers() -> Vec<(&'static str, Gemm)> {
        let mut makers: Vec<_> = gemm_of!(Scalar, 1, scalar).into_iter().collect();
        #[cfg(target_arch = "x86_64")]
        {
            use gemm_common::simd::{V3, V4};
            makers.extend(gemm_of!(V3, 8, fma));
            makers.extend(gemm_of!(V4, 16, avx512f));
        }
        #[cfg(target_arch = "aarch64")]
        makers.extend(gemm_of!(Scalar, 4, neon));
        makers
    }

    fn number(seed: usize, at: usize) -> f32 {
        ((seed * 31 + at * 17) % 101) as f32 / 50.0 - 1.0
    }

    proptest! {
        #[test]
        fn products_are_those_of_the_definition_by_whichever_kernels(
            m in 1_usize..20, n in 1_usize..20, k in 0_usize..20, gap in 0_usize..3,
            turned: bool, adds: bool,
        ) {
            let a: Vec<f32> = (0..m * k).map(|at| number(1, at)).collect();
            let step = n + gap;
            let b: Vec<f32> = (0..k * step).map(|at| number(2, at)).collect();
            let before: Vec<f32> = (0..m * step).map(|at| number(3, at)).collect();
            // Where a is given turned it lies column by column.
            let a_at = |row: usize, column: usize| if turned { a[column * m + row] } else { a[row * k + column] };
            let left = match (turned, k) {
                (_, 0) => Matrix::strided(&a, m, 0, 1),
                (true, _) => Matrix::of(&a, m).turned(),
                (false, _) => Matrix::of(&a, k),
            };
            let onto = if adds { Onto::Itself } else { Onto::Nothing };
            for (name, maker) in makers().into_iter().chain([("gemm", gemm::gemm as Gemm)]) {
                let mut out = before.clone();
                let place = MatrixMut::strided(&mut out, m, n, step);
                made_by(maker, || multiply(place, onto, 0.5, left, Matrix::strided(&b, k, n, step)));
                for row in 0..m {
                    for column in 0..step {
                        let at = row * step + column;
                        let sum: f64 = (0..k).map(|i| f64::from(a_at(row, i)) * f64::from(b[i * step + column])).sum();
                        let start = if adds { f64::from(before[at]) } else { 0.0 };
                        let expected = if column < n { start + 0.5 * sum } else { f64::from(before[at]) };
                        prop_assert!((f64::from(out[at]) - expected).abs() < 1e-5, "{name}");
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// gemm adds up in blocks of products, whose length must not depend on the part. By itself it
        /// makes what the widest kernels make.
        #[test]
        fn parts_are_the_bits_of_the_whole_by_whichever_kernels(
            long in 3 * LEAST_PART..600, across in LEAST_ACROSS..300, k in 1_usize..1500, is_tall: bool,
            is_a_turned: bool, is_b_turned: bool, adds: bool,
        ) {
            let (m, n) = if is_tall { (long, across) } else { (across, long) };
            let a: Vec<f32> = (0..m * k).map(|at| number(1, at)).collect();
            let b: Vec<f32> = (0..k * n).map(|at| number(2, at)).collect();
            let left = if is_a_turned { Matrix::of(&a, m).turned() } else { Matrix::of(&a, k) };
            let right = if is_b_turned { Matrix::of(&b, k).turned() } else { Matrix::of(&b, n) };
            let onto = if adds { Onto::Itself } else { Onto::Nothing };
            let made = |parts| {
                let mut out: Vec<f32> = (0..m * n).map(|at| number(3, at)).collect();
                multiply_in(parts, MatrixMut::of(&mut out, n), onto, 0.5, left, right);
                out
            };
            let mut last = Vec::new();
            for (name, maker) in makers() {
                last = made_by(maker, || made(1));
                for at in (0..m * n).step_by(997) {
                    let (row, column) = (at / n, at % n);
                    let a = |i| f64::from(a[if is_a_turned { i * m + row } else { row * k + i }]);
                    let b = |i| f64::from(b[if is_b_turned { column * k + i } else { i * n + column }]);
                    let start = if adds { f64::from(number(3, at)) } else { 0.0 };
                    let expected = start + 0.5 * (0..k).map(|i| a(i) * b(i)).sum::<f64>();
                    let added = 1.0 + 0.5 * (0..k).map(|i| (a(i) * b(i)).abs()).sum::<f64>();
                    let off = (f64::from(last[at]) - expected).abs() / added;
                    prop_assert!(off < 1e-5, "{at} by {name}: {off} of all that was added");
                }
                for parts in [2, 3] {
                    prop_assert!(made_by(maker, || made(parts)) == last, "{parts} parts by {name}");
                }
            }
            prop_assert!(made(1) == last, "gemm takes other kernels than the widest");
        }
    }

    /// So few that Miri can watch several threads write them.
    #[test]
    fn parts_write_each_number_once() {
        for (m, n) in [(2, 3 * LEAST_PART), (3 * LEAST_PART, 2)] {
            let a: Vec<f32> = (0..m * 2).map(|at| number(1, at)).collect();
            let b: Vec<f32> = (0..2 * n).map(|at| number(2, at)).collect();
            let mut out = vec![1.0; m * n];
            let (left, right) = (Matrix::of(&a, 2), Matrix::of(&b, n));
            multiply_in(
                3,
                MatrixMut::of(&mut out, n),
                Onto::Itself,
                1.0,
                left,
                right,
            );
            for (at, found) in out.into_iter().enumerate() {
                let (a, b) = (&a[at / n * 2..][..2], [b[at % n], b[n + at % n]]);
                let expected = 1.0 + a[0] * b[0] + a[1] * b[1];
                assert!(
                    (found - expected).abs() < 1e-5,
                    "{m}×{n}, {at}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    #[should_panic(expected = "does not lie in 5 numbers")]
    fn a_matrix_lies_in_its_slice() {
        Matrix::strided(&[0.0; 5], 2, 3, 3);
    }

    #[test]
    #[should_panic(expected = "is not")]
    fn matrices_fit_together() {
        let mut numbers = [0.0; 4];
        let out = MatrixMut::of(&mut numbers, 2);
        multiply(
            out,
            Onto::Nothing,
            1.0,
            Matrix::of(&[0.0; 6], 3),
            Matrix::of(&[0.0; 4], 2),
        );
    }
}
