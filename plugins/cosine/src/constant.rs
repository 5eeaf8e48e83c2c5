//! The starting rate, unchanged.

use crate::{Shape, Span};
use attune_plugin_api::prelude::*;

/// The constant schedule. With a warm-up, Hugging Face's `get_constant_schedule_with_warmup`; with
/// a `flat` one, PyTorch's `ConstantLR`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Constant;

/// It has no parameters of its own.
#[derive(Debug, Deserialize)]
pub struct ConstantParams {}

impl Shape for Constant {
    type Params = ConstantParams;

    fn describe() -> Description {
        Description::new("constant", "Keeps the starting rate.")
            .reference("PyTorch ConstantLR; transformers get_constant_schedule_with_warmup")
    }

    fn new(_: ConstantParams, _: &Span<'_>) -> Result<Self, Error> {
        Ok(Constant)
    }

    fn factor(&self, _: u64) -> f64 {
        1.0
    }
}
