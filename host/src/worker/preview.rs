//! A scheduler tried on a made-up run, for whoever wants to see its shape before anything trains.
//!
//! What it is shown is made up, always alike, and takes no notice of the rates that it sets:
//!
//! - the loss falls from 2.3 to 0.8 over the first two fifths of the run, stays there for a quarter
//!   of it, and falls on to 0.3, with 2 % of noise from a fixed seed;
//! - the metric is the mean of that loss since the last one, 200 times a run, as in a study;
//! - the gradient has a hundred elements as large as each other, and its norm is the loss; while the
//!   loss falls it points in about the same direction as the one before, with a cosine of 0.5, and
//!   while it stays, in none, between -0.2 and 0.2; its variance is the squared loss;
//! - updates are gradients, the first moment is the gradient before and the second its squares;
//! - the parameters are as large as each other, and their squared norm grows from 10 to 20.

use crate::convert;
use crate::solo::Solo;
use attune_loader::LoadedLibrary;
use attune_plugin_api::scheduler::Group;
use attune_plugin_api::{Description, Setup, Signal, Slot};
use attune_protocol::{Number, Preview, Previewed};
use attune_trainer::trial::NanPolicy;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use std::borrow::Cow;

/// The most points of a curve that are told.
const POINTS: usize = 500;

/// How often a metric is told in a whole run.
const METRICS: u64 = 200;

/// The elements of a group.
const ELEMENTS: u64 = 100;

/// What the noise is drawn from.
const SEED: u64 = 1;

/// Tries a scheduler.
pub(crate) fn preview(library: &LoadedLibrary, wanted: &Preview) -> anyhow::Result<Previewed> {
    let description = library.find(&wanted.scheduler)?;
    let every = (wanted.steps / METRICS).max(1);
    let group = |name: &str, tag: &str| Group {
        name: name.into(),
        lr: wanted.rate.0,
        momentum: Some(0.9),
        beta2: None,
        weight_decay: 0.0,
        size: ELEMENTS,
        tags: vec![tag.into()],
    };
    let setup = Setup {
        groups: vec![group("weights", "weight"), group("biases", "bias")],
        total_steps: Some(wanted.steps),
        steps_per_epoch: Some(wanted.steps_per_epoch),
        metric_calls: Some(wanted.steps / every),
        ..Setup::of_rates(&[])
    };
    let params = wanted.params.iter();
    let params = params.map(|(name, told)| (name.clone(), convert::value(told)));
    let controller = library.create(&wanted.scheduler, &params.collect(), &setup)?;
    let warnings = controller.warnings().to_vec();
    let mut solo = Solo::new(controller, &setup, NanPolicy::Drop);

    let (mut rates, mut losses) = (Thinned::of(wanted.steps), Thinned::of(wanted.steps));
    let sees_loss = description.signals.contains(&Signal::Loss);
    let mut made_up = MadeUp::of(wanted.steps);
    let (mut sum, mut count) = (0.0, 0);
    for step in 0..wanted.steps {
        made_up.advance(step);
        let mut signals = vec![f64::NAN; solo.layout().len()];
        for signal in &description.signals {
            if let Some(range) = solo.layout().range(*signal) {
                signals[range].fill(made_up.signal(*signal));
            }
        }
        (sum, count) = (sum + made_up.loss, count + 1);
        let is_due = description.metric && (step + 1) % every == 0;
        let metric = is_due.then(|| {
            let mean = sum / f64::from(count);
            (sum, count) = (0.0, 0);
            mean
        });
        solo.step(&signals, metric, |solo| {
            rates.push(step, solo.rates().first().copied().unwrap_or(f64::NAN));
            Ok(())
        })?;
        match metric {
            Some(metric) => losses.push(step, metric),
            None if sees_loss => losses.push(step, made_up.loss),
            None => {}
        }
    }
    Ok(Previewed {
        rates: rates.points(),
        losses: losses.points(),
        note: note(description, &warnings),
    })
}

fn note(description: &Description, warnings: &[String]) -> Option<String> {
    let others = description.signals.iter().any(|s| *s != Signal::Loss);
    let loss = description.metric || description.signals.contains(&Signal::Loss);
    let made_up = match (loss, others) {
        (false, false) => None,
        (true, false) => Some("the loss that it looks at is made up"),
        (false, true) => Some("the gradients that it looks at are made up"),
        (true, true) => Some("the loss and the gradients that it looks at are made up"),
    };
    let made_up = made_up.map(|what| {
        format!("{what}, and takes no notice of its rates: in training it may do otherwise")
    });
    let told: Vec<String> = made_up
        .into_iter()
        .chain(warnings.iter().cloned())
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// What there is to see, step by step.
struct MadeUp {
    steps: u64,
    noise: ChaCha8Rng,
    loss: f64,
    gradient: Vec<f64>,
    /// That of the step before.
    before: Option<Vec<f64>>,
    progress: f64,
}

impl MadeUp {
    fn of(steps: u64) -> Self {
        MadeUp {
            steps,
            noise: ChaCha8Rng::seed_from_u64(SEED),
            loss: f64::NAN,
            gradient: vec![1.0; ELEMENTS as usize],
            before: None,
            progress: 0.0,
        }
    }

    fn advance(&mut self, step: u64) {
        const STALLS: std::ops::Range<f64> = 0.4..0.65;
        if step > 0 {
            let before = self.before.get_or_insert_default();
            before.clone_from(&self.gradient);
        }
        self.progress = step as f64 / self.steps as f64;
        let falls = |from: f64, to: f64, part: f64| to + (from - to) * (-4.0 * part).exp();
        let smooth = match self.progress {
            early if early < STALLS.start => falls(2.3, 0.8, early / STALLS.start),
            late if late >= STALLS.end => {
                falls(0.827, 0.3, (late - STALLS.end) / (1.0 - STALLS.end))
            }
            _ => 0.827,
        };
        // Evenly from -1 to 1.
        let mut noise = || (self.noise.next_u64() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0;
        self.loss = smooth * (1.0 + 0.02 * noise());
        let wobble = 0.2 * noise();
        let cosine = match STALLS.contains(&self.progress) {
            true => wobble,
            false => 0.5 + wobble,
        };
        // Each that is turned takes two from the sum of as many ones.
        let turned = (0.5 * (1.0 - cosine) * ELEMENTS as f64).round() as u64;
        let size = self.loss / (ELEMENTS as f64).sqrt();
        for (place, element) in (0..ELEMENTS).zip(&mut self.gradient) {
            // Others at every step.
            let is_turned = (place + step * 37) % ELEMENTS < turned;
            *element = size.copysign(if is_turned { -*element } else { *element });
        }
    }

    /// A signal's value, in each group alike.
    fn signal(&self, signal: Signal) -> f64 {
        match signal {
            Signal::Loss => self.loss,
            Signal::GradVariance => self.loss * self.loss,
            Signal::Reduced(reduction) => reduction.of(|slot| self.vector(slot)),
            // All that it makes up is finite.
            _ => 0.0,
        }
    }

    /// Nothing where there was no step before.
    fn vector(&self, slot: Slot) -> Option<Cow<'_, [f64]>> {
        let all = |element: f64| Some(Cow::Owned(vec![element; ELEMENTS as usize]));
        let before = self.before.as_deref();
        let param = (10.0 * (1.0 + self.progress) / ELEMENTS as f64).sqrt();
        match slot {
            Slot::Param => all(param),
            Slot::FromStart => all(param - (10.0 / ELEMENTS as f64).sqrt()),
            Slot::FirstMoment | Slot::SecondMoment if before.is_none() => all(0.0),
            Slot::PrevGrad | Slot::PrevUpdate | Slot::FirstMoment => before.map(Cow::Borrowed),
            Slot::SecondMoment => Some(before?.iter().map(|element| element * element).collect()),
            _ => Some(Cow::Borrowed(&self.gradient)),
        }
    }
}

/// A curve in few points that keeps its corners: of each stretch of steps the least and the greatest
/// value, where they are.
struct Thinned {
    /// Steps of a stretch.
    stretch: u64,
    points: Vec<(u64, Number)>,
    now: Option<Stretch>,
}

struct Stretch {
    ends: u64,
    least: (u64, f64),
    greatest: (u64, f64),
}

impl Thinned {
    fn of(steps: u64) -> Self {
        let stretch = match steps <= POINTS as u64 {
            true => 1,
            false => steps.div_ceil(POINTS as u64 / 2),
        };
        Thinned {
            stretch,
            points: Vec::new(),
            now: None,
        }
    }

    fn push(&mut self, step: u64, value: f64) {
        if self.stretch == 1 {
            self.points.push((step, Number(value)));
            return;
        }
        if self.now.as_ref().is_some_and(|now| step >= now.ends) {
            self.close();
        }
        let now = self.now.get_or_insert(Stretch {
            ends: (step / self.stretch + 1) * self.stretch,
            least: (step, value),
            greatest: (step, value),
        });
        // So that a stretch in which nothing happens is told by its two ends.
        if value < now.least.1 {
            now.least = (step, value);
        }
        if value >= now.greatest.1 {
            now.greatest = (step, value);
        }
    }

    fn close(&mut self) {
        let Some(now) = self.now.take() else { return };
        let (first, last) = match now.least.0 <= now.greatest.0 {
            true => (now.least, now.greatest),
            false => (now.greatest, now.least),
        };
        self.points.push((first.0, Number(first.1)));
        if first.0 != last.0 {
            self.points.push((last.0, Number(last.1)));
        }
    }

    fn points(mut self) -> Vec<(u64, Number)> {
        self.close();
        self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thinned(steps: u64, value: impl Fn(u64) -> f64) -> Vec<(u64, f64)> {
        let mut curve = Thinned::of(steps);
        for step in 0..steps {
            curve.push(step, value(step));
        }
        let points = curve.points();
        assert!(points.len() <= POINTS, "{steps}: {}", points.len());
        assert!(points.is_sorted_by_key(|(step, _)| *step));
        points
            .into_iter()
            .map(|(step, rate)| (step, rate.0))
            .collect()
    }

    #[test]
    fn corners_are_kept_and_short_runs_whole() {
        for steps in [1, 2, 499, 500] {
            assert_eq!(thinned(steps, |step| step as f64).len(), steps as usize);
        }
        for steps in [501, 750, 1_000, 99_999, 1_000_000] {
            // A spike of one step, wherever it is.
            for at in [0, steps / 3, steps / 2 + 1, steps - 1] {
                let told = thinned(steps, |step| if step == at { 9.0 } else { 1.0 });
                assert!(told.contains(&(at, 9.0)), "{steps} {at}");
                let told = thinned(steps, |step| if step == at { 0.0 } else { 1.0 });
                assert!(told.contains(&(at, 0.0)), "{steps} {at}");
            }
            // Where nothing changes the ends are told.
            let flat = thinned(steps, |_| 0.1);
            assert_eq!(flat[0].0, 0);
            assert_eq!(flat[flat.len() - 1].0, steps - 1);
        }
    }

    #[test]
    fn the_made_up_loss_falls_stalls_and_falls_again_and_is_always_the_same() {
        let run = || {
            let mut made_up = MadeUp::of(1_000);
            let losses = (0..1_000).map(|step| {
                made_up.advance(step);
                made_up.loss
            });
            losses.collect::<Vec<f64>>()
        };
        let losses = run();
        let mean = |from: usize| losses[from..from + 50].iter().sum::<f64>() / 50.0;
        assert!(losses[0] > 2.2 && mean(0) > mean(50) + 0.2 && mean(350) < 0.9);
        assert!((mean(420) - mean(590)).abs() < 0.02, "it stalls");
        assert!(mean(950) < 0.32);
        assert_eq!(losses, run());
    }
}
