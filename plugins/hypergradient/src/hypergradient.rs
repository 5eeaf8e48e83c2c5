//! Hypergradient descent.
//!
//! Paper: Baydin, Cornish, Martínez Rubio, Schmidt and Wood, "Online Learning Rate Adaptation with
//! Hypergradient Descent" (ICLR 2018, arXiv 1703.04782). The step before was x ← x − α·u, so the
//! derivative of this loss by that rate α is −⟨g, u⟩, with g this gradient and u the direction of
//! the step before. Gradient descent on α, made just before the step, is the **additive** rule
//! (§2 of the paper; its algorithms SGD-HD, SGDN-HD and Adam-HD):
//!
//! α ← α + β·⟨g, u⟩
//!
//! The **multiplicative** rule compares directions only, so that one β suits every scale of the
//! loss and of the rate:
//!
//! α ← α·(1 + β·⟨g, u⟩ / (‖g‖·‖u‖))
//!
//! The direction u comes from the host and is whatever the optimizer did: SGD's previous gradient
//! (with momentum, its velocity), Nesterov's previous look-ahead direction, Adam's m̂/(√v̂ + ε). So
//! one scheduler serves them all.
//!
//! # Where we differ from the authors' code
//! - The rate stays within `min_lr` and `max_lr`. Theirs can go negative, and did.
//! - Each group's ⟨g, u⟩ is summed over all of its tensors first. Their Adam changes the group's
//!   rate inside the loop over its tensors, so that the result depends on their order.
//! - With one rate for all (`scope = "global"`), groups keep the ratios ρ of their starting rates:
//!   the rate that moves is that of the group with the highest, and the chain rule gives
//!   Σ ρ·⟨g, u⟩. With equal starting rates that is the plain sum.
//! - The default rule is the multiplicative one: β of the additive rule has the units of a rate
//!   over a squared gradient, and no default of it suits two problems.
//! - Weight decay λ enters on one side only. The signals' g is the gradient of the loss alone (after
//!   clipping). Attune's SGD, Nesterov and Adam add λ·x to it within their update, so their u holds
//!   the decay, and −⟨g, u⟩ is the derivative of the loss without its penalty along the step that
//!   was truly made. The authors' code adds λ·x before it takes the product, so that there both
//!   factors hold it and the penalised loss is what descends. AdamW's u is m̂/(√v̂ + ε) alone: its
//!   decay also scales with the rate (x ← x − α·(u + λ·x)), but that part takes no part in ⟨g, u⟩.
//!   Only the groups that the host decays are concerned; without decay there is no difference.
//! - A sum that is not finite (there is none at the first step) changes nothing.

use attune_plugin_api::prelude::*;

/// Which rates move together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// One rate for all groups.
    Global,
    /// One rate for each group.
    Group,
}

/// How a rate moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// By a difference.
    Additive,
    /// By a factor.
    Multiplicative,
}

/// The parameters; their meaning stands in [`Hypergradient::describe`].
#[derive(Debug, Deserialize)]
pub struct HypergradientParams {
    scope: Scope,
    rule: Rule,
    beta: f64,
    min_lr: f64,
    max_lr: f64,
}

/// Hypergradient descent; see the [module](self). The rates themselves are the host's, so that
/// what it does to them is not undone.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hypergradient {
    scope: Scope,
    rule: Rule,
    beta: f64,
    min_lr: f64,
    max_lr: f64,
    /// The group whose rate moves where there is one for all.
    leader: usize,
    /// Each group's rate as a multiple of the leader's.
    ratios: Vec<f64>,
}

/// A group's, or all groups', sums over this step: ⟨g, u⟩, ‖g‖² and ‖u‖².
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    dot: f64,
    grad_sq: f64,
    update_sq: f64,
}

impl Scheduler for Hypergradient {
    type Params = HypergradientParams;

    fn describe() -> Description {
        Description::new(
            "hypergradient",
            "Trains the learning rate itself by gradient descent, one rate or one a group.",
        )
        .reference("Baydin et al., ICLR 2018, arXiv 1703.04782, §2")
        .signal(Signal::dot(Slot::Grad, Slot::PrevUpdate))
        .signal(Signal::norm_sq(Slot::Grad))
        .signal(Signal::norm_sq(Slot::PrevUpdate))
        .param(
            Param::choice("scope", &["global", "group"], "global")
                .search_all()
                .doc("One rate for all parameter groups, or one for each."),
        )
        .param(
            Param::choice("rule", &["additive", "multiplicative"], "multiplicative").doc(
                "Whether the rate moves by beta·⟨g, u⟩, as in the paper, or by the factor \
                 1 + beta·cos(g, u).",
            ),
        )
        .param(
            Param::float("beta", 0.0)
                .at_least(0.0)
                .below(1.0)
                .search_log(1e-3, 0.1)
                .doc(
                    "The rate of the rate. 0 chooses: 0.02 for the multiplicative rule; for the \
                     additive one 1e-8 with Adam and 1e-6 otherwise, as the authors' code does \
                     (their published runs used 1e-3 and 1e-7). The search range is meant for \
                     the multiplicative rule.",
                ),
        )
        .param(
            Param::float("min_lr", 1e-8)
                .at_least(0.0)
                .doc("The lowest rate. At 0 the multiplicative rule cannot leave it again."),
        )
        .param(
            Param::float("max_lr", 1.0)
                .above(0.0)
                .doc("The highest rate."),
        )
    }

    fn configure(params: HypergradientParams, setup: &Setup) -> Result<Self, Error> {
        if params.min_lr > params.max_lr {
            return Err(Error::new(format!(
                "`min_lr` is {}, above `max_lr`, which is {}; lower `min_lr` or raise `max_lr`",
                params.min_lr, params.max_lr
            )));
        }
        let rates = setup.rates();
        let leader = (0..rates.len())
            .reduce(|best, group| {
                if rates[group] > rates[best] {
                    group
                } else {
                    best
                }
            })
            .unwrap_or_default();
        let highest = rates.get(leader).copied().unwrap_or_default();
        Ok(Hypergradient {
            scope: params.scope,
            rule: params.rule,
            beta: match params.beta {
                0.0 => default_beta(params.rule, setup.optimizer),
                set => set,
            },
            min_lr: params.min_lr,
            max_lr: params.max_lr,
            leader,
            ratios: rates
                .iter()
                .map(|rate| if highest > 0.0 { rate / highest } else { 1.0 })
                .collect(),
        })
    }

    fn warnings(&self, setup: &Setup) -> Vec<String> {
        let mut warnings = Vec::new();
        for group in &setup.groups {
            if !(self.min_lr..=self.max_lr).contains(&group.lr) {
                warnings.push(format!(
                    "the starting rate {} of the group `{}` lies outside `min_lr` = {} and \
                     `max_lr` = {}: its first change will move it there",
                    group.lr, group.name, self.min_lr, self.max_lr
                ));
            }
            if group.lr == 0.0 && self.rule == Rule::Multiplicative && self.min_lr == 0.0 {
                warnings.push(format!(
                    "the group `{}` starts at a rate of 0 and a factor cannot change that; give \
                     it a rate above 0, or set `rule` to `additive`",
                    group.name
                ));
            }
        }
        warnings
    }

    fn step(&mut self, now: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        match self.scope {
            Scope::Group => rates.set_each(|group, rate| {
                let sums = Sums::of_group(now, group);
                self.moved(rate, sums).unwrap_or(rate)
            }),
            Scope::Global => {
                let mut all = Sums::default();
                for (group, ratio) in self.ratios.iter().enumerate() {
                    all.add(Sums::of_group(now, group), *ratio);
                }
                if let Some(lead) = self.moved(rates.get(self.leader), all) {
                    rates.set_each(|group, _| {
                        (lead * self.ratios[group]).clamp(self.min_lr, self.max_lr)
                    });
                }
            }
        }
        Ok(())
    }
}

impl Hypergradient {
    /// Where a rate moves to, or nothing where the sums say nothing.
    fn moved(&self, rate: f64, sums: Sums) -> Option<f64> {
        let moved = match self.rule {
            Rule::Additive => rate + self.beta * sums.dot,
            Rule::Multiplicative => rate * (1.0 + self.beta * sums.cosine()),
        };
        moved
            .is_finite()
            .then(|| moved.clamp(self.min_lr, self.max_lr))
    }
}

impl Sums {
    fn of_group(now: &Now<'_>, group: usize) -> Self {
        Sums {
            dot: now.of_group(Signal::dot(Slot::Grad, Slot::PrevUpdate), group),
            grad_sq: now.of_group(Signal::norm_sq(Slot::Grad), group),
            update_sq: now.of_group(Signal::norm_sq(Slot::PrevUpdate), group),
        }
    }

    /// Adds a group whose rate is this multiple of the one that moves.
    fn add(&mut self, group: Sums, ratio: f64) {
        self.dot += ratio * group.dot;
        self.grad_sq += group.grad_sq;
        self.update_sq += ratio * ratio * group.update_sq;
    }

    /// The cosine of the angle between g and u; NaN where one of them is 0.
    fn cosine(self) -> f64 {
        // Rounding can carry it a little past 1. A NaN stays one.
        (self.dot / (self.grad_sq.sqrt() * self.update_sq.sqrt())).clamp(-1.0, 1.0)
    }
}

fn default_beta(rule: Rule, optimizer: OptimizerKind) -> f64 {
    match (rule, optimizer) {
        (Rule::Multiplicative, _) => 0.02,
        (Rule::Additive, OptimizerKind::Sgd | OptimizerKind::Nesterov) => 1e-6,
        // All others scale the gradient, as Adam does.
        (Rule::Additive, _) => 1e-8,
    }
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod reference_tests;

#[cfg(test)]
#[path = "hypergradient_tests.rs"]
mod tests;
