//! What a trial was made of and what became of it, as lines: its settings, where it comes from, its
//! checkpoints, and what was said about it.

use super::decisions::steered;
use super::known::Known;
use super::pager::Page;
use crate::dashboard::cx::Cx;
use crate::dashboard::deed::Subject;
use crate::number;
use crate::style::{Ink, Style};
use attune_protocol::{KeptAs, TrialSummary};

/// The trial and its past, at the left.
pub(super) fn past(
    known: &Known<'_>,
    trial: &TrialSummary,
    cx: &Cx<'_>,
    room: u16,
    style: Style,
) -> Page {
    let mut page = Page::new(room, style);
    page.heading("Trial");
    let study = known.study_id().to_owned();
    let name = known.study.map_or("", |study| study.name.as_str());
    page.fact(
        "study",
        &format!("{study} {name}"),
        Ink::Plain,
        Some(Subject::Study(study)),
    );
    page.fact("plugin", &trial.plugin, Ink::Plain, None);
    page.fact("seed", &trial.seed.to_string(), Ink::Plain, None);
    if let Some(begun) = trial.started_unix_ms {
        page.fact("begun", &number::ago(begun, cx.now), Ink::Plain, None);
    }
    if let Some(ended) = trial.ended_unix_ms {
        page.fact("ended", &number::ago(ended, cx.now), Ink::Plain, None);
    }
    if !trial.note.tags.is_empty() {
        page.fact("tags", &trial.note.tags.join(" "), Ink::Accent, None);
    }
    for line in trial.note.text.lines() {
        page.fact("note", line, Ink::Plain, None);
    }
    lineage(&mut page, known, cx);
    by_hand(&mut page, trial);
    checkpoints(&mut page, trial);
    page
}

/// Where it comes from, and what came of it.
fn lineage(page: &mut Page, known: &Known<'_>, cx: &Cx<'_>) {
    let origin = known.study.and_then(|study| study.origin.as_ref());
    let studies = cx.data.studies().unwrap_or_default();
    let forks = studies.iter().filter_map(|study| {
        let origin = study.origin.as_ref()?;
        (origin.trial == known.id).then_some((study, origin.step))
    });
    let forks: Vec<_> = forks.collect();
    if origin.is_none() && forks.is_empty() {
        return;
    }
    page.heading("Lineage");
    if let Some(origin) = origin {
        let text = format!("{} at step {}", origin.trial, origin.step);
        let target = Subject::Trial(origin.trial.clone());
        page.fact("fork of", &text, Ink::Plain, Some(target));
    }
    for (study, step) in forks {
        let best = study.best_value.map_or_else(String::new, |best| {
            format!(", {} {}", study.metric, number::metric(best.0))
        });
        let text = format!("{} at step {step}: {}{best}", study.id, study.state);
        let target = Subject::Study(study.id.clone());
        page.fact("forked as", &text, Ink::Plain, Some(target));
    }
}

fn by_hand(page: &mut Page, trial: &TrialSummary) {
    if trial.interventions.is_empty() {
        return;
    }
    page.heading("By hand");
    for done in &trial.interventions {
        let step = format!("step {}", done.step);
        page.fact(&step, &steered(&done.steer), Ink::Warning, None);
    }
}

fn checkpoints(page: &mut Page, trial: &TrialSummary) {
    if trial.checkpoints.is_empty() {
        return;
    }
    page.heading("Checkpoints (f goes on from one)");
    for checkpoint in &trial.checkpoints {
        let kept = match checkpoint.kept_as {
            KeptAs::Last => "the last",
            KeptAs::Best => "of the best epoch",
            KeptAs::Rung => "of a rung",
        };
        let text = format!(
            "epoch {}, {kept}, {}",
            checkpoint.epoch,
            number::bytes(checkpoint.bytes)
        );
        let step = format!("step {}", checkpoint.step);
        page.fact(&step, &text, Ink::Plain, None);
    }
}

/// Its settings and last metrics, at the right.
pub(super) fn settings(trial: &TrialSummary, room: u16, style: Style) -> Page {
    let mut page = Page::new(room, style);
    let own = format!("{}.", trial.scheduler);
    page.heading("Settings");
    for (name, value) in &trial.config {
        if !name.starts_with(&own) && name != "scheduler" {
            page.fact(name, &value.to_string(), Ink::Plain, None);
        }
    }
    page.heading(&format!("Scheduler {}", trial.scheduler));
    let mut any = false;
    for (name, value) in &trial.config {
        if let Some(name) = name.strip_prefix(&own) {
            page.fact(name, &value.to_string(), Ink::Plain, None);
            any = true;
        }
    }
    if !any {
        page.text("nothing was set: all as it comes", Ink::Dim);
    }
    if !trial.metrics.is_empty() {
        page.heading("Metrics of its last epoch");
        for (name, value) in &trial.metrics {
            let value = number::metric(value.0);
            page.fact(&name.replace('_', " "), &value, Ink::Plain, None);
        }
    }
    page
}

/// What went wrong and what was said: the reason, deaths of workers, warnings, lines of the log.
pub(super) fn log(known: &Known<'_>, cx: &Cx<'_>, room: u16, style: Style) -> Page {
    let mut page = Page::new(room, style);
    if let Some(reason) = known.reason() {
        page.heading("Why it ended");
        page.text(reason, Ink::Bad);
    }
    if let Some(trial) = known.trial() {
        if !trial.deaths.is_empty() {
            page.heading("Workers that died in it");
            for death in &trial.deaths {
                page.text(death, Ink::Warning);
            }
        }
        if !trial.warnings.is_empty() {
            page.heading("What its scheduler warned of");
            for warning in &trial.warnings {
                page.text(warning, Ink::Warning);
            }
        }
    }
    let lines = cx.data.log(&None).ready();
    let lines = lines.into_iter().flatten();
    let own: Vec<_> = lines.filter(|line| names(&line.text, known.id)).collect();
    if !own.is_empty() {
        page.heading("In the daemon's log");
        for line in own {
            let ink = match line.level.as_str() {
                "error" => Ink::Bad,
                "warn" => Ink::Warning,
                _ => Ink::Plain,
            };
            let text = format!("{} {} {}", line.time, line.level, line.text);
            page.text(&text, ink);
        }
    }
    if page.entries.is_empty() {
        let text = match known.detail.ready() {
            Some(_) => "no warning, no death of a worker, no error",
            None => "on its way",
        };
        page.text(text, Ink::Dim);
    }
    page
}

/// Whether a text names a trial: `s1.2`, but not `s1.23` or `s11.2`.
fn names(text: &str, trial: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric();
    text.match_indices(trial).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + trial.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_found_in_a_line_by_its_whole_name() {
        assert!(names("trial s1.2 began", "s1.2"));
        assert!(names("s1.2", "s1.2"));
        assert!(names("trial=s1.2, step 4", "s1.2"));
        assert!(!names("trial s1.23 began", "s1.2"));
        assert!(!names("trial s11.2 began", "1.2"));
        assert!(!names("nothing", "s1.2"));
    }
}
