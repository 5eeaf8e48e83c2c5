//! Gathers what a trial tells while it trains, and reports it in pieces.

use super::message::{Content, EpochReport, Piece};
use super::worker::Reporter;
use crate::convert;
use attune_store::Steps;
use attune_trainer::trial::{EpochRecord, StepRecord, Telemetry};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long reports are gathered. Each piece costs the coordinator a write that must reach the
/// disk, and a small model's epoch takes less time than that. It decides nothing: only when things
/// are known, not what.
const GATHER: Duration = Duration::from_millis(50);

/// Steps that are gathered at most.
const STEPS: usize = 8_192;

/// Epochs that are gathered at most. Each is a record of its own.
const EPOCHS: usize = 64;

/// What was gathered since the last report.
pub(crate) struct Log<'a> {
    reporter: &'a Reporter<'a>,
    reported_at: Instant,
    epochs: Vec<EpochReport>,
    steps: Vec<u64>,
    losses: Vec<f32>,
    /// One column a parameter group.
    rates: Vec<Vec<f64>>,
    rate: f64,
}

impl<'a> Log<'a> {
    pub(crate) fn new(reporter: &'a Reporter<'a>) -> Self {
        Log {
            reporter,
            reported_at: Instant::now(),
            epochs: Vec::new(),
            steps: Vec::new(),
            losses: Vec::new(),
            rates: Vec::new(),
            rate: f64::NAN,
        }
    }

    /// Reports all there is.
    pub(crate) fn flush(&mut self) {
        self.reported_at = Instant::now();
        if self.steps.is_empty() && self.epochs.is_empty() {
            return;
        }
        let piece = Piece {
            epochs: std::mem::take(&mut self.epochs),
            steps: self.take_steps(),
        };
        self.reporter.send(Content::Piece(piece));
    }

    fn take_steps(&mut self) -> Steps {
        let mut steps = Steps::new(std::mem::take(&mut self.steps))
            .with_f32("loss", std::mem::take(&mut self.losses));
        for (group, rates) in self.rates.iter_mut().enumerate() {
            let name = match group {
                0 => "lr".to_owned(),
                group => format!("lr.{group}"),
            };
            steps = steps.with_f64(&name, std::mem::take(rates));
        }
        steps
    }
}

impl Telemetry for Log<'_> {
    fn step(&mut self, record: &StepRecord<'_>) {
        self.steps.push(record.step);
        self.losses.push(record.loss);
        self.rates.resize_with(record.rates.len(), Vec::new);
        for (column, rate) in self.rates.iter_mut().zip(record.rates) {
            column.push(*rate);
        }
        self.rate = record.rates.first().copied().unwrap_or(f64::NAN);
        if self.steps.len() >= STEPS {
            self.flush();
        }
    }

    fn epoch(&mut self, record: &EpochRecord) {
        let mut metrics: BTreeMap<String, f64> = record
            .valid
            .iter()
            .map(|(metric, value)| (convert::on_valid(metric.name()), *value))
            .collect();
        metrics.insert("train_loss".into(), record.train_loss);
        self.epochs.push(EpochReport {
            epoch: record.epoch,
            step: record.step,
            metrics,
            rate: self.rate,
            best: record.best,
            seconds: record.seconds,
        });
        if self.epochs.len() >= EPOCHS || self.reported_at.elapsed() >= GATHER {
            self.flush();
        }
    }
}
