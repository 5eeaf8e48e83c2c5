//! Hugging Face transformers' `get_*_schedule*` factories and `GreedyLR`. Rates that a factory
//! takes as absolute are fractions of the optimizer's default rate there, which is the first
//! group's here.

use super::{Arguments, Plan, torch};
use anyhow::{Context, bail};

/// Nothing where no scheduler of ours stands for it.
pub(super) fn plan(
    name: &str,
    arguments: &mut Arguments,
    start: &[f64],
) -> anyhow::Result<Option<Plan>> {
    let of = |scheduler| Plan::of(scheduler, start);
    Ok(Some(match name {
        "constant" => of("constant"),
        "constant_with_warmup" => warm(of("constant"), arguments)?,
        "linear" => stretched(of("linear-to-zero"), arguments)?,
        "cosine" => cosine(of("cosine"), arguments)?,
        "cosine_with_restarts" => stretched(of("cosine-restarts"), arguments)?
            .int("cycles", arguments.int("num_cycles")?.unwrap_or(1)),
        "cosine_with_min_lr" => {
            let ratio = min_lr_ratio(arguments, start)?;
            cosine(of("cosine"), arguments)?.float("min_lr_ratio", ratio)
        }
        "cosine_warmup_with_min_lr" => cosine_a_step_ahead(arguments, start)?,
        "polynomial" => {
            let end = arguments.float("lr_end")?.unwrap_or(1e-7);
            stretched(of("polynomial"), arguments)?
                .float("power", arguments.float("power")?.unwrap_or(1.0))
                .float("min_lr_ratio", of_first(end, start))
        }
        "inverse_sqrt" => warm(of("inverse-sqrt"), arguments)?.same(arguments, &["timescale"])?,
        "warmup_stable_decay" => warmup_stable_decay(arguments, start)?,
        "reduce_lr_on_plateau" => torch::plateau(arguments, start)?,
        "greedy" => of("greedy").text("mode", "min").same(
            arguments,
            &[
                "mode",
                "factor",
                "patience",
                "threshold",
                "threshold_mode",
                "cooldown",
                "warmup",
                "min_lr",
                "max_lr",
                "eps",
                "smooth",
                "window_size",
                "reset_start",
            ],
        )?,
        _ => return Ok(None),
    }))
}

fn warm(plan: Plan, arguments: &mut Arguments) -> anyhow::Result<Plan> {
    let warmup = arguments.int("num_warmup_steps")?;
    Ok(plan.int(
        "warmup_steps",
        warmup.context("`num_warmup_steps` is missing")?,
    ))
}

fn stretched(plan: Plan, arguments: &mut Arguments) -> anyhow::Result<Plan> {
    let plan = warm(plan, arguments)?;
    Ok(plan.int("total_steps", arguments.positive("num_training_steps")?))
}

fn cosine(plan: Plan, arguments: &mut Arguments) -> anyhow::Result<Plan> {
    Ok(stretched(plan, arguments)?
        .float("cycles", arguments.float("num_cycles")?.unwrap_or(0.5))
        .text("past_end", "repeat"))
}

/// The one factory whose step t is our step t + 1. With a warm-up that begins above 0 it is our
/// step t of a schedule that is a step shorter.
fn cosine_a_step_ahead(arguments: &mut Arguments, start: &[f64]) -> anyhow::Result<Plan> {
    let warmup = arguments
        .int("num_warmup_steps")?
        .context("`num_warmup_steps` is missing")?;
    let total = arguments.positive("num_training_steps")?;
    let plan = Plan::of("cosine", start)
        .float("min_lr_ratio", min_lr_ratio(arguments, start)?)
        .float("cycles", arguments.float("num_cycles")?.unwrap_or(0.5))
        .text("past_end", "repeat");
    match (arguments.float("warmup_lr_rate")?, warmup) {
        (Some(_), 1) => bail!("a warm-up of 1 step with `warmup_lr_rate` has no counterpart"),
        (Some(rate), 2..) => Ok(plan
            .float("warmup_start", rate)
            .int("warmup_steps", warmup - 1)
            .int("total_steps", total - 1)),
        _ => Ok(plan
            .int("warmup_steps", warmup)
            .int("total_steps", total)
            .ahead_by(1)),
    }
}

fn warmup_stable_decay(arguments: &mut Arguments, start: &[f64]) -> anyhow::Result<Plan> {
    let warmup = arguments
        .int("num_warmup_steps")?
        .context("`num_warmup_steps` is missing")?;
    let decay = arguments.positive("num_decay_steps")?;
    // As in the reference, a given number of stable steps wins.
    let training = arguments.int("num_training_steps")?;
    let total = match (arguments.int("num_stable_steps")?, training) {
        (Some(stable), _) => warmup + stable + decay,
        (None, Some(training)) => training,
        (None, None) => bail!("neither `num_training_steps` nor `num_stable_steps` is given"),
    };
    let min_lr_ratio = arguments.float("min_lr_ratio")?.unwrap_or(0.0);
    let warmup_type = arguments.text("warmup_type")?;
    let decay_type = arguments.text("decay_type")?;
    Ok(Plan::of("wsd", start)
        .int("total_steps", total)
        .int("warmup_steps", warmup)
        .text("warmup_shape", warmup_type.as_deref().unwrap_or("linear"))
        .float("warmup_start", min_lr_ratio)
        .int("decay_steps", decay)
        .text("decay_shape", decay_type.as_deref().unwrap_or("cosine"))
        .float(
            "decay_cycles",
            arguments.float("num_cycles")?.unwrap_or(0.5),
        )
        .float("min_lr_ratio", min_lr_ratio))
}

fn min_lr_ratio(arguments: &mut Arguments, start: &[f64]) -> anyhow::Result<f64> {
    match (arguments.float("min_lr")?, arguments.float("min_lr_rate")?) {
        (Some(rate), None) => Ok(of_first(rate, start)),
        (None, Some(ratio)) => Ok(ratio),
        _ => bail!("exactly one of `min_lr` and `min_lr_rate` must be given"),
    }
}

fn of_first(rate: f64, start: &[f64]) -> f64 {
    rate / start.first().copied().unwrap_or(f64::NAN)
}
