//! Gathers what a trial tells while it trains, and reports it in pieces.

use super::flight::Recorder;
use super::report::Reporter;
use super::signals;
use crate::convert;
use attune_protocol::work::{EpochReport, News, Piece};
use attune_protocol::{Metrics, Number, Single};
use attune_trainer::trial::{EpochRecord, StepRecord, Telemetry};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long reports are gathered. Each piece costs the daemon a write that must reach the disk, and
/// a small model's epoch takes less time than that. It decides nothing: only when things are known,
/// not what.
const GATHER: Duration = Duration::from_millis(50);

/// How long the steps of an epoch that takes long are gathered.
const GATHER_STEPS: Duration = Duration::from_millis(250);

/// Steps that are gathered at most.
const STEPS: usize = 8_192;

/// Epochs that are gathered at most. Each is a record of its own.
const EPOCHS: usize = 64;

/// What was gathered since the last report.
pub(crate) struct Log<'a> {
    reporter: &'a Reporter,
    recorder: &'a Recorder,
    /// Raised when training is to be interrupted for a checkpoint.
    interrupt: &'a AtomicBool,
    checkpoint_at: Option<Instant>,
    reported_at: Instant,
    piece: Piece,
    rate: f64,
    /// Whether what was gathered is to be reported as soon as all of the last step is known.
    due: bool,
    /// The scheduler whose signals the piece has.
    scheduler: String,
}

impl<'a> Log<'a> {
    pub(crate) fn new(
        reporter: &'a Reporter,
        recorder: &'a Recorder,
        interrupt: &'a AtomicBool,
    ) -> Self {
        Log {
            reporter,
            recorder,
            interrupt,
            checkpoint_at: None,
            reported_at: Instant::now(),
            piece: Piece::default(),
            rate: f64::NAN,
            due: false,
            scheduler: String::new(),
        }
    }

    /// Interrupts training at this moment.
    pub(crate) fn interrupt_at(&mut self, at: Option<Instant>) {
        self.checkpoint_at = at;
    }

    /// Reports all there is.
    pub(crate) fn flush(&mut self) {
        self.reported_at = Instant::now();
        self.due = false;
        if self.piece.losses.is_empty() && self.piece.epochs.is_empty() {
            return;
        }
        self.reporter
            .tell(News::Piece(std::mem::take(&mut self.piece)));
    }
}

impl Telemetry for Log<'_> {
    fn step(&mut self, record: &StepRecord<'_>) {
        if self.scheduler != record.scheduler.name {
            // Its signals are others.
            self.flush();
            self.scheduler.clone_from(&record.scheduler.name);
        }
        let piece = &mut self.piece;
        if piece.losses.is_empty() {
            piece.first_step = record.step;
            piece.signals = signals::columns(record.scheduler, record.rates.len());
        }
        signals::push(&mut piece.signals, record);
        piece.losses.push(Single(record.loss));
        piece.rates.resize_with(record.rates.len(), Vec::new);
        for (column, rate) in piece.rates.iter_mut().zip(record.rates) {
            column.push(Number(*rate));
        }
        self.rate = record.rates.first().copied().unwrap_or(f64::NAN);
        self.recorder.at(record.step + 1);
        let now = Instant::now();
        if self.checkpoint_at.is_some_and(|at| now >= at) {
            self.checkpoint_at = None;
            self.interrupt.store(true, Ordering::Relaxed);
        }
        self.due |= self.piece.losses.len() >= STEPS || now - self.reported_at >= GATHER_STEPS;
    }

    fn metric(&mut self, value: f64) {
        signals::note_metric(&mut self.piece.signals, value);
    }

    fn settled(&mut self) {
        if self.due {
            self.flush();
        }
    }

    fn epoch(&mut self, record: &EpochRecord) {
        let mut metrics: Metrics = record
            .valid
            .iter()
            .map(|(metric, value)| (convert::on_valid(metric.name()), Number(*value)))
            .collect();
        metrics.insert("train_loss".into(), Number(record.train_loss));
        self.piece.epochs.push(EpochReport {
            epoch: record.epoch,
            step: record.step,
            metrics,
            rate: Number(self.rate),
            best: record.best,
            seconds: Number(record.seconds),
        });
        self.due |= self.piece.epochs.len() >= EPOCHS || self.reported_at.elapsed() >= GATHER;
    }
}
