//! Tokens as vectors.

use super::{Backward, Forward, Layer, Slot};
use crate::kernel::{add, wide};
use crate::model::{Kind, Plan, Start};
use crate::plain::Plain;

/// A learned vector of each token plus one of its place in the row.
#[derive(Debug)]
pub(crate) struct Embedding {
    context: usize,
    width: usize,
    tokens: Slot,
    places: Slot,
}

impl Embedding {
    /// For rows of `context` tokens, whole numbers below `vocabulary`.
    pub(crate) fn new(
        plan: &mut Plan,
        context: usize,
        vocabulary: usize,
        width: usize,
        start: Start,
    ) -> Self {
        let mut add = |name: &str, count| {
            plan.add(
                Kind::Embedding,
                format!("{name}.weight"),
                &[count, width],
                start,
            )
        };
        Embedding {
            context,
            width,
            tokens: add("tokens", vocabulary),
            places: add("places", context),
        }
    }

    /// Places of a row, and units of a place.
    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.context, self.width)
    }

    /// The vectors of tokens, and of places.
    pub(crate) fn parameters(&self) -> [&Slot; 2] {
        [&self.tokens, &self.places]
    }

    /// The slopes by the vectors.
    fn learn(&self, x: &[f32], dy: &[f32], pass: &mut Backward<'_>) {
        let width = self.width;
        let tokens = pass.sums(&self.tokens);
        wide(
            #[inline(always)]
            || {
                for (token, dy) in x.iter().zip(dy.chunks_exact(width)) {
                    add(&mut tokens[*token as usize * width..][..width], dy);
                }
            },
        );
        let places = pass.sums(&self.places);
        wide(
            #[inline(always)]
            || {
                dy.chunks_exact(places.len())
                    .for_each(|row| add(places, row))
            },
        );
    }
}

impl Layer for Embedding {
    fn plain(&self) -> Plain<'_> {
        Plain::Embedding(self)
    }

    fn width(&self, inputs: usize) -> usize {
        inputs * self.width
    }

    /// # Panics
    /// A token that is not in the vocabulary.
    fn forward(&mut self, x: &[f32], y: &mut [f32], pass: &mut Forward<'_>) {
        let width = self.width;
        let (tokens, places) = (self.tokens.of(pass.values), self.places.of(pass.values));
        let rows = x.chunks_exact(self.context);
        for (row, y) in rows.zip(y.chunks_exact_mut(self.context * width)) {
            let vectors = y.chunks_exact_mut(width).zip(places.chunks_exact(width));
            wide(
                #[inline(always)]
                || {
                    for (token, (y, place)) in row.iter().zip(vectors) {
                        let vector = &tokens[*token as usize * width..][..width];
                        for ((y, a), b) in y.iter_mut().zip(vector).zip(place) {
                            *y = a + b;
                        }
                    }
                },
            );
        }
    }

    fn backward(
        &mut self,
        x: &[f32],
        _: &[f32],
        dy: &mut [f32],
        dx: Option<&mut [f32]>,
        pass: &mut Backward<'_>,
    ) {
        if self.tokens.is_learned() {
            self.learn(x, dy, pass);
        }
        // Whole numbers have no slope.
        if let Some(dx) = dx {
            dx.fill(0.0);
        }
    }
}
