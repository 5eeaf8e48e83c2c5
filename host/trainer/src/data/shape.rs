//! What the numbers of a row are.

use serde::{Deserialize, Serialize};

/// The shape of what a model sees of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// So many numbers without an order.
    Row(usize),
    /// A picture: `height` lines of `width` points of `channels` numbers.
    Image {
        /// Lines.
        height: usize,
        /// Points in a line.
        width: usize,
        /// Numbers in a point: 1 for grey, 3 for red, green and blue.
        channels: usize,
    },
    /// So many tokens, whole numbers below `vocabulary`, of which each is followed by the next.
    Text {
        /// Tokens that are seen at once.
        context: usize,
        /// How many different ones there are.
        vocabulary: usize,
    },
}

impl Shape {
    /// How many numbers that are.
    pub fn numbers(self) -> usize {
        match self {
            Shape::Row(numbers) => numbers,
            Shape::Image {
                height,
                width,
                channels,
            } => height * width * channels,
            Shape::Text { context, .. } => context,
        }
    }

    /// For how many places of a row a prediction is made: one, or each of its tokens.
    pub fn places(self) -> usize {
        match self {
            Shape::Row(_) | Shape::Image { .. } => 1,
            Shape::Text { context, .. } => context,
        }
    }
}
