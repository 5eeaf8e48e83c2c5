//! The conductor's promise: in virtual order a study comes to the same, whoever runs it and however
//! fast; nothing is lost, decided twice, or stuck.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod study;

use std::collections::{BTreeMap, BTreeSet};

use attune_search::conductor::ReportError;
use attune_search::simulator::{Run, Simulator};
use attune_search::{
    Config, Next, Order, Outcome, Ruling, Searcher, Segment, Settings, TrialNumber, Verdict,
};
use proptest::prelude::*;
use study::{Learner, Study, outcome, studies};

fn simulate(study: Study, workers: usize, timing: u64, stop_suggesting_at: Option<u64>) -> Run {
    let simulator = Simulator {
        workers,
        stop_suggesting_at,
    };
    let mut conductor = study.conductor();
    simulator
        .run(&mut conductor, |segment| study.job(segment, timing))
        .unwrap()
}

/// What a study comes to, NaN being equal to itself.
fn decided(verdicts: &[Verdict]) -> Vec<String> {
    verdicts
        .iter()
        .map(|verdict| format!("{verdict:?}"))
        .collect()
}

/// One event after the other, every outcome known at once: the definition of virtual order, written
/// without segments that are out, reports that are kept, or real workers.
fn model(study: Study) -> (Vec<Verdict>, BTreeMap<TrialNumber, Config>) {
    let mut searcher = Learner::default();
    let mut policy = study.policy();
    let mut configs = BTreeMap::new();
    let mut verdicts = Vec::new();
    // (virtual end of the segment, trial) → (virtual beginning of the trial, epochs from and until)
    let mut agenda: BTreeMap<(u64, TrialNumber), (u64, u64, u64)> = BTreeMap::new();
    let mut free_at = vec![0; usize::from(study.width)];
    let next_end = |policy: &dyn attune_search::FidelityPolicy, epoch| {
        policy.next_rung(epoch).unwrap_or(study.max_epochs)
    };
    loop {
        for now in free_at.drain(..) {
            let trial = TrialNumber(configs.len() as u64);
            if trial.0 < study.trials {
                configs.insert(trial, searcher.suggest(trial).unwrap());
                let until = next_end(&*policy, 0);
                agenda.insert((now + until, trial), (now, 0, until));
            }
        }
        let Some(((now, trial), (began, from, until))) = agenda.pop_first() else {
            return (verdicts, configs);
        };
        let config = &configs[&trial];
        let segment = Segment {
            trial,
            config: config.clone(),
            from_epoch: from,
            until_epoch: until,
        };
        let outcome = outcome(study.seed, &segment);
        let last = until == study.max_epochs;
        let continues = |policy: &mut dyn attune_search::FidelityPolicy, value| {
            policy.decide(trial, until, value) == attune_search::Decision::Continue
        };
        let ruling = match outcome {
            Outcome::Reached { epoch, value } => {
                searcher.observe(trial, config, epoch, value);
                match last {
                    true => Ruling::Completed,
                    false if continues(&mut *policy, value) => Ruling::Continue,
                    false => Ruling::Stop,
                }
            }
            Outcome::Ended { epoch, value } => {
                searcher.observe(trial, config, epoch, value);
                if epoch == until && !last {
                    continues(&mut *policy, value);
                }
                Ruling::Completed
            }
            Outcome::Diverged { epoch } => {
                searcher.observe(trial, config, epoch, f64::NAN);
                if !last {
                    continues(&mut *policy, f64::NAN);
                }
                Ruling::Diverged
            }
            Outcome::Failed => Ruling::Failed,
        };
        verdicts.push(Verdict {
            trial,
            outcome,
            ruling,
        });
        if ruling == Ruling::Continue {
            let further = next_end(&*policy, until);
            agenda.insert((began + further, trial), (began, until, further));
        } else {
            free_at.push(now);
        }
    }
}

proptest! {
    #[test]
    fn the_outcome_is_that_of_the_model_for_any_number_of_workers_and_any_timing(
        study in studies(),
        workers in 1_usize..=6,
        timing: u64,
    ) {
        let run = simulate(study, workers, timing, None);
        let (verdicts, configs) = model(study);
        prop_assert_eq!(decided(&run.verdicts), decided(&verdicts));
        prop_assert_eq!(run.trials, configs);
    }

    #[test]
    fn no_trial_is_lost_or_ends_twice_in_either_order(
        study in studies(),
        arrival: bool,
        workers in 1_usize..=6,
        timing: u64,
    ) {
        let order = if arrival { Order::Arrival } else { Order::Virtual };
        let run = simulate(Study { order, ..study }, workers, timing, None);
        prop_assert_eq!(run.reports.len(), run.verdicts.len());
        let numbers: Vec<u64> = run.trials.keys().map(|trial| trial.0).collect();
        prop_assert_eq!(numbers, (0..study.trials).collect::<Vec<_>>());
        let configs: BTreeSet<&Config> = run.trials.values().collect();
        prop_assert_eq!(configs.len(), run.trials.len());
        let ended: Vec<TrialNumber> = run
            .verdicts
            .iter()
            .filter(|verdict| verdict.ruling != Ruling::Continue)
            .map(|verdict| verdict.trial)
            .collect();
        let distinct: BTreeSet<TrialNumber> = ended.iter().copied().collect();
        prop_assert_eq!(ended.len(), distinct.len());
        prop_assert_eq!(ended.len() as u64, study.trials);
    }

    #[test]
    fn no_more_trials_are_under_way_than_the_width_and_no_more_segments_than_trials(
        study in studies(),
        arrival: bool,
        choices in prop::collection::vec(any::<prop::sample::Index>(), 1..400),
    ) {
        let order = if arrival { Order::Arrival } else { Order::Virtual };
        let mut conductor = Study { order, ..study }.conductor();
        let mut out: Vec<Segment> = Vec::new();
        let mut under_way = BTreeSet::new();
        let mut choices = choices.into_iter().cycle();
        loop {
            match conductor.next_segment() {
                Next::Run(segment) => {
                    under_way.insert(segment.trial);
                    prop_assert!(under_way.len() <= usize::from(study.width));
                    prop_assert!(out.iter().all(|other| other.trial != segment.trial));
                    out.push(segment);
                }
                Next::Wait => {
                    prop_assert!(!out.is_empty(), "nothing to wait for");
                    let segment = out.swap_remove(choices.next().unwrap().index(out.len()));
                    let outcome = outcome(study.seed, &segment);
                    for verdict in conductor.report(segment.trial, outcome).unwrap() {
                        if verdict.ruling != Ruling::Continue {
                            prop_assert!(under_way.remove(&verdict.trial));
                        }
                    }
                }
                Next::Finished => break,
            }
        }
        prop_assert!(out.is_empty() && under_way.is_empty());
    }

    #[test]
    fn a_study_stopped_by_the_clock_is_the_study_with_that_many_trials(
        study in studies(),
        workers in 1_usize..=6,
        timing: u64,
        stop_at in 0_u64..2000,
    ) {
        let stopped = simulate(study, workers, timing, Some(stop_at));
        let trials = stopped.trials.len() as u64;
        if trials > 0 {
            let (verdicts, configs) = model(Study { trials, ..study });
            prop_assert_eq!(decided(&stopped.verdicts), decided(&verdicts));
            prop_assert_eq!(stopped.trials, configs);
        }
    }

    #[test]
    fn a_conductor_that_reads_its_reports_again_goes_on_as_the_first_one_would(
        study in studies(),
        arrival: bool,
        workers in 1_usize..=6,
        timing: u64,
        cut: prop::sample::Index,
    ) {
        let order = if arrival { Order::Arrival } else { Order::Virtual };
        let study = Study { order, ..study };
        let whole = simulate(study, workers, timing, None);
        let kept = cut.index(whole.reports.len() + 1);

        let mut resumed = study.conductor();
        let mut verdicts = Vec::new();
        for &(trial, outcome) in &whole.reports[..kept] {
            verdicts.extend(resumed.replay(trial, outcome).unwrap());
        }
        prop_assert_eq!(decided(&verdicts), decided(&whole.verdicts[..verdicts.len()]));

        let mut live = study.conductor();
        let mut next = BTreeMap::new();
        for &(trial, outcome) in &whole.reports[..kept] {
            while !next.contains_key(&trial) {
                match live.next_segment() {
                    Next::Run(segment) => next.insert(segment.trial, segment),
                    other => panic!("{other:?} while trial {trial} is to be run"),
                };
            }
            next.remove(&trial);
            live.report(trial, outcome).unwrap();
        }
        // With everything that may run given out on both sides, the states themselves are equal.
        while let Next::Run(_) = live.next_segment() {}
        let mut lost = Vec::new();
        while let Next::Run(segment) = resumed.next_segment() {
            lost.push(segment);
        }
        prop_assert_eq!(format!("{live:?}"), format!("{resumed:?}"));

        if order == Order::Virtual {
            for segment in lost {
                let outcome = outcome(study.seed, &segment);
                verdicts.extend(resumed.report(segment.trial, outcome).unwrap());
            }
            let simulator = Simulator { workers: 1, stop_suggesting_at: None };
            let rest = simulator.run(&mut resumed, |segment| study.job(segment, 0)).unwrap();
            verdicts.extend(rest.verdicts);
            prop_assert_eq!(decided(&verdicts), decided(&whole.verdicts));
        }
    }
}

#[test]
fn in_order_of_arrival_timing_does_matter() {
    let study = Study {
        order: Order::Arrival,
        ..Study::EXAMPLE
    };
    let outcomes: BTreeSet<_> = (0..10)
        .map(|timing| decided(&simulate(study, 4, timing, None).verdicts))
        .collect();
    assert!(outcomes.len() > 1);
}

#[test]
fn the_width_is_part_of_the_outcome() {
    let wide = Study {
        width: 5,
        ..Study::EXAMPLE
    };
    assert_ne!(
        decided(&simulate(Study::EXAMPLE, 2, 0, None).verdicts),
        decided(&simulate(wide, 2, 0, None).verdicts)
    );
}

#[test]
fn a_slow_trial_holds_back_decisions_and_not_the_segments_before_them() {
    // Width 3, rungs at 1 and 3 of 9 epochs.
    let mut conductor = Study::EXAMPLE.conductor();
    let run = |next: Next| match next {
        Next::Run(segment) => (segment.trial.0, segment.from_epoch, segment.until_epoch),
        other => panic!("{other:?}"),
    };
    for trial in 0..3 {
        assert_eq!(run(conductor.next_segment()), (trial, 0, 1));
    }
    assert_eq!(conductor.next_segment(), Next::Wait);
    let mut report = |trial, value| {
        let outcome = Outcome::Reached { epoch: 1, value };
        let verdicts = conductor.report(TrialNumber(trial), outcome).unwrap();
        let rulings: Vec<_> = verdicts.iter().map(|v| (v.trial.0, v.ruling)).collect();
        (rulings, conductor.next_segment())
    };
    // Trial 0 is slow, and comes before the others in virtual order.
    assert_eq!(report(2, 0.1), (vec![], Next::Wait));
    assert_eq!(report(1, 0.5), (vec![], Next::Wait));
    let (rulings, next) = report(0, 0.3);
    assert_eq!(
        rulings,
        [
            (0, Ruling::Continue),
            (1, Ruling::Stop),
            (2, Ruling::Continue)
        ]
    );
    // The new trial 3 ends its first segment at virtual time 2, before the others reach 3.
    assert_eq!(run(next), (3, 0, 1));
    assert_eq!(run(conductor.next_segment()), (0, 1, 3));
    assert_eq!(run(conductor.next_segment()), (2, 1, 3));
}

#[test]
fn what_was_not_begun_when_the_clock_stopped_the_study_never_begins_and_holds_nothing_back() {
    let mut conductor = Study::EXAMPLE.conductor();
    for _ in 0..3 {
        conductor.next_segment();
    }
    let reached = |epoch, value| Outcome::Reached { epoch, value };
    let rulings = |verdicts: Vec<Verdict>| -> Vec<_> {
        let ruling = |verdict: Verdict| (verdict.trial.0, verdict.ruling);
        verdicts.into_iter().map(ruling).collect()
    };
    let [zero, one, two] = [0, 1, 2].map(TrialNumber);
    conductor.report(zero, reached(1, 0.3)).unwrap();
    conductor.next_segment();
    // Trial 0 is at its second rung, virtual time 3, before the others have reported time 1.
    assert_eq!(conductor.report(zero, reached(3, 0.2)), Ok(vec![]));
    for (trial, value) in [(one, 0.5), (two, 0.9)] {
        let verdicts = conductor.report(trial, reached(1, value)).unwrap();
        assert_eq!(rulings(verdicts), [(trial.0, Ruling::Stop)]);
    }
    // Now trials 3 and 4 are suggested, and their turns at time 2 are before that of trial 0.
    assert_eq!(conductor.trials(), 5);
    assert_eq!(
        rulings(conductor.stop_suggesting()),
        [(0, Ruling::Continue)]
    );
    assert_eq!(conductor.trials(), 3);
    assert!(matches!(
        conductor.next_segment(),
        Next::Run(Segment {
            trial: TrialNumber(0),
            from_epoch: 3,
            until_epoch: 9,
            ..
        })
    ));
    assert_eq!(conductor.next_segment(), Next::Wait);
    let verdicts = conductor.report(zero, reached(9, 0.1)).unwrap();
    assert_eq!(rulings(verdicts), [(0, Ruling::Completed)]);
    assert_eq!(conductor.next_segment(), Next::Finished);
}

#[test]
fn misuse_is_an_error_and_changes_nothing() {
    let mut conductor = Study::EXAMPLE.conductor();
    let reached = |epoch| Outcome::Reached { epoch, value: 0.5 };
    let trial = TrialNumber;
    assert_eq!(
        conductor.report(trial(0), reached(1)),
        Err(ReportError::NotRunning { trial: trial(0) })
    );
    while conductor.next_segment() != Next::Wait {}
    let before = format!("{conductor:?}");
    let refused = [
        (
            3,
            reached(1),
            "trial 3 does not exist in this study; report trials that were started",
        ),
        (
            0,
            reached(2),
            "trial 0 was to run from epoch 0 to 1 but reports epoch 2; report the segment it was given",
        ),
        (
            0,
            Outcome::Diverged { epoch: 2 },
            "trial 0 was to run from epoch 0 to 1 but reports epoch 2; report the segment it was given",
        ),
    ];
    for (number, outcome, message) in refused {
        let error = conductor.report(trial(number), outcome).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    assert_eq!(format!("{conductor:?}"), before);

    conductor.report(trial(1), Outcome::Failed).unwrap();
    for again in [
        conductor.report(trial(1), reached(1)),
        conductor.replay(trial(1), reached(1)),
    ] {
        assert_eq!(again, Err(ReportError::NotRunning { trial: trial(1) }));
    }
    conductor.report(trial(0), Outcome::Failed).unwrap();
    assert_eq!(
        conductor.report(trial(1), reached(1)),
        Err(ReportError::Over { trial: trial(1) })
    );
}

#[test]
fn a_study_of_a_small_space_ends_when_the_space_does() {
    let study = Study {
        trials: 1000,
        learns: false,
        ..Study::EXAMPLE
    };
    let mut conductor = study.conductor_over(study::small_space());
    let simulator = Simulator {
        workers: 2,
        stop_suggesting_at: None,
    };
    let run = simulator
        .run(&mut conductor, |segment| study.job(segment, 0))
        .unwrap();
    assert_eq!(run.trials.len(), 6);
    assert_eq!(conductor.trials(), 6);
    assert_eq!(conductor.exhausted().unwrap().tried, 6);
}

#[test]
fn what_resuming_needs_keeps_its_bits_in_storage() {
    let study = Study {
        trials: 200,
        ..Study::EXAMPLE
    };
    let verdicts = simulate(study, 2, 0, None).verdicts;
    let values = |verdicts: &[Verdict]| decided(verdicts).join("\n");
    assert!(
        values(&verdicts).contains("NaN"),
        "two hundred trials have one"
    );
    let bytes = postcard::to_stdvec(&verdicts).unwrap();
    let back: Vec<Verdict> = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(values(&back), values(&verdicts));

    let settings = study.settings();
    let json = serde_json::to_string(&settings).unwrap();
    assert_eq!(
        json,
        r#"{"trials":200,"max_epochs":9,"width":3,"order":"virtual"}"#
    );
    assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), settings);
}
