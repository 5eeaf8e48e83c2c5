//! What a study file comes to, and all that is wrong with it, before anything runs.

use super::{Reception, absolute, parallel, refuse_parallel};

use crate::study::reader::SpecError;
use crate::study::space::StudySpace;
use crate::study::spec::StudySpec;
use attune_plugin_api::Description;
use attune_protocol::{Checked, Direction, NewStudy, Number, Problem, SpecProblem};
use std::path::PathBuf;

/// The most problems that are told of one file.
const MOST_PROBLEMS: usize = 100;

impl Reception {
    /// Says what a study would be. It is asked while a person types, so data are read only where they
    /// were not before.
    pub(in crate::daemon) async fn check(&self, new: NewStudy) -> Result<Checked, Problem> {
        refuse_parallel(new.parallel)?;
        let path = absolute(&new.file)?;
        let named: Vec<PathBuf> = new
            .plugins
            .iter()
            .map(|p| absolute(p))
            .collect::<Result<_, _>>()?;
        let (spec, mut wrong) = StudySpec::check(&path, &new.spec);
        let mut checked = Checked::default();
        let Some(spec) = spec else {
            checked.problems = wrong.into_iter().map(told).collect();
            return Ok(checked);
        };
        checked.name = spec.name.clone();
        checked.trials = Some(spec.planned_trials()).filter(|trials| *trials > 0);
        checked.budget_seconds = spec.budget.map(|budget| Number(budget.as_secs_f64()));
        checked.max_epochs = spec.fidelity.max_epochs;

        let mut catalogue = self.catalogue.lock().await;
        let found = self.look(&mut catalogue, &named).await?;
        let prober = catalogue.prober().clone();
        drop(catalogue);
        for error in &found.errors {
            // As where a study is made: what somebody names for this one has to work.
            if error.named && named.iter().any(|place| error.path.starts_with(place)) {
                checked.problems.push(SpecProblem {
                    line: None,
                    key: None,
                    message: error.told.clone(),
                });
            } else {
                checked.warnings.push(error.told.clone());
            }
        }
        let available: Vec<&Description> =
            found.schedulers.values().map(|(about, _)| about).collect();
        let (space, not_searched) = StudySpace::check(&spec, &available);
        wrong.extend(not_searched);
        let space = space.ok();
        checked.space = space.as_ref().map_or_else(Vec::new, StudySpace::in_words);

        let mut inspected = None;
        if !wrong
            .iter()
            .any(|error| error.key.starts_with(spec.task.section()))
        {
            match self.inspections.of(&prober, &spec).await {
                Ok(data) => inspected = Some(data),
                Err(complaint) => wrong.push(spec.error_about(&complaint.key, complaint.error)),
            }
        }
        if let (Some(data), Some(space)) = (inspected, space) {
            wrong.extend(space.unfit(&spec, data.inputs));
            checked.estimate = self
                .estimate(&spec, &space, &data, parallel(&new, &spec))
                .await?;
            checked.direction = Some(match data.minimize {
                true => Direction::Minimize,
                false => Direction::Maximize,
            });
            checked.metric = data.metric;
            checked.notes = data.notes;
        }
        wrong.sort_by_key(|error| error.line);
        checked.problems.extend(wrong.into_iter().map(told));
        checked.problems.truncate(MOST_PROBLEMS);
        Ok(checked)
    }
}

fn told(error: SpecError) -> SpecProblem {
    SpecProblem {
        line: u32::try_from(error.line).ok(),
        key: Some(error.key).filter(|key| !key.is_empty()),
        message: error.message,
    }
}
