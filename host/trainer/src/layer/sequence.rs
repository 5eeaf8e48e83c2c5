//! Layers one after another.

use super::{Backward, Forward, Layer};
use crate::plain::Plain;

/// Layers, each of which takes in what the one before gives out.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    layers: Vec<Box<dyn Layer>>,
    /// What each but the last gave out.
    between: Vec<Vec<f32>>,
    /// Slopes on their way back: those by a layer's outputs, and those by its inputs.
    slopes: [Vec<f32>; 2],
}

impl Sequence {
    pub(crate) fn push(&mut self, layer: impl Layer + 'static) {
        self.layers.push(Box::new(layer));
        self.between.resize_with(self.layers.len() - 1, Vec::new);
    }

    /// Adds all layers of another.
    pub(crate) fn append(&mut self, mut other: Sequence) {
        self.layers.append(&mut other.layers);
        let between = self.layers.len().saturating_sub(1);
        self.between.resize_with(between, Vec::new);
    }
}

impl Layer for Sequence {
    fn plain(&self) -> Plain<'_> {
        Plain::Sequence(&self.layers)
    }

    fn width(&self, inputs: usize) -> usize {
        self.layers
            .iter()
            .fold(inputs, |width, layer| layer.width(width))
    }

    fn kept(&self, inputs: usize) -> usize {
        let mut width = inputs;
        let mut kept = 0;
        for layer in &self.layers {
            kept += layer.kept(width);
            width = layer.width(width);
        }
        kept
    }

    /// What lies between the layers, two of these again as slopes, and what each layer remembers.
    fn remembers(&self, inputs: usize) -> usize {
        let (mut width, mut widest, mut all) = (inputs, 0, 0);
        for (at, layer) in self.layers.iter().enumerate() {
            if at > 0 {
                widest = widest.max(width);
                all += width;
            }
            all += layer.remembers(width);
            width = layer.width(width);
        }
        all + 2 * widest
    }

    fn forward(&mut self, x: &[f32], y: &mut [f32], pass: &mut Forward<'_>) {
        let Some((last, first)) = self.layers.split_last_mut() else {
            y.copy_from_slice(x);
            return;
        };
        let mut x = x;
        for (layer, out) in first.iter_mut().zip(&mut self.between) {
            out.resize(layer.width(x.len()), 0.0);
            layer.forward(x, out, pass);
            x = out;
        }
        last.forward(x, y, pass);
    }

    fn backward(
        &mut self,
        x: &[f32],
        y: &[f32],
        dy: &mut [f32],
        dx: Option<&mut [f32]>,
        pass: &mut Backward<'_>,
    ) {
        let [after, before] = &mut self.slopes;
        let mut y = y;
        let mut is_last = true;
        for (at, layer) in self.layers.iter_mut().enumerate().skip(1).rev() {
            let input = &self.between[at - 1];
            before.resize(input.len(), 0.0);
            let dy = if is_last {
                &mut *dy
            } else {
                after.as_mut_slice()
            };
            layer.backward(input, y, dy, Some(before), pass);
            std::mem::swap(after, before);
            (y, is_last) = (input, false);
        }
        let dy = if is_last { dy } else { after.as_mut_slice() };
        match self.layers.first_mut() {
            Some(first) => first.backward(x, y, dy, dx, pass),
            None => {
                if let Some(dx) = dx {
                    dx.copy_from_slice(dy);
                }
            }
        }
    }
}
