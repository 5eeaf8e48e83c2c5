//! What a study's trials teach about its settings.
//!
//! How it is found out is `attune_search::importance`; here is what it is found out from, and how it
//! is told. The trials are read twice, first for what their settings range over, and of the second
//! look a number a setting and trial is kept.

use super::App;
use super::answer::{Answered, read};
use super::extract::{Asked, In, within};
use crate::convert;
use crate::daemon::reception::last_spec;
use crate::daemon::study::searched_direction;
use crate::study::domains::{Domains, searchable};
use crate::study::space::StudySpace;
use attune_protocol::{Importance, Insight, InsightQuery, Number, Scalar};
use attune_search::Domain;
use attune_search::importance::{Evidence, Weight};
use attune_store::{Error, Store, StudyId, StudyRecord, TrialRecord, TrialState};
use axum::Json;
use axum::extract::State;

/// What part of the trials counts as good where nobody says, in percent.
const USUAL_PERCENT: u32 = 10;

/// With fewer good trials what they have in common may well be chance.
const ENOUGH_GOOD: u32 = 5;

/// A setting that fewer trials have, as a scheduler's own where few trials had that scheduler, is not
/// ranked: two trials that differ would weigh more than all others together.
const ENOUGH_TRIALS: usize = 8;

/// The most choices that are named as those of the good trials, and how many of these they cover.
const MOST_NAMED: usize = 3;
const COVERED: f64 = 0.8;

pub(super) async fn insight(
    State(house): App,
    In(id): In<StudyId>,
    Asked(InsightQuery { good_percent }): Asked<InsightQuery>,
) -> Answered<Insight> {
    let percent = within(
        "good_percent",
        good_percent.unwrap_or(USUAL_PERCENT),
        1..=99,
    )?;
    let study = read(&house, move |store| store.study(id)).await?;
    let space = house.reception.space(&study).await;
    let insight = read(&house, move |store| look(store, id, &study, space, percent));
    Ok(Json(insight.await?))
}

/// What is counted on the way.
#[derive(Default)]
struct Tally {
    trials: u32,
    cut_short: u32,
    without_value: u32,
    steered: u32,
    open: u32,
}

fn look(
    store: &Store,
    id: StudyId,
    study: &StudyRecord,
    space: anyhow::Result<StudySpace>,
    percent: u32,
) -> Result<Insight, Error> {
    let objective = convert::on_valid(&study.metric);
    let mut caveats = Vec::new();
    let mut domains = match (&space, last_spec(study)) {
        (Ok(space), _) => Domains::of_space(&space.searched),
        (Err(why), spec) => {
            caveats.push(format!(
                "not all of what the study searches can be told ({why:#}); where it cannot, the \
                 range is that of its trials"
            ));
            spec.map_or_else(|_| Domains::default(), |spec| Domains::of_spec(&spec))
        }
    };
    let mut tally = Tally::default();
    store.each_trial(id, |_, trial| match value(&trial, &objective) {
        Some(value) => {
            tally.count(&trial, value);
            trial
                .config
                .iter()
                .for_each(|(name, value)| domains.see(name, value));
        }
        None => tally.open += u32::from(trial.ended_unix_ms.is_none()),
    })?;
    let mut evidence = Evidence::new(domains.found());
    store.each_trial(id, |_, trial| {
        if let Some(value) = value(&trial, &objective) {
            evidence.add(value, |name| searchable(trial.config.get(name)?));
        }
    })?;
    let direction = searched_direction(study.direction);
    let judged = evidence.judge(direction, f64::from(percent) / 100.0);
    let good = u32::try_from(judged.good.len()).unwrap_or(u32::MAX);
    tally.caveats(good, percent, &mut caveats);
    let explained: f64 = judged.parameters.iter().map(|weight| weight.share).sum();
    if tally.trials > 1 && explained == 0.0 {
        caveats.push("the good trials have nothing in common that the others do not have".into());
    }
    let is_ranked = |weight: &&Weight| weight.trials >= ENOUGH_TRIALS;
    let (ranked, others): (Vec<&Weight>, Vec<&Weight>) = judged
        .parameters
        .iter()
        .partition(|weight| is_ranked(weight));
    if !others.is_empty() {
        caveats.push(format!(
            "not ranked, as fewer than {ENOUGH_TRIALS} trials have them: {}",
            names(&others)
        ));
    }
    let whole: f64 = ranked.iter().map(|weight| weight.share).sum();
    let share = |weight: &Weight| match is_ranked(&weight) {
        true if whole > 0.0 => weight.share / whole,
        true => 0.0,
        false => f64::NAN,
    };
    let importance = ranked.iter().chain(&others).map(|weight| Importance {
        good_values: good_values(&evidence, &weight.name, &judged.good),
        share: Number(share(weight)),
        trials: u32::try_from(weight.trials).unwrap_or(u32::MAX),
        name: weight.name.clone(),
    });
    Ok(Insight {
        trials: tally.trials,
        good,
        method: "PED-ANOVA".into(),
        importance: importance.collect(),
        caveats,
    })
}

/// What a trial that has ended came to, if that says anything of its settings. One that diverged at
/// once came to nothing, which does.
fn value(trial: &TrialRecord, objective: &str) -> Option<f64> {
    let value = trial.best_metrics.get(objective).map(|best| best.value);
    match trial.state {
        TrialState::Done | TrialState::Stopped => value,
        TrialState::Diverged => Some(value.unwrap_or(f64::NAN)),
        TrialState::Queued
        | TrialState::Running
        | TrialState::Paused
        | TrialState::Failed
        | TrialState::Lost => None,
    }
}

impl Tally {
    fn count(&mut self, trial: &TrialRecord, value: f64) {
        self.trials += 1;
        self.cut_short += u32::from(trial.epochs < trial.max_epochs && value.is_finite());
        self.without_value += u32::from(!value.is_finite());
        self.steered += u32::from(!trial.interventions.is_empty());
    }

    fn caveats(&self, good: u32, percent: u32, caveats: &mut Vec<String>) {
        let trials = self.trials;
        let of_all = |some: u32| format!("{some} of {}", counted(trials));
        let needed = (ENOUGH_GOOD * 100).div_ceil(percent);
        if trials == 0 {
            caveats.push("no trial has ended with a value yet".into());
        } else if trials < needed {
            caveats.push(format!(
                "{} came to a value: with fewer than {needed} the figures may be chance",
                counted(trials)
            ));
        }
        let wanted = (f64::from(percent) / 100.0 * f64::from(trials)).ceil() as u32;
        if trials > 1 && good == trials {
            caveats.push("all trials came to the same, so nothing sets any of them apart".into());
        } else if good > wanted {
            caveats.push(format!(
                "{} are good, more than {percent}%, as several came to the same",
                of_all(good)
            ));
        }
        if self.cut_short > 0 {
            caveats.push(format!(
                "{} ended before the last epoch: what they had come to by then counts",
                of_all(self.cut_short)
            ));
        }
        if self.without_value > 0 {
            caveats.push(format!(
                "{} came to no value: that counts as worse than all others",
                of_all(self.without_value)
            ));
        }
        if self.steered > 0 {
            caveats.push(format!(
                "a person steered {}: the settings that they began with count",
                of_all(self.steered)
            ));
        }
        if self.open > 0 {
            caveats.push(format!("not counted: {} under way", counted(self.open)));
        }
    }
}

/// Three names and how many more there are.
fn names(weights: &[&Weight]) -> String {
    let mut names: Vec<&str> = weights.iter().map(|weight| weight.name.as_str()).collect();
    let left = names.len().saturating_sub(MOST_NAMED);
    names.truncate(MOST_NAMED);
    let names = names.join(", ");
    match left {
        0 => names,
        left => format!("{names} and {left} more"),
    }
}

fn counted(trials: u32) -> String {
    match trials {
        1 => "1 trial".into(),
        trials => format!("{trials} trials"),
    }
}

/// What the good trials have: where most of their numbers lie, or their most frequent choices.
fn good_values(evidence: &Evidence, name: &str, good: &[usize]) -> String {
    let domain = evidence
        .parameters()
        .find(|(known, _)| *known == name)
        .map(|(_, domain)| domain);
    let numbers = good
        .iter()
        .filter_map(|trial| evidence.number(name, *trial));
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    let text = |number: f64| match domain {
        Some(Domain::Int { .. }) => Scalar::Int(number as i64).to_string(),
        _ => Scalar::Float(Number(number)).to_string(),
    };
    match (domain, &numbers[..]) {
        (None, _) | (_, []) => "none of the good ones has it".into(),
        (Some(Domain::Choice(choices)), numbers) => {
            let mut counts: Vec<(usize, String)> = choices.iter().map(|c| (0, shown(c))).collect();
            for number in numbers {
                if let Some((count, _)) = counts.get_mut(*number as usize) {
                    *count += 1;
                }
            }
            counts.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
            let mut covered = 0;
            let most = counts
                .into_iter()
                .take(MOST_NAMED)
                .take_while(|(count, _)| {
                    let is_wanted = *count > 0 && (covered as f64) < COVERED * numbers.len() as f64;
                    covered += count;
                    is_wanted
                });
            most.map(|(_, choice)| choice)
                .collect::<Vec<_>>()
                .join(", ")
        }
        (Some(_), numbers) => {
            // The tenth and the ninetieth percentile, as values that there are.
            let at = |part: f64| numbers[(part * (numbers.len() - 1) as f64).round() as usize];
            let (low, high) = (text(at(0.1)), text(at(0.9)));
            match low == high {
                true => low,
                false => format!("{low} to {high}"),
            }
        }
    }
}

fn shown(value: &attune_search::Value) -> String {
    match value {
        attune_search::Value::Float(number) => Scalar::Float(Number(*number)).to_string(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(domain: Domain, values: Vec<attune_search::Value>) -> String {
        let mut evidence = Evidence::new([("x".to_owned(), domain)]);
        let count = values.len();
        for value in values {
            evidence.add(1.0, |_| Some(value.clone()));
        }
        good_values(&evidence, "x", &(0..count).collect::<Vec<_>>())
    }

    #[test]
    fn good_values_are_told_in_a_few_words() {
        let float = Domain::Float {
            low: 0.0,
            high: 1.0,
            log: false,
            step: None,
        };
        let int = Domain::Int {
            low: 0,
            high: 100_000_000,
            log: false,
        };
        let words = Domain::Choice(["a", "b", "c", "d"].map(Into::into).to_vec());
        let floats = |count: u32| (0..count).map(|n| (f64::from(n) / 100.0).into()).collect();
        let choices = |text: &str| text.chars().map(|c| c.to_string().into()).collect();
        let table = [
            (float.clone(), floats(101), "0.1 to 0.9"),
            (float.clone(), floats(1), "0"),
            (float.clone(), floats(0), "none of the good ones has it"),
            (float, vec!["word".into()], "none of the good ones has it"),
            (
                int.clone(),
                vec![12_345_678.into(), 1.into()],
                "1 to 12345678",
            ),
            (int, vec![7.into(), 7.into()], "7"),
            (words.clone(), choices("bbbba"), "b"),
            (words.clone(), choices("bbbaaa"), "a, b"),
            (words.clone(), choices("bca"), "a, b, c"),
            (words.clone(), choices("abcd"), "a, b, c"),
            (words, choices("cccd"), "c, d"),
            (
                Domain::Choice(vec![8.into(), 0.5.into()]),
                vec![0.5.into()],
                "0.5",
            ),
        ];
        for (domain, values, expected) in table {
            let told = format!("{values:?}");
            assert_eq!(evidence(domain, values), expected, "{told}");
        }
    }

    #[test]
    fn what_must_be_kept_in_mind_is_told() {
        let told = |tally: Tally, good| {
            let mut caveats = Vec::new();
            tally.caveats(good, 10, &mut caveats);
            caveats
        };
        let tally = |trials| Tally {
            trials,
            ..Tally::default()
        };
        assert_eq!(told(tally(60), 6), [""; 0]);
        assert_eq!(told(tally(0), 0), ["no trial has ended with a value yet"]);
        let few = "49 trials came to a value: with fewer than 50 the figures may be chance";
        assert_eq!(told(tally(49), 5), [few]);
        assert!(told(tally(60), 60)[0].contains("came to the same"));
        assert!(told(tally(60), 9)[0].starts_with("9 of 60 trials are good, more than 10%"));
        let all = Tally {
            trials: 60,
            cut_short: 40,
            without_value: 1,
            steered: 2,
            open: 3,
        };
        let all = told(all, 6);
        assert_eq!(all.len(), 4, "{all:?}");
        assert!(
            all[0].starts_with("40 of 60 trials ended before"),
            "{all:?}"
        );
        assert!(
            all[1].starts_with("1 of 60 trials came to no value"),
            "{all:?}"
        );
    }
}
