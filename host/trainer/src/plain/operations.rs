//! The layers, one by one.

use super::{Flat, Matrix, Pass, Plain, Used};
use crate::kernel::Activation;
use crate::layer::{
    Attention, BatchNorm, Conv, Dense, Dropout, Embedding, Heads, Layer, LayerNorm, Picture,
    Pooling, Residual, Slot, Weight,
};
use dfdx::prelude::*;

/// What a share of what nobody may see is made of: it weighs nothing in a sum of exponentials.
const UNSEEN: f32 = -1e30;

impl<D: Device<f32>> Pass<'_, D> {
    pub(super) fn through<T: Tape<f32, D>>(
        &mut self,
        layer: &dyn Layer,
        x: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        match layer.plain() {
            Plain::Activate(activation) => bent(x, activation),
            Plain::Attention(attention) => self.attention(attention, x),
            Plain::BatchNorm(norm) => self.batch_norm(norm, x),
            Plain::Conv(conv) => self.conv(conv, x),
            Plain::Dense(dense) => self.dense(dense, x),
            Plain::Dropout(dropout) => self.dropout(dropout, x),
            Plain::Embedding(embedding) => self.embedding(embedding, x),
            Plain::GlobalAverage(picture) => self.global_average(picture, x),
            Plain::LayerNorm(norm) => self.layer_norm(norm, x),
            Plain::Pool(picture, pooling) => self.pool(picture, pooling, x),
            Plain::Residual(residual) => self.residual(residual, x),
            Plain::Sequence(layers) => {
                let mut layers = layers.iter();
                layers.try_fold(x, |x, layer| self.through(layer.as_ref(), x))
            }
        }
    }

    fn dense<T: Tape<f32, D>>(
        &mut self,
        dense: &Dense,
        x: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let x = in_rows_of(x, dense.shape().0)?;
        let y = self.linear(x, dense.weight(), dense.bias(), dense.shape().1)?;
        bent(y, dense.activation())
    }

    /// x·W + b.
    fn linear<T: Tape<f32, D>>(
        &mut self,
        x: Matrix<D, T>,
        weight: &Weight,
        bias: Option<&Slot>,
        outputs: usize,
    ) -> Result<Matrix<D, T>, D::Err> {
        let (rows, inputs) = *x.shape();
        let tensor = self.tensor(weight.slot())?;
        let used = Used::Weight(weight.clone());
        self.used.push((used, tensor.clone()));
        let y = x.try_matmul(tensor.try_reshape_like(&(inputs, outputs))?)?;
        match bias {
            None => Ok(y),
            Some(bias) => {
                let bias = self.parameters(bias)?.retaped::<T>();
                y.try_add(bias.try_broadcast_like::<_, Axis<0>>(&(rows, outputs))?)
            }
        }
    }

    /// Rows of squares, one a point, times the weights.
    fn conv<T: Tape<f32, D>>(
        &mut self,
        conv: &Conv,
        x: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let (picture, kernel, outputs) = conv.shape();
        let channels = picture.channels;
        let x = in_rows_of(x, channels)?;
        let points = x.shape().0;
        let (places, inside) = squares(picture, kernel, points / picture.points());
        let shape = (places.len(), channels);
        let inside = self.device.try_tensor_from_vec(inside, (shape.0,))?;
        let squares = self.gathered(x, places)?;
        let squares = squares.try_mul(inside.try_broadcast_like::<_, Axis<1>>(&shape)?)?;
        let squares = squares.try_reshape_like(&(points, kernel * kernel * channels))?;
        let y = self.linear(squares, conv.weight(), conv.bias(), outputs)?;
        bent(y, conv.activation())
    }

    fn pool<T: Tape<f32, D>>(
        &mut self,
        picture: Picture,
        pooling: Pooling,
        x: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let x = in_rows_of(x, picture.channels)?;
        let pictures = x.shape().0 / picture.points();
        let small = picture.halved();
        let corner = |down: usize, right: usize| {
            let place = |of: usize| {
                let (y, x) = (of / small.width, of % small.width);
                (2 * y + down) * picture.width + 2 * x + right
            };
            let of_picture = |number: usize| {
                (0..small.points()).map(move |of| number * picture.points() + place(of))
            };
            let places = (0..pictures).flat_map(of_picture).collect();
            self.gathered(x.retaped::<T>(), places)
        };
        let corners = [corner(0, 0)?, corner(0, 1)?, corner(1, 0)?, corner(1, 1)?];
        let (_, tape) = x.split_tape();
        let [a, b, c, d] = corners;
        let (a, made) = a.split_tape();
        let a = a.put_tape(tape.merge(made));
        match pooling {
            Pooling::Max => a.try_maximum(b)?.try_maximum(c.try_maximum(d)?),
            Pooling::Average => a.try_add(b)?.try_add(c.try_add(d)?)?.try_mul(0.25),
        }
    }

    fn global_average<T: Tape<f32, D>>(
        &mut self,
        picture: Picture,
        x: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let pictures = x.shape().0 * x.shape().1 / picture.numbers();
        let shape = (pictures, picture.points(), picture.channels);
        x.try_reshape_like(&shape)?.try_mean::<_, Axis<1>>()
    }

    fn batch_norm<T: Tape<f32, D>>(
        &mut self,
        norm: &BatchNorm,
        x: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let x = in_rows_of(x, norm.columns())?;
        let shape = *x.shape();
        let [scale, shift] = norm.parameters();
        let normal = if self.noise.is_some() && !norm.is_frozen() {
            norm.remember(&x.as_vec(), self.buffers);
            x.try_normalize::<Axis<0>>(BatchNorm::EPSILON)?
        } else {
            let (means, inverses) = norm.running(self.values, self.buffers);
            let row = |values: Vec<f32>| self.device.try_tensor_from_vec(values, (shape.1,));
            let (means, inverses) = (row(means)?, row(inverses)?);
            x.try_sub(means.try_broadcast_like::<_, Axis<0>>(&shape)?)?
                .try_mul(inverses.try_broadcast_like::<_, Axis<0>>(&shape)?)?
        };
        self.stretched(normal, scale, shift)
    }

    fn layer_norm<T: Tape<f32, D>>(
        &mut self,
        norm: &LayerNorm,
        x: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let x = in_rows_of(x, norm.units())?;
        let [gain, bias] = norm.parameters();
        let normal = x.try_normalize::<Axis<1>>(LayerNorm::EPSILON)?;
        self.stretched(normal, gain, bias)
    }

    /// Each column times its own number, plus its own number.
    fn stretched<T: Tape<f32, D>>(
        &mut self,
        x: Matrix<D, T>,
        by: &Slot,
        plus: &Slot,
    ) -> Result<Matrix<D, T>, D::Err> {
        let shape = *x.shape();
        let mut row = |slot| {
            let row = self.parameters(slot)?.retaped::<T>();
            row.try_broadcast_like::<_, Axis<0>>(&shape)
        };
        let (by, plus) = (row(by)?, row(plus)?);
        x.try_mul(by)?.try_add(plus)
    }

    fn embedding<T: Tape<f32, D>>(
        &mut self,
        embedding: &Embedding,
        x: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let (context, width) = embedding.shape();
        let [tokens, places] = embedding.parameters();
        // Whole numbers have no slope, so what made them is not asked for any.
        let (x, tape) = x.split_tape();
        let chosen: Vec<usize> = x.as_vec().iter().map(|token| *token as usize).collect();
        let places_of = (0..chosen.len()).map(|at| at % context).collect();
        let mut table = |slot: &Slot| {
            let rows = slot.range.len() / width;
            self.parameters(slot)?.try_reshape_like(&(rows, width))
        };
        let (tokens, places) = (table(tokens)?.put_tape(tape), table(places)?);
        let tokens = self.gathered(tokens, chosen)?;
        tokens.try_add(self.gathered(places.retaped::<T>(), places_of)?)
    }

    fn attention<T: Tape<f32, D>>(
        &mut self,
        attention: &Attention,
        x: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let (inward, outward, heads) = attention.parts();
        let Heads {
            context,
            width,
            heads,
            causal,
        } = heads;
        let size = width / heads;
        let seen = self.dense(inward, x)?;
        let rows = seen.shape().0 / context;
        let shape = (rows * heads, context, size);
        // One matrix for each head of each row.
        let part = |seen: Matrix<D, T>, at: usize| {
            seen.try_slice((0.., at * width..(at + 1) * width))?
                .try_reshape_like(&(rows, context, heads, size))?
                .try_permute::<(usize, usize, usize, usize), Axes4<0, 2, 1, 3>>()?
                .try_reshape_like(&shape)
        };
        let keys = part(seen.retaped::<T>(), 1)?;
        let values = part(seen.retaped::<T>(), 2)?;
        let queries = part(seen, 0)?;
        let keys = keys.try_permute::<(usize, usize, usize), Axes3<0, 2, 1>>()?;
        let scores = queries.try_matmul(keys)?;
        let scores = scores.try_mul(1.0 / (size as f32).sqrt())?;
        let scores = match causal {
            false => scores,
            true => {
                let unseen = |at: usize| {
                    let (from, to) = (at / context, at % context);
                    if to > from { UNSEEN } else { 0.0 }
                };
                let mask = (0..context * context).map(unseen).collect();
                let mask = self.device.try_tensor_from_vec(mask, (context, context))?;
                scores.try_add(mask.try_broadcast_like::<_, Axis<0>>(&(
                    rows * heads,
                    context,
                    context,
                ))?)?
            }
        };
        let mixed = scores.try_softmax::<Axis<2>>()?.try_matmul(values)?;
        let mixed = mixed
            .try_reshape_like(&(rows, heads, context, size))?
            .try_permute::<(usize, usize, usize, usize), Axes4<0, 2, 1, 3>>()?
            .try_reshape_like(&(rows * context, width))?;
        self.dense(outward, mixed)
    }

    fn residual<T: Tape<f32, D>>(
        &mut self,
        residual: &Residual,
        x: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let (inner, projection) = residual.parts();
        let own = x.retaped::<T>();
        let own = match projection {
            Some(projection) => self.dense(projection, own)?,
            None => own,
        };
        let made = self.through(inner, x)?;
        let shape = *made.shape();
        made.try_add(own.try_reshape_like(&shape)?)
    }

    fn dropout<T: Tape<f32, D>>(
        &mut self,
        dropout: &Dropout,
        x: Matrix<D, T>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let Some(noise) = &mut self.noise else {
            return Ok(x);
        };
        let shape = *x.shape();
        let mut mask = vec![0.0; shape.0 * shape.1];
        dropout.draw(noise, &mut mask);
        x.try_mul(self.device.try_tensor_from_vec(mask, shape)?)
    }

    /// These rows, in this order.
    fn gathered<T: Tape<f32, D>>(
        &self,
        x: Matrix<D, T>,
        rows: Vec<usize>,
    ) -> Result<Matrix<D, T>, D::Err> {
        let count = rows.len();
        let rows: Tensor<(usize,), usize, D> = self.device.try_tensor_from_vec(rows, (count,))?;
        x.try_gather(rows)
    }

    fn parameters(&mut self, slot: &Slot) -> Result<Flat<D>, D::Err> {
        let tensor = self.tensor(slot)?;
        if slot.is_learned() {
            let used = Used::Parameters(slot.clone());
            self.used.push((used, tensor.clone()));
        }
        Ok(tensor)
    }

    fn tensor(&self, slot: &Slot) -> Result<Flat<D>, D::Err> {
        let values = slot.of(self.values).to_vec();
        let length = (slot.range.len(),);
        self.device.try_tensor_from_vec(values, length)
    }
}

/// What lies in a row is known by its place in it only: a reshape moves nothing, and keeps the tensor
/// that gradients belong to.
fn in_rows_of<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    width: usize,
) -> Result<Matrix<D, T>, D::Err> {
    let numbers = x.shape().0 * x.shape().1;
    x.try_reshape_like(&(numbers / width, width))
}

fn bent<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    activation: Option<Activation>,
) -> Result<Matrix<D, T>, D::Err> {
    match activation {
        None => Ok(x),
        Some(Activation::Relu) => x.try_relu(),
        Some(Activation::Gelu) => x.try_fast_gelu(),
        Some(Activation::Tanh) => x.try_tanh(),
    }
}

/// For each point of so many pictures the points of its square, and 1 for each that lies inside, else
/// 0 and any point.
fn squares(picture: Picture, kernel: usize, pictures: usize) -> (Vec<usize>, Vec<f32>) {
    let half = kernel / 2;
    let numbers = pictures * picture.points() * kernel * kernel;
    let (mut places, mut inside) = (Vec::with_capacity(numbers), Vec::with_capacity(numbers));
    for number in 0..pictures {
        for point in 0..picture.points() {
            let (y, x) = (point / picture.width, point % picture.width);
            for of_square in 0..kernel * kernel {
                let (down, right) = (of_square / kernel, of_square % kernel);
                // Half a kernel further down and right, so that nothing is negative.
                let (y, x) = (y + down, x + right);
                let is_inside = (half..half + picture.height).contains(&y)
                    && (half..half + picture.width).contains(&x);
                let place = match is_inside {
                    true => (y - half) * picture.width + x - half,
                    false => 0,
                };
                places.push(number * picture.points() + place);
                inside.push(f32::from(is_inside));
            }
        }
    }
    (places, inside)
}
