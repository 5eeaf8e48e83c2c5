//! PyTorch's `torch.optim.lr_scheduler`. Its step t is ours.

use super::{Arguments, Plan};
use anyhow::{Context, bail};
use attune_plugin_api::param::Value;

/// Nothing where no scheduler of ours stands for it.
pub(super) fn plan(
    name: &str,
    arguments: &mut Arguments,
    start: &[f64],
) -> anyhow::Result<Option<Plan>> {
    let of = |scheduler| Plan::of(scheduler, start);
    Ok(Some(match name {
        "ConstantLR" => of("constant")
            .int("warmup_steps", arguments.int("total_iters")?.unwrap_or(5))
            .float(
                "warmup_start",
                arguments.float("factor")?.unwrap_or(1.0 / 3.0),
            )
            .text("warmup_shape", "flat"),
        "LinearLR" => of("linear")
            .int("total_steps", or(arguments, "total_iters", 5)?)
            .float(
                "start_factor",
                arguments.float("start_factor")?.unwrap_or(1.0 / 3.0),
            )
            .float("end_factor", arguments.float("end_factor")?.unwrap_or(1.0)),
        "StepLR" => of("step")
            .int("step_size", arguments.positive("step_size")?)
            .float("gamma", arguments.float("gamma")?.unwrap_or(0.1)),
        "MultiStepLR" => of("multistep")
            .with("milestones", milestones(arguments)?)
            .float("gamma", arguments.float("gamma")?.unwrap_or(0.1)),
        "ExponentialLR" => of("exponential").float(
            "gamma",
            arguments.float("gamma")?.context("`gamma` is missing")?,
        ),
        "PolynomialLR" => of("polynomial")
            .int("total_steps", or(arguments, "total_iters", 5)?)
            .float("power", arguments.float("power")?.unwrap_or(1.0)),
        "CosineAnnealingLR" => of("cosine")
            .int("total_steps", arguments.positive("T_max")?)
            .float("min_lr", arguments.float("eta_min")?.unwrap_or(0.0))
            .text("past_end", "repeat"),
        "CosineAnnealingWarmRestarts" => of("cosine-restarts")
            .int("first_cycle", arguments.positive("T_0")?)
            .int("growth", arguments.int("T_mult")?.unwrap_or(1))
            .float("min_lr", arguments.float("eta_min")?.unwrap_or(0.0)),
        "OneCycleLR" => one_cycle(arguments, start)?,
        "CyclicLR" => cyclic(arguments, start)?,
        "ReduceLROnPlateau" => plateau(arguments, start)?,
        _ => return Ok(None),
    }))
}

/// Reduce on plateau, which Hugging Face hands out too.
pub(super) fn plateau(arguments: &mut Arguments, start: &[f64]) -> anyhow::Result<Plan> {
    Plan::of("plateau", start).text("mode", "min").same(
        arguments,
        &[
            "mode",
            "factor",
            "patience",
            "threshold",
            "threshold_mode",
            "cooldown",
            "min_lr",
            "eps",
        ],
    )
}

fn one_cycle(arguments: &mut Arguments, start: &[f64]) -> anyhow::Result<Plan> {
    let peak = arguments.per_group("max_lr", start.len())?;
    let (epochs, steps_per_epoch) = (arguments.int("epochs")?, arguments.int("steps_per_epoch")?);
    let total_steps = match (arguments.int("total_steps")?, epochs, steps_per_epoch) {
        (Some(total), ..) => total,
        (None, Some(epochs), Some(steps)) => epochs * steps,
        _ => bail!("neither `total_steps` nor `epochs` and `steps_per_epoch` are given"),
    };
    let anneal = arguments.text("anneal_strategy")?;
    Plan::of("one-cycle", start)
        .starting_at(peak)
        .int("total_steps", total_steps)
        .text("anneal", anneal.as_deref().unwrap_or("cos"))
        .same(
            arguments,
            &[
                "pct_start",
                "div_factor",
                "final_div_factor",
                "three_phase",
                "cycle_momentum",
                "base_momentum",
                "max_momentum",
            ],
        )
}

fn cyclic(arguments: &mut Arguments, start: &[f64]) -> anyhow::Result<Plan> {
    let peak = arguments.per_group("max_lr", start.len())?;
    let floor = arguments.per_group("base_lr", start.len())?;
    Plan::of("cyclic", start)
        .starting_at(peak)
        .with("min_lr", Value::List(floor))
        .float("min_lr_ratio", 0.0)
        .int("step_size_up", or(arguments, "step_size_up", 2000)?)
        .same(
            arguments,
            &[
                "step_size_down",
                "mode",
                "gamma",
                "cycle_momentum",
                "base_momentum",
                "max_momentum",
            ],
        )
}

fn milestones(arguments: &mut Arguments) -> anyhow::Result<Value> {
    match arguments.value("milestones")? {
        Some(Value::List(mut steps)) if !steps.is_empty() => {
            steps.sort_by(f64::total_cmp);
            Ok(Value::List(steps))
        }
        _ => bail!("`milestones` is not a list of steps"),
    }
}

fn or(arguments: &mut Arguments, name: &str, default: u64) -> anyhow::Result<u64> {
    match arguments.int(name)? {
        Some(0) => bail!("`{name}` is 0, which has no counterpart in our scheduler"),
        given => Ok(given.unwrap_or(default)),
    }
}
