//! The way from the training side to the side that speaks with the daemon.

use crate::breakpoint;
use attune_protocol::work::{LeaseId, News, Report};
use tokio::sync::mpsc;

/// Reports that wait to be sent; a training thread that finds the queue full waits with training.
pub(crate) const REPORTS: usize = 64;

/// The most bytes of a sentence that is reported: a plugin may say anything.
const MAX_TEXT: usize = 4 << 10;

/// The most warnings of a trial.
const MAX_WARNINGS: usize = 64;

/// Where one lease's reports go.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    pub(crate) lease: LeaseId,
    pub(crate) reports: mpsc::Sender<Report>,
}

impl Reporter {
    /// Waits for a place in the queue.
    pub(crate) fn tell(&self, news: News) {
        let report = Report {
            lease: self.lease.clone(),
            news,
        };
        breakpoint::pass("worker-before-report");
        // The other side only goes away with the process.
        let _ = self.reports.blocking_send(report);
    }
}

/// A sentence of a length that can be reported.
pub(crate) fn sentence(text: impl Into<String>) -> String {
    let mut text: String = text.into();
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        text.push('…');
    }
    text
}

/// So many warnings as can be reported.
pub(crate) fn warnings(all: impl Iterator<Item = String>) -> Vec<String> {
    all.take(MAX_WARNINGS).map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_cannot_say_too_much() {
        assert_eq!(sentence("short"), "short");
        let long = sentence("\u{1F980}".repeat(10_000));
        assert!(long.len() < MAX_TEXT + 8 && long.ends_with("\u{1F980}…"));
        assert_eq!(warnings((0..1_000).map(|n| n.to_string())).len(), 64);
    }
}
