//! What the engine tells of itself: its workers, its studies, and why it does nothing if it does
//! nothing.

use super::State;
use super::quarantine::in_quarantine;
use crate::daemon::study::Study;
use crate::daemon::supervisor;
use attune_protocol::{DaemonStatus, StudyStatus, WorkerStatus};
use std::time::Instant;

impl State {
    pub(super) fn status(&self) -> DaemonStatus {
        let now = Instant::now();
        let workers = self.workers.iter().map(|(id, worker)| WorkerStatus {
            id: *id,
            pid: worker.pid,
            trials: worker
                .leases
                .iter()
                .map(|(trial, _)| trial.to_string())
                .collect(),
            doing: self.means.staff.doing(*id),
            silent_ms: now.duration_since(worker.heard).as_millis() as u64,
            memory_bytes: self.means.staff.memory(*id).unwrap_or(0),
        });
        let studies: Vec<StudyStatus> = self
            .studies
            .values()
            .map(|study| StudyStatus {
                id: study.id.to_string(),
                name: study.record.name.clone(),
                doing: match self.workers.is_empty() && study.training() == 0 {
                    true => self.why_no_workers(study),
                    false => study.doing(),
                },
                running: study.training(),
                queued: study.queued(),
            })
            .collect();
        let mut warnings = self.means.about.warnings.clone();
        warnings.extend(self.warnings.iter().cloned());
        if let Some((_, why)) = &self.stalled {
            warnings.push(format!("nothing can be stored, so everything waits: {why}"));
        }
        let (used, most) = (self.checkpoint_bytes, self.means.limits.checkpoint_budget);
        if used > most {
            warnings.push(format!(
                "checkpoints and models of studies under way take {used} bytes, more than the \
                 {most} that they may; raise `checkpoint_budget`, or remove studies"
            ));
        }
        for quarantine in self.quarantined.values() {
            warnings.push(in_quarantine(quarantine));
        }
        let training: u32 = studies.iter().map(|study| study.running).sum();
        let idle = match (&self.stalled, studies.len(), training) {
            (Some((_, why)), _, _) => Some(format!("nothing can be stored: {why}")),
            (None, 0, _) => Some("no study is under way".into()),
            (None, _, 0) => Some(
                studies
                    .iter()
                    .map(|s| format!("{}: {}", s.id, s.doing))
                    .collect::<Vec<_>>()
                    .join("; "),
            ),
            _ => None,
        };
        DaemonStatus {
            memory_bytes: supervisor::memory(std::process::id()).unwrap_or(0),
            workers: workers.collect(),
            studies,
            idle,
            checkpoint_bytes: self.checkpoint_bytes,
            warnings,
            ..self.means.about.clone()
        }
    }

    fn why_no_workers(&self, study: &Study) -> String {
        if self.hire_after > Instant::now() {
            let why = self.warnings.first().map_or("", String::as_str);
            return format!("waits for workers, which do not start: {why}");
        }
        if self.starting.is_empty() {
            study.doing()
        } else {
            "waits for its workers to start".into()
        }
    }
}
