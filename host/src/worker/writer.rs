//! Writes checkpoints and models on a thread of its own, so that training goes on meanwhile.

use super::desk::Desk;
use super::process;
use super::report::{self, Reporter};
use crate::breakpoint;
use anyhow::Context;
use attune_protocol::work::{self, End, News, SavedModel};
use attune_protocol::{KeptAs, Number};
use attune_trainer::artifact::Artifact;
use attune_trainer::trial::Checkpoint;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// What waits to be written while something else is: with more, memory would be full of it.
const WAITING: usize = 1;

/// Something to write for a lease, and what is to be reported once it is on the disk.
#[derive(Debug)]
pub(crate) struct Paper {
    pub(crate) reporter: Reporter,
    /// The trial's folder.
    pub(crate) folder: PathBuf,
    pub(crate) checkpoint: Option<Snapshot>,
    /// Saved with it, where the end has a place for a model.
    pub(crate) model: Option<Artifact>,
    /// Reported last. Where something cannot be written, another end takes its place.
    pub(crate) end: Option<End>,
}

/// A checkpoint that is not written yet.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) bytes: Vec<u8>,
    pub(crate) step: u64,
    pub(crate) epoch: u32,
    pub(crate) kept_as: KeptAs,
}

/// The training side's end.
#[derive(Debug)]
pub(crate) struct Writer {
    papers: SyncSender<Paper>,
    /// Papers that are not done with.
    open: Arc<AtomicUsize>,
}

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(desk: Arc<Desk>) -> anyhow::Result<Self> {
        let (papers, incoming) = sync_channel(WAITING);
        let open = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&open);
        process::vital_thread("attune-writer", move || {
            work_off(&incoming, &desk, &counted);
        })?;
        Ok(Writer { papers, open })
    }

    /// Writes and reports, after whatever was handed in before. Waits while too much waits.
    pub(crate) fn hand_in(&self, paper: Paper) {
        let nothing_to_write = paper.checkpoint.is_none() && paper.model.is_none();
        if nothing_to_write && self.open.load(Ordering::Acquire) == 0 {
            if let Some(end) = paper.end {
                paper.reporter.tell(News::Ended(end));
            }
            return;
        }
        self.open.fetch_add(1, Ordering::AcqRel);
        // The thread only ends with the process.
        let _ = self.papers.send(paper);
    }
}

fn work_off(papers: &Receiver<Paper>, desk: &Desk, open: &AtomicUsize) {
    while let Ok(paper) = papers.recv() {
        let reporter = paper.reporter.clone();
        let segment_is_over = paper.end.is_some();
        match write(paper) {
            Ok(Some(end)) => reporter.tell(News::Ended(end)),
            Ok(None) => {}
            Err(error) => {
                let reason = report::sentence(format!("{error:#}"));
                reporter.tell(News::Ended(End::Unusable { reason }));
                if !segment_is_over {
                    desk.drop_lease(&reporter.lease);
                }
            }
        }
        open.fetch_sub(1, Ordering::AcqRel);
    }
}

fn write(mut paper: Paper) -> anyhow::Result<Option<End>> {
    if paper.checkpoint.is_some() || paper.model.is_some() {
        fs::create_dir_all(&paper.folder).with_context(|| {
            format!(
                "cannot make the folder {}; free space on the disk or check its permissions, and \
                 resume the study",
                paper.folder.display()
            )
        })?;
    }
    if let Some(snapshot) = paper.checkpoint.take() {
        let path = checkpoint_path(&paper.folder, snapshot.step);
        breakpoint::pass("worker-before-checkpoint");
        Checkpoint::write(&path, &snapshot.bytes)?;
        breakpoint::pass("worker-checkpoint-written");
        paper.reporter.tell(News::Checkpoint(work::Checkpoint {
            step: snapshot.step,
            epoch: snapshot.epoch,
            bytes: snapshot.bytes.len() as u64,
            kept_as: snapshot.kept_as,
        }));
    }
    if let Some(model) = paper.model.take() {
        let path = paper.folder.join("model.safetensors");
        breakpoint::pass("worker-before-model");
        model.save(&path)?;
        breakpoint::pass("worker-model-written");
        let bytes = fs::metadata(&path)
            .with_context(|| format!("cannot look at {}, which was just written", path.display()))?
            .len();
        let test = model.test().into_iter().flatten();
        let saved = SavedModel {
            bytes,
            test: test
                .map(|(metric, value)| (metric.name().to_owned(), Number(*value)))
                .collect(),
        };
        if let Some(
            End::Reached { model } | End::LaidDown { model } | End::Diverged { model, .. },
        ) = &mut paper.end
        {
            *model = Some(saved);
        }
    }
    Ok(paper.end)
}

/// Where the checkpoint of a step lies in a trial's folder.
pub(crate) fn checkpoint_path(folder: &Path, step: u64) -> PathBuf {
    folder.join(format!("step-{step}.ckpt"))
}
