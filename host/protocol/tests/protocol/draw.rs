//! Random values of every wire type, the odd ones among them.

use attune_protocol::work::{
    Answer, Brief, Checkpoint, Do, End, EpochReport, Exchange, Hired, Intervention, Lease, LeaseId,
    LibraryFile, NewWorker, News, Order, Piece, Report, SavedModel, SignalColumn, Start,
};
use attune_protocol::*;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};
use std::collections::BTreeMap;

/// A value of any type, from a stream of random numbers.
pub(crate) trait Draw: Sized {
    fn draw(rng: &mut ChaCha8Rng) -> Self;

    /// The value of a seed.
    fn of(seed: u64) -> Self {
        Self::draw(&mut ChaCha8Rng::seed_from_u64(seed))
    }
}

impl Draw for bool {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        rng.random()
    }
}

macro_rules! integers {
    ($($type:ty)*) => { $(
        impl Draw for $type {
            fn draw(rng: &mut ChaCha8Rng) -> Self {
                match rng.random_range(0..4) {
                    0 => <$type>::MAX,
                    1 => <$type>::MIN,
                    2 => rng.random_range(0..100),
                    _ => rng.random(),
                }
            }
        }
    )* };
}

integers!(u16 u32 u64 i64);

impl Draw for Number {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        Number(match rng.random_range(0..8) {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            3 => -0.0,
            4 => rng.random_range(0..1000).into(),
            // A NaN with something in it, now and then.
            5 => f64::from_bits(0x7ff0_0000_0000_0001 | rng.next_u64()),
            _ => f64::from_bits(rng.next_u64()),
        })
    }
}

impl Draw for Single {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        Single(match rng.random_range(0..4) {
            0 => f32::NAN,
            1 => f32::NEG_INFINITY,
            2 => 0.1,
            _ => f32::from_bits(rng.next_u32()),
        })
    }
}

impl Draw for String {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        let texts = [
            "",
            "s12.3",
            "größe\n\"\\",
            "\u{0}\u{1f600}",
            "NaN",
            "valid_loss",
        ];
        texts[rng.random_range(0..texts.len())].to_owned()
    }
}

impl Draw for serde_json::Value {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        serde_json::json!({"schedulers": [{"name": String::draw(rng), "x": u64::draw(rng)}]})
    }
}

impl<T: Draw> Draw for Option<T> {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        rng.random::<bool>().then(|| T::draw(rng))
    }
}

impl<T: Draw> Draw for Vec<T> {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        (0..rng.random_range(0..3)).map(|_| T::draw(rng)).collect()
    }
}

impl<K: Draw + Ord, V: Draw> Draw for BTreeMap<K, V> {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        Vec::<(K, V)>::draw(rng).into_iter().collect()
    }
}

impl<A: Draw, B: Draw> Draw for (A, B) {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        (A::draw(rng), B::draw(rng))
    }
}

macro_rules! structs {
    ($($type:ident { $($field:ident),* $(,)? })*) => { $(
        impl Draw for $type {
            fn draw(rng: &mut ChaCha8Rng) -> Self {
                $type { $($field: Draw::draw(rng)),* }
            }
        }
    )* };
}

/// Each variant as an expression; those with something in them draw it.
macro_rules! enums {
    ($($type:ident |$rng:ident| [ $($value:expr),* $(,)? ])*) => { $(
        impl Draw for $type {
            fn draw($rng: &mut ChaCha8Rng) -> Self {
                let variants: &[fn(&mut ChaCha8Rng) -> $type] =
                    &[$(|$rng| { let _ = &$rng; $value }),*];
                variants[$rng.random_range(0..variants.len())]($rng)
            }
        }
    )* };
}

/// Shorter to write in a variant.
fn any<T: Draw>(rng: &mut ChaCha8Rng) -> T {
    T::draw(rng)
}

structs! {
    Problem { code, message }
    Progress { trial, epoch, step, metrics, rate }
    NewStudy { spec, file, plugins, parallel }
    Created { study, notes, warnings, event }
    ResumeStudy { trials, budget, spec, file, parallel }
    Resumed { study, changes, event }
    Fork { at, scheduler, set }
    Forked { study, step, event }
    Bucket { from, to, min, mean, max, last }
    Zoom { name, buckets }
    ZoomQuery { column, from, to, points }
    StepsQuery { from, limit }
    StepRows { steps, columns, next }
    ImportedTrial { trial, epochs, steps }
    ImportedStudy { study, spec, notes, changes, source, trials }
    PluginInfo { path, hash, library, fingerprint, error, quarantine }
    Quarantine { unix_ms, name, reason }
    StoreReport { lines, damage }
    Backup { path }
    LookForPlugins { places }
    TrialsQuery { from, limit }
    TrialTable { keys, metrics, rows, next }
    TrialRow {
        number, state, scheduler, config, metrics, epochs, max_epochs, steps, value, best_epoch,
        rungs, seconds, started_unix_ms, ended_unix_ms, reason, deaths, tags,
    }
    CurvesQuery { metric, trials, count, points }
    TrialCurve { trial, epochs, values, steps_per_epoch, seconds_per_epoch }
    TrialQuery { points }
    StudyQuery { brief }
    EventsQuery { pace_ms, studies_only }
    LogQuery { lines, level }
    LogLine { time, level, text }
    InsightQuery { good_percent }
    Insight { trials, good, method, importance, caveats }
    Importance { name, share, trials, good_values }
    Checked {
        problems, name, metric, direction, trials, budget_seconds, max_epochs, space, notes,
        warnings, estimate,
    }
    SpecProblem { line, key, message }
    SpacePart { name, values, searched, scheduler }
    Estimate { seconds, basis }
    LookAtData { path }
    DataLook { entries, table, problem }
    DataEntry { path, folder, bytes }
    DataTable { rows, columns, pictures }
    DataColumn { name, kind, missing, distinct, examples }
    Draft { data, target, task, protected, metric, schedulers, models, base, trials, budget, seed }
    Drafted { spec }
    Preview { scheduler, params, rate, steps, steps_per_epoch }
    Previewed { rates, losses, note }
    DaemonStatus {
        version, pid, embedded, started_unix_ms, state_dir, listens, memory_bytes, workers, studies,
        idle, store_bytes, checkpoint_bytes, checkpoint_budget_bytes, warnings, machine,
    }
    StudyStatus { id, name, doing, running, queued }
    Machine { host, cores, load, memory_bytes, memory_free_bytes, disk_free_bytes, gpus }
    Gpu { name, memory_bytes, used_bytes, busy_percent }
    Note { text, tags }
    WorkerStatus { id, pid, trials, doing, silent_ms, memory_bytes }
    StudySummary {
        id, name, state, metric, direction, seed, trials, best_trial, best_value, created_unix_ms,
        ended_unix_ms, seconds, reason, origin, note, trend,
    }
    Origin { trial, step }
    StudyDetail { study, spec, file, trials, notes, changes }
    TrialCounts { planned, running, done, stopped, diverged, failed }
    TrialSummary {
        id, state, scheduler, config, seed, epochs, max_epochs, steps, value, best_epoch, metrics,
        seconds, reason, warnings, plugin, interventions, deaths, checkpoints, rungs,
        started_unix_ms, ended_unix_ms, note,
    }
    TrialDetail { trial, epoch_curves, step_curves }
    Curve { name, points }
    NewWorker { pid, id }
    Hired { id, heartbeat_ms }
    LeaseId { trial, attempt }
    Exchange { reports, holds, want, patience_ms }
    Answer { leases, orders, void, threads }
    Lease { id, config, seed, until_epoch, from, interventions, beat }
    Start { path, step, fork }
    Intervention { step, steer }
    Order { lease, what }
    Report { lease, news }
    Piece { epochs, first_step, losses, rates, signals }
    SignalColumn { name, values }
    EpochReport { epoch, step, metrics, rate, best, seconds }
    Checkpoint { step, epoch, bytes, kept_as }
    SavedModel { bytes, test }
    Brief { spec, file, data_hash, metric, libraries, folder, checkpoint_seconds }
    LibraryFile { path, copy, hash }
}

enums! {
    ProblemCode |rng| [
        ProblemCode::Invalid,
        ProblemCode::Unauthorized,
        ProblemCode::NotFound,
        ProblemCode::MethodNotAllowed,
        ProblemCode::Timeout,
        ProblemCode::Conflict,
        ProblemCode::TooLarge,
        ProblemCode::UnsupportedMedia,
        ProblemCode::TooMany,
        ProblemCode::Internal,
        ProblemCode::Unavailable,
    ]
    Event |rng| [
        Event::StudyStarted { study: any(rng) },
        Event::TrialStarted { trial: any(rng) },
        Event::Epoch(any(rng)),
        Event::TrialChanged { trial: any(rng) },
        Event::StudyChanged { study: any(rng) },
        Event::TrialEnded { trial: any(rng), study: any(rng) },
        Event::StudyEnded { study: any(rng) },
        Event::StudyRemoved { id: any(rng) },
        Event::Warning { message: any(rng) },
    ]
    Scalar |rng| [
        Scalar::Bool(any(rng)),
        Scalar::Int(any(rng)),
        Scalar::Float(any(rng)),
        Scalar::Text(any(rng)),
        Scalar::List(any(rng)),
    ]
    Steer |rng| [
        Steer::SetRate(any(rng)),
        Steer::Swap { scheduler: any(rng), params: any(rng) },
    ]
    StudyState |rng| [
        StudyState::Queued,
        StudyState::Running,
        StudyState::Paused,
        StudyState::Stopped,
        StudyState::Done,
        StudyState::Failed,
        StudyState::Interrupted,
    ]
    TrialState |rng| [
        TrialState::Queued,
        TrialState::Running,
        TrialState::Paused,
        TrialState::Stopped,
        TrialState::Done,
        TrialState::Diverged,
        TrialState::Failed,
        TrialState::Lost,
    ]
    Direction |rng| [Direction::Minimize, Direction::Maximize]
    KeptAs |rng| [KeptAs::Last, KeptAs::Best, KeptAs::Rung]
    Do |rng| [Do::LayDown, Do::Drop, Do::Steer(any(rng))]
    News |rng| [
        News::Warnings(any(rng)),
        News::Piece(any(rng)),
        News::Checkpoint(any(rng)),
        News::Steered(any(rng)),
        News::NotSteered(any(rng)),
        News::Ended(any(rng)),
    ]
    End |rng| [
        End::Reached { model: any(rng) },
        End::LaidDown { model: None },
        End::Diverged { reason: any(rng), model: any(rng) },
        End::Failed { reason: any(rng) },
        End::Unusable { reason: any(rng) },
    ]
}
