//! Every signal against its definition in 64 bits, over vectors that are made up here.

use super::{Declared, Moment, PIECE, Signals};
use crate::model::{Group, Kind};
use crate::optimizer::Optimizer;
use attune_plugin_api::{OptimizerKind, Signal, Slot};
use proptest::prelude::*;

/// Different for each salt and place, and of either sign.
fn numbers(count: usize, salt: usize) -> Vec<f32> {
    let number = |at: usize| ((at * 37 + salt * 101) as f32 * 0.61).sin();
    (0..count).map(number).collect()
}

fn group(values: Vec<f32>) -> Group {
    Group {
        kind: Kind::Weight,
        decays: true,
        values,
        tensors: Vec::new(),
    }
}

fn double(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().copied().map(f64::from).collect()
}

/// A run of three steps whose gradients are made up and clipped by half, and beside it all that is
/// measured at its last step: the run's vectors in every slot.
struct Run {
    groups: Vec<Group>,
    optimizer: Optimizer,
    signals: Signals,
    /// By slot, of each group.
    slots: Vec<(Slot, Vec<Option<Vec<f64>>>)>,
}

const MOMENTA: [f64; 2] = [0.8, 0.6];
const RATES: [f64; 2] = [0.05, 0.02];

impl Run {
    fn of(kind: OptimizerKind, sizes: [usize; 2]) -> Self {
        let all: Vec<Signal> = Signal::all().collect();
        let groups = || {
            [1, 2]
                .map(|salt| group(numbers(sizes[salt - 1], salt)))
                .to_vec()
        };
        let mut groups = groups();
        let start = groups.clone();
        let mut optimizer = Optimizer::new(kind, sizes.map(|size| (size, 0.01)), true);
        let mut signals = Signals::new(&all, &groups);
        let mut raw = Vec::new();
        let mut before = Vec::new();
        for step in 0..3 {
            raw = [0, 1]
                .map(|at| numbers(sizes[at], 10 * step + at + 3))
                .to_vec();
            let mut gradients = raw.clone();
            signals.before_clipping(&gradients);
            gradients.iter_mut().flatten().for_each(|x| *x *= 0.5);
            signals.measure(&moment(&groups, &gradients, &optimizer));
            if step < 2 {
                before = gradients.clone();
                optimizer.update(&mut groups, &gradients, &RATES, &MOMENTA);
                signals.after_update(&mut gradients);
            }
        }
        let of_groups = |of: &dyn Fn(usize) -> Option<Vec<f64>>| vec![of(0), of(1)];
        let clipped = |at: usize| double(&raw[at]).iter().map(|x| 0.5 * x).collect();
        let held = |held: Option<&Vec<f32>>| held.map(|held| double(held));
        let mut slots = vec![
            (Slot::Grad, of_groups(&|at| Some(clipped(at)))),
            (Slot::RawGrad, of_groups(&|at| Some(double(&raw[at])))),
            (Slot::PrevGrad, of_groups(&|at| Some(double(&before[at])))),
            (
                Slot::Param,
                of_groups(&|at| Some(double(&groups[at].values))),
            ),
            (
                Slot::FromStart,
                of_groups(&|at| {
                    let (x, x0) = (double(&groups[at].values), double(&start[at].values));
                    Some(x.iter().zip(x0).map(|(x, x0)| x - x0).collect())
                }),
            ),
            (
                Slot::PrevUpdate,
                of_groups(&|at| held(optimizer.direction(at))),
            ),
            (
                Slot::FirstMoment,
                of_groups(&|at| held(optimizer.first(at))),
            ),
            (
                Slot::SecondMoment,
                of_groups(&|at| held(optimizer.second(at))),
            ),
        ];
        // The update that is proposed is the one that is made next.
        let gradients: Vec<Vec<f32>> = raw
            .iter()
            .map(|raw| raw.iter().map(|x| 0.5 * x).collect())
            .collect();
        let mut moved = groups.clone();
        optimizer.update(&mut moved, &gradients, &RATES, &MOMENTA);
        slots.push((Slot::Update, of_groups(&|at| held(optimizer.direction(at)))));
        Run {
            groups,
            optimizer,
            signals,
            slots,
        }
    }

    fn slot(&self, slot: Slot, group: usize) -> Option<Vec<f64>> {
        let (_, of_groups) = self.slots.iter().find(|(other, _)| *other == slot)?;
        of_groups[group].clone()
    }
}

fn moment<'a>(
    groups: &'a [Group],
    gradients: &'a [Vec<f32>],
    optimizer: &'a Optimizer,
) -> Moment<'a> {
    Moment {
        loss: 0.5,
        rows: 1,
        groups,
        gradients,
        optimizer,
        momenta: &MOMENTA,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_signal_is_its_definition(
        kind in prop::sample::select(OptimizerKind::ALL.to_vec()),
        sizes in prop::sample::select(vec![[1, 40], [300, PIECE], [PIECE + 1, 3 * PIECE - 5]]),
    ) {
        let run = Run::of(kind, sizes);
        prop_assert_eq!(run.groups.len(), 2);
        for Declared { signal, places, .. } in &run.signals.declared {
            let found = &run.signals.values()[places.clone()];
            let Signal::Reduced(reduction) = signal else { continue };
            for (group, &found) in found.iter().enumerate() {
                let expected = reduction.of(|slot| run.slot(slot, group));
                // What cancels is measured by what there is to cancel.
                let size = reduction.of(|slot| {
                    let vector = run.slot(slot, group)?;
                    Some(vector.iter().map(|x| x.abs()).collect::<Vec<f64>>())
                });
                let close = (found - expected).abs() <= 1e-5 * size || found == expected;
                prop_assert!(
                    close || (found.is_nan() && expected.is_nan()),
                    "{}.{}: {} is not {}", signal, group, found, expected
                );
            }
        }
        prop_assert_eq!(run.optimizer.steps(), 3);
    }
}

fn measured(signals: &[Signal], gradients: &[Vec<f32>]) -> Vec<f64> {
    let groups: Vec<Group> = gradients.iter().map(|all| group(all.clone())).collect();
    let sizes = gradients.iter().map(|all| (all.len(), 0.0));
    let optimizer = Optimizer::new(OptimizerKind::Adam, sizes, false);
    let mut measured = Signals::new(signals, &groups);
    measured.measure(&moment(&groups, gradients, &optimizer));
    measured.values().to_vec()
}

#[test]
fn at_the_first_step_nothing_lies_behind() {
    let signals: Vec<Signal> = Signal::all().collect();
    let found = measured(&signals, &[numbers(50, 1)]);
    for (signal, found) in signals.iter().zip(found) {
        let looks_back = signal.reads(Slot::PrevGrad) || signal.reads(Slot::PrevUpdate);
        if looks_back || *signal == Signal::GradVariance {
            assert!(found.is_nan(), "{signal} {found}");
        }
    }
}

#[test]
fn numbers_that_are_none_are_counted_in_their_group() {
    let mut gradients = [numbers(3 * PIECE, 1), numbers(5, 2)];
    gradients[0][PIECE] = f32::NAN;
    gradients[0][PIECE + 70] = f32::INFINITY;
    let largest = Signal::abs_max(Slot::Grad);
    let found = measured(&[Signal::GradNotFinite, largest], &gradients);
    assert_eq!(found[..2], [2.0, 0.0]);
    assert!(found[2].is_nan() && found[3].is_finite());
}

/// The mean over many draws of a step's rows is the variance that they were drawn with.
#[test]
fn the_variance_of_gradients_is_estimated_without_bias() {
    const ROWS: [usize; 3] = [4, 4, 2];
    const DRAWS: u64 = 4000;
    let deviations = [0.5, 2.0, 1.0];
    let wanted: f64 = deviations
        .iter()
        .map(|deviation| deviation * deviation)
        .sum();
    let mut random = crate::random::Random::of(1, crate::random::Purpose::Noise, 0);
    let groups = [group(vec![0.0; 3])];
    let optimizer = Optimizer::new(OptimizerKind::Sgd, [(3, 0.0)], false);
    let mut signals = Signals::new(&[Signal::GradVariance], &groups);
    let mut mean = 0.0;
    for _ in 0..DRAWS {
        let rows: usize = ROWS.iter().sum();
        let mut gradients = vec![vec![0.0_f32; 3]];
        for (batch, count) in ROWS.into_iter().enumerate() {
            if batch > 0 {
                signals.before_batch(&gradients);
            }
            for _ in 0..count {
                for (sum, deviation) in gradients[0].iter_mut().zip(deviations) {
                    *sum += ((3.0 + deviation * random.normal()) / rows as f64) as f32;
                }
            }
            signals.after_batch(&gradients, count as f64 / rows as f64);
        }
        signals.measure(&Moment {
            rows,
            ..moment(&groups, &gradients, &optimizer)
        });
        mean += signals.values()[0] / DRAWS as f64;
    }
    // An estimate from three batches has a deviation of about its mean; here a sixtieth of it.
    assert!((mean / wanted - 1.0).abs() < 0.06, "{mean} {wanted}");
}
