//! What each place of a row makes of the others.

use super::{Backward, Dense, Forward, Layer};
use crate::kernel::{Matrix, MatrixMut, Onto, multiply, row_dot, soft, wide};
use crate::model::{Plan, Start};
use crate::plain::Plain;
use crate::threads;

/// Places whose scores are made together. Under a causal mask what lies beyond the last of them is
/// never looked at.
const BLOCK: usize = 32;
/// A row of scores is made exponentials of in pieces of so many; a few too many cost less than a
/// remainder.
const LANES: usize = 16;

/// Multi-head self-attention (Vaswani et al. 2017, §3.2) over rows of `context` places: queries,
/// keys and values come out of one product.
#[derive(Debug)]
pub(crate) struct Attention {
    context: usize,
    width: usize,
    heads: usize,
    causal: bool,
    /// To queries, keys and values, side by side.
    inward: Dense,
    outward: Dense,
    seen: Vec<f32>,
    /// How much each place makes of each other, head after head, row after row.
    shares: Vec<f32>,
    mixed: Vec<f32>,
    /// The slopes by `mixed` and by `seen`.
    by_mixed: Vec<f32>,
    by_seen: Vec<f32>,
    /// For each thread that rows are shared out to: one head's shares, or the slopes by them.
    hands: Vec<Vec<f32>>,
}

/// The shape of an attention.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heads {
    /// Places of a row.
    pub(crate) context: usize,
    /// Units of a place, which the heads share.
    pub(crate) width: usize,
    pub(crate) heads: usize,
    /// Whether a place sees only itself and those before it.
    pub(crate) causal: bool,
}

impl Attention {
    /// Under this name; weights start from `inward`, those back to the row from `outward`.
    pub(crate) fn new(
        plan: &mut Plan,
        name: &str,
        shape: Heads,
        inward: Start,
        outward: Start,
    ) -> Self {
        let width = shape.width;
        let mut dense = |part, outputs, start| {
            let name = format!("{name}.{part}");
            Dense::starting(plan, &name, [width, outputs], start, true, None)
        };
        Attention {
            inward: dense("inward", 3 * width, inward),
            outward: dense("outward", width, outward),
            context: shape.context,
            width,
            heads: shape.heads,
            causal: shape.causal,
            seen: Vec::new(),
            shares: Vec::new(),
            mixed: Vec::new(),
            by_mixed: Vec::new(),
            by_seen: Vec::new(),
            hands: Vec::new(),
        }
    }

    /// Both ways between `seen` and `mixed`.
    #[cfg(test)]
    pub(super) fn of_seen(&mut self, seen: &[f32], by_mixed: &[f32]) -> (Vec<f32>, Vec<f32>) {
        self.seen = seen.to_vec();
        self.mix(by_mixed.len(), true);
        self.by_mixed = by_mixed.to_vec();
        self.unmix();
        (self.mixed.clone(), self.by_seen.clone())
    }

    /// From `seen` to so many numbers of `mixed`.
    fn mix(&mut self, numbers: usize, is_training: bool) {
        let (rows, parts) = self.rows(numbers);
        let (row, of_head) = (self.context * self.width, self.context * self.context);
        let heads = self.each_head();
        // Only the way back needs the shares of all heads.
        let kept = match is_training {
            true => self.heads * of_head,
            false => 0,
        };
        self.mixed.resize(numbers, 0.0);
        self.shares.resize(rows * kept, 0.0);
        threads::units(
            rows,
            parts,
            &mut self.hands,
            [(&self.seen, 3 * row)],
            [(&mut self.mixed, row), (&mut self.shares, kept)],
            &|hand: &mut Vec<f32>, [seen], [mixed, shares]| {
                hand.resize(of_head, 0.0);
                let mut kept = shares.chunks_exact_mut(of_head);
                for (seen, mixed) in seen.chunks(3 * row).zip(mixed.chunks_mut(row)) {
                    for head in heads.clone() {
                        let shares = kept.next().unwrap_or(hand);
                        head.forward(seen, shares, mixed);
                    }
                }
            },
        );
    }

    /// From `by_mixed` to `by_seen`.
    fn unmix(&mut self) {
        let (rows, parts) = self.rows(self.by_mixed.len());
        let (row, of_head) = (self.context * self.width, self.context * self.context);
        let heads = self.each_head();
        self.by_seen.resize(rows * 3 * row, 0.0);
        threads::units(
            rows,
            parts,
            &mut self.hands,
            [
                (&self.seen, 3 * row),
                (&self.shares, self.heads * of_head),
                (&self.by_mixed, row),
            ],
            [(&mut self.by_seen, 3 * row)],
            &|by_shares: &mut Vec<f32>, [seen, shares, by_mixed], [by_seen]| {
                by_shares.resize(of_head, 0.0);
                let mut shares = shares.chunks_exact(of_head);
                let rows = seen.chunks(3 * row).zip(by_mixed.chunks(row));
                for ((seen, by_mixed), by_seen) in rows.zip(by_seen.chunks_mut(3 * row)) {
                    for (head, shares) in heads.clone().zip(&mut shares) {
                        head.backward(seen, shares, by_mixed, by_shares, by_seen);
                    }
                }
            },
        );
    }

    /// How many rows so many numbers of `mixed` are, and how many threads they are shared out to.
    fn rows(&self, numbers: usize) -> (usize, usize) {
        let rows = numbers / (self.context * self.width);
        (rows, threads::parts(2 * numbers * self.context, rows))
    }

    /// All heads of a row.
    fn each_head(&self) -> impl Iterator<Item = Head> + Clone + Sync + use<> {
        let head = Head {
            context: self.context,
            width: self.width,
            size: self.width / self.heads,
            causal: self.causal,
            place: 0,
        };
        (0..self.heads).map(move |place| Head {
            place: place * head.size,
            ..head
        })
    }

    /// What makes queries, keys and values, what makes of the mixed ones what comes out, and its
    /// shape.
    pub(crate) fn parts(&self) -> (&Dense, &Dense, Heads) {
        let heads = Heads {
            context: self.context,
            width: self.width,
            heads: self.heads,
            causal: self.causal,
        };
        (&self.inward, &self.outward, heads)
    }
}

/// One head in one row.
#[derive(Debug, Clone, Copy)]
struct Head {
    context: usize,
    width: usize,
    /// Its units.
    size: usize,
    causal: bool,
    /// Its first unit.
    place: usize,
}

/// The parts of `seen`.
#[derive(Debug, Clone, Copy)]
enum Seen {
    Queries,
    Keys,
    Values,
}

impl Head {
    fn scale(self) -> f32 {
        1.0 / (self.size as f32).sqrt()
    }

    /// Where its part of one place begins in `seen`.
    fn in_seen(self, part: Seen, place: usize) -> usize {
        (3 * place + part as usize) * self.width + self.place
    }

    /// These places of its part of `seen`.
    fn seen(self, seen: &[f32], part: Seen, from: usize, to: usize) -> Matrix<'_> {
        let start = self.in_seen(part, from);
        Matrix::strided(&seen[start..], to - from, self.size, 3 * self.width)
    }

    fn seen_mut(self, seen: &mut [f32], part: Seen, from: usize, to: usize) -> MatrixMut<'_> {
        let start = self.in_seen(part, from);
        MatrixMut::strided(&mut seen[start..], to - from, self.size, 3 * self.width)
    }

    /// Where one of its places begins in `mixed`.
    fn in_mixed(self, place: usize) -> usize {
        place * self.width + self.place
    }

    fn mixed(self, mixed: &[f32], from: usize, to: usize) -> Matrix<'_> {
        let start = self.in_mixed(from);
        Matrix::strided(&mixed[start..], to - from, self.size, self.width)
    }

    fn mixed_mut(self, mixed: &mut [f32], from: usize, to: usize) -> MatrixMut<'_> {
        let start = self.in_mixed(from);
        MatrixMut::strided(&mut mixed[start..], to - from, self.size, self.width)
    }

    /// Blocks of places, each with the end of what it may see.
    fn blocks(self) -> impl Iterator<Item = (usize, usize, usize)> {
        let Head {
            context, causal, ..
        } = self;
        (0..context).step_by(BLOCK).map(move |from| {
            let to = context.min(from + BLOCK);
            (from, to, if causal { to } else { context })
        })
    }

    /// The shares of these places, up to the end of what they may see.
    fn shares(self, shares: &[f32], from: usize, to: usize, end: usize) -> Matrix<'_> {
        Matrix::strided(&shares[from * self.context..], to - from, end, self.context)
    }

    /// What those who may see these places make of them, place for column.
    fn of_seen(self, shares: &[f32], from: usize, to: usize) -> (usize, Matrix<'_>) {
        let first = if self.causal { from } else { 0 };
        let numbers = &shares[first * self.context + from..];
        let seers = Matrix::strided(numbers, self.context - first, to - from, self.context);
        (first, seers.turned())
    }

    fn forward(self, seen: &[f32], shares: &mut [f32], mixed: &mut [f32]) {
        let context = self.context;
        for (from, to, end) in self.blocks() {
            let rows = &mut shares[from * context..to * context];
            multiply(
                MatrixMut::strided(rows, to - from, end, context),
                Onto::Nothing,
                self.scale(),
                self.seen(seen, Seen::Queries, from, to),
                self.seen(seen, Seen::Keys, 0, end).turned(),
            );
            let causal = self.causal;
            wide(
                #[inline(always)]
                || {
                    for (place, row) in rows.chunks_exact_mut(context).enumerate() {
                        let row = &mut row[..end];
                        let visible = if causal { from + place + 1 } else { end };
                        // What lies beyond weighs e⁻⁸⁷ in the sum, whatever it is, and then nothing.
                        let whole = visible.next_multiple_of(LANES).min(end);
                        row[visible..whole].fill(f32::NEG_INFINITY);
                        let (_, sum) = soft(&mut row[..whole]);
                        let share = 1.0 / sum;
                        row[..visible].iter_mut().for_each(|x| *x *= share);
                        row[visible..].fill(0.0);
                    }
                },
            );
            multiply(
                self.mixed_mut(mixed, from, to),
                Onto::Nothing,
                1.0,
                self.shares(shares, from, to, end),
                self.seen(seen, Seen::Values, 0, end),
            );
        }
    }

    /// From the slopes by `mixed` to those by `seen`; `by_shares` is for its own use.
    fn backward(
        self,
        seen: &[f32],
        shares: &[f32],
        by_mixed: &[f32],
        by_shares: &mut [f32],
        by_seen: &mut [f32],
    ) {
        let context = self.context;
        for (from, to, end) in self.blocks() {
            let rows = &mut by_shares[from * context..to * context];
            multiply(
                MatrixMut::strided(rows, to - from, end, context),
                Onto::Nothing,
                1.0,
                self.mixed(by_mixed, from, to),
                self.seen(seen, Seen::Values, 0, end).turned(),
            );
            let shares = shares[from * context..].chunks_exact(context);
            wide(
                #[inline(always)]
                || {
                    for (slopes, shares) in rows.chunks_exact_mut(context).zip(shares) {
                        let (slopes, shares) = (&mut slopes[..end], &shares[..end]);
                        let mean = row_dot(slopes, shares);
                        for (slope, share) in slopes.iter_mut().zip(shares) {
                            *slope = share * (*slope - mean);
                        }
                    }
                },
            );
            multiply(
                self.seen_mut(by_seen, Seen::Queries, from, to),
                Onto::Nothing,
                self.scale(),
                self.shares(by_shares, from, to, end),
                self.seen(seen, Seen::Keys, 0, end),
            );
        }
        for (from, to, _) in self.blocks() {
            let (first, seers) = self.of_seen(by_shares, from, to);
            multiply(
                self.seen_mut(by_seen, Seen::Keys, from, to),
                Onto::Nothing,
                self.scale(),
                seers,
                self.seen(seen, Seen::Queries, first, context),
            );
            let (first, seers) = self.of_seen(shares, from, to);
            multiply(
                self.seen_mut(by_seen, Seen::Values, from, to),
                Onto::Nothing,
                1.0,
                seers,
                self.mixed(by_mixed, first, context),
            );
        }
    }
}

impl Layer for Attention {
    fn plain(&self) -> Plain<'_> {
        Plain::Attention(self)
    }

    fn width(&self, inputs: usize) -> usize {
        inputs
    }

    /// Queries, keys, values and what is mixed of them, with their slopes, and the shares that all
    /// places of a row make of each other.
    fn remembers(&self, inputs: usize) -> usize {
        let shares = inputs / self.width * self.context * self.heads;
        let hands = threads::count() * self.context * self.context;
        8 * inputs + shares + hands.min(shares)
    }

    fn forward(&mut self, x: &[f32], y: &mut [f32], pass: &mut Forward<'_>) {
        self.seen.resize(3 * x.len(), 0.0);
        self.inward.forward(x, &mut self.seen, pass);
        self.mix(x.len(), pass.is_training());
        self.outward.forward(&self.mixed, y, pass);
    }

    fn backward(
        &mut self,
        x: &[f32],
        _: &[f32],
        dy: &mut [f32],
        dx: Option<&mut [f32]>,
        pass: &mut Backward<'_>,
    ) {
        self.by_mixed.resize(x.len(), 0.0);
        let by_mixed = Some(self.by_mixed.as_mut_slice());
        self.outward.backward(&self.mixed, &[], dy, by_mixed, pass);
        self.unmix();
        self.inward.backward(x, &[], &mut self.by_seen, dx, pass);
    }
}
