//! The warm-up that every schedule here may begin with: the rate climbs from a fraction of the
//! schedule's first rate, by default from 0 and in a straight line, and reaches it at the step
//! after the last of the warm-up.
//!
//! As in Hugging Face transformers: step t of w has the factor t / w, so the first update of a
//! linear warm-up from 0 is made with a rate of 0.

use attune_plugin_api::prelude::*;
use std::f64::consts::PI;

/// The form of the climb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WarmupShape {
    /// A straight line.
    #[serde(rename = "linear")]
    Linear,
    /// Half a cosine.
    #[serde(rename = "cosine")]
    Cosine,
    /// 1 − √(1 − progress).
    #[serde(rename = "1-sqrt")]
    OneMinusSqrt,
    /// No climb: the rate waits at `warmup_start` (PyTorch's `ConstantLR`).
    #[serde(rename = "flat")]
    Flat,
}

/// The parameters of a warm-up.
#[derive(Debug, Deserialize)]
pub struct WarmupParams {
    warmup_steps: u64,
    warmup_ratio: f64,
    warmup_start: f64,
    warmup_shape: WarmupShape,
}

/// A warm-up of a known length, which may be 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Warmup {
    steps: u64,
    start: f64,
    shape: WarmupShape,
}

/// The parameters' descriptions; the length is searched where that is worth it.
pub(crate) fn params(searched: bool) -> [Param; 4] {
    let ratio = Param::float("warmup_ratio", 0.0)
        .at_least(0.0)
        .below(1.0)
        .doc(
            "The same as a fraction of `total_steps`, rounded up. Not used where `warmup_steps` \
             is above 0.",
        );
    [
        Param::int("warmup_steps", 0).doc(
            "Steps of the warm-up. Above 0 it goes before `warmup_ratio`; 0 leaves it to that.",
        ),
        if searched {
            ratio.search(0.0, 0.2)
        } else {
            ratio
        },
        Param::float("warmup_start", 0.0)
            .at_least(0.0)
            .at_most(1.0)
            .doc("Where the warm-up begins, as a fraction of the rate that it leads to."),
        Param::choice(
            "warmup_shape",
            &["linear", "cosine", "1-sqrt", "flat"],
            "linear",
        )
        .doc("The form of the climb; `flat` waits at `warmup_start`."),
    ]
}

impl Warmup {
    /// A warm-up; `total` is asked for the schedule's length only where a ratio needs it. A number
    /// of steps goes before a ratio, so that a study can fix it while the ratio is searched.
    ///
    /// # Errors
    /// A ratio of a length that is not known.
    pub fn new(
        params: &WarmupParams,
        total: impl FnOnce() -> Result<u64, Error>,
    ) -> Result<Self, Error> {
        let steps = match (params.warmup_steps, params.warmup_ratio) {
            (0, 0.0) => 0,
            (0, ratio) => (total()? as f64 * ratio).ceil() as u64,
            (steps, _) => steps,
        };
        Ok(Warmup {
            steps,
            start: params.warmup_start,
            shape: params.warmup_shape,
        })
    }

    /// How many steps it takes.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The factor on the schedule's first rate at a step; 1 from its end on.
    pub fn factor(&self, step: u64) -> f64 {
        if step >= self.steps {
            return 1.0;
        }
        let progress = step as f64 / self.steps as f64;
        let climbed = match self.shape {
            WarmupShape::Linear => progress,
            WarmupShape::Cosine => 0.5 * (1.0 - (PI * progress).cos()),
            WarmupShape::OneMinusSqrt => 1.0 - (1.0 - progress).sqrt(),
            WarmupShape::Flat => 0.0,
        };
        climbed * (1.0 - self.start) + self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warmup(steps: u64, start: f64, shape: WarmupShape) -> Warmup {
        Warmup {
            steps,
            start,
            shape,
        }
    }

    #[test]
    fn each_form_climbs_as_it_says() {
        use WarmupShape::*;
        let table = [
            (Linear, 0.0, [0.0, 0.25, 0.5, 0.75, 1.0]),
            (Linear, 0.5, [0.5, 0.625, 0.75, 0.875, 1.0]),
            (
                Cosine,
                0.0,
                [
                    0.0,
                    0.146_446_609_406_726_24,
                    0.5,
                    0.853_553_390_593_273_8,
                    1.0,
                ],
            ),
            (
                OneMinusSqrt,
                0.0,
                [
                    0.0,
                    0.133_974_596_215_561_35,
                    0.292_893_218_813_452_5,
                    0.5,
                    1.0,
                ],
            ),
            (Flat, 0.25, [0.25, 0.25, 0.25, 0.25, 1.0]),
        ];
        for (shape, start, expected) in table {
            let warmup = warmup(4, start, shape);
            for (step, expected) in expected.into_iter().enumerate() {
                let factor = warmup.factor(step as u64);
                assert!(
                    (factor - expected).abs() < 1e-15,
                    "{shape:?} at {step}: {factor}"
                );
            }
        }
    }

    #[test]
    fn without_steps_there_is_none() {
        assert_eq!(warmup(0, 0.0, WarmupShape::Linear).factor(0), 1.0);
    }

    #[test]
    fn its_length_is_the_number_of_steps_or_else_the_ratio() {
        let of = |warmup_steps, warmup_ratio, total: Option<u64>| {
            let params = WarmupParams {
                warmup_steps,
                warmup_ratio,
                warmup_start: 0.0,
                warmup_shape: WarmupShape::Linear,
            };
            let total = || total.ok_or_else(|| Error::new("of no known length"));
            Warmup::new(&params, total).map(|warmup| warmup.steps())
        };
        assert_eq!(of(0, 0.0, None), Ok(0));
        assert_eq!(of(7, 0.0, None), Ok(7));
        assert_eq!(of(7, 0.1, None), Ok(7));
        assert_eq!(of(0, 0.1, Some(95)), Ok(10));
        assert!(of(0, 0.1, None).is_err());
    }
}
