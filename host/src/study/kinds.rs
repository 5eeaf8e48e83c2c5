//! Kinds of models as study files name them, with the settings that each has.

use super::reader::nearest;
use super::settings::{self, name};
use super::space::FullConfig;
use attune_plugin_api::Param;
use attune_plugin_api::param::{Kind, Search, Value};
use std::fmt;

/// A kind of model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ModelKind {
    Linear,
    #[default]
    Mlp,
    TabularResnet,
    Cnn,
    Transformer,
    /// Factors beside the base of `[data]`.
    Adapter,
    /// The point of a `[function]`.
    Function,
    /// The factors of a `[factorisation]`.
    Factorisation,
}

impl ModelKind {
    pub(crate) const ALL: [ModelKind; 8] = [
        ModelKind::Linear,
        ModelKind::Mlp,
        ModelKind::TabularResnet,
        ModelKind::Cnn,
        ModelKind::Transformer,
        ModelKind::Adapter,
        ModelKind::Function,
        ModelKind::Factorisation,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            ModelKind::Linear => "linear",
            ModelKind::Mlp => "mlp",
            ModelKind::TabularResnet => "tabular-resnet",
            ModelKind::Cnn => "cnn",
            ModelKind::Transformer => "transformer",
            ModelKind::Adapter => "adapter",
            ModelKind::Function => "function",
            ModelKind::Factorisation => "factorisation",
        }
    }

    /// What it is and what it is trained on, in a few words.
    pub(crate) const fn summary(self) -> &'static str {
        match self {
            ModelKind::Linear => "a linear model of rows or pictures",
            ModelKind::Mlp => "a multi-layer perceptron over rows or pictures",
            ModelKind::TabularResnet => "residual blocks over rows or pictures",
            ModelKind::Cnn => "convolutions over pictures",
            ModelKind::Transformer => "attention over text",
            ModelKind::Adapter => "factors beside the `base` of [data], over what that base takes",
            ModelKind::Function => "the point of a [function], without data",
            ModelKind::Factorisation => "two factors of the matrix of a [factorisation]",
        }
    }

    /// Whether it is trained on `[data]`.
    pub(crate) fn is_network(self) -> bool {
        !matches!(self, ModelKind::Function | ModelKind::Factorisation)
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What to tell of a name that none of these kinds has: the nearest one, or all of them.
    pub(crate) fn unknown(name: &str, kinds: &[ModelKind]) -> String {
        let known = || kinds.iter().map(|kind| kind.name());
        let remedy = match nearest(name, known()) {
            Some(right) => format!("did you mean `{right}`?"),
            None => format!("there are {}", known().collect::<Vec<_>>().join(", ")),
        };
        format!("there is no kind of model `{name}`; {remedy}")
    }

    /// That of a configuration; those from before there were several say nothing of it.
    pub(crate) fn of_config(config: &FullConfig) -> Self {
        let named = match config.get(name::MODEL) {
            Some(Value::Text(kind)) => Self::of(kind),
            _ => None,
        };
        named.unwrap_or_default()
    }

    /// A setting as this kind means it; none where it has no such setting.
    pub(crate) fn setting(self, named: &str) -> Option<Param> {
        settings::all()
            .into_iter()
            .find(|param| param.name == named)
            .and_then(|param| self.meaning(param))
    }

    /// Every setting that this kind has, as it means it.
    pub(crate) fn settings(self) -> Vec<Param> {
        let all = settings::all().into_iter();
        all.filter_map(|param| self.meaning(param)).collect()
    }

    /// The table of settings describes those of a multi-layer perceptron; here is what is otherwise.
    fn meaning(self, param: Param) -> Option<Param> {
        use ModelKind::{
            Adapter, Cnn, Factorisation, Function, Linear, Mlp, TabularResnet, Transformer,
        };
        let is_network = self.is_network();
        let has = match param.name.as_str() {
            name::BIAS_DECAY
            | name::DEVICE
            | name::LABEL_SMOOTHING
            | name::CLASS_WEIGHTS
            | name::LOSS => is_network,
            name::DROPOUT => is_network && self != Linear,
            name::LAYERS | name::WIDTH | name::ACTIVATION => {
                is_network && !matches!(self, Linear | Adapter)
            }
            name::RANK => matches!(self, Factorisation | Adapter),
            name::ALPHA => self == Adapter,
            name::NORM => matches!(self, Mlp | Cnn),
            name::NORM_DECAY => matches!(self, Mlp | TabularResnet | Cnn | Transformer),
            name::DECAY_EMBEDDINGS => self == Transformer,
            name::TAPER => self == Mlp,
            name::RESIDUAL => matches!(self, Mlp | Cnn),
            name::EXPANSION => matches!(self, TabularResnet | Transformer),
            name::KERNEL | name::POOLING | name::GLOBAL_AVERAGE => self == Cnn,
            name::HEADS => self == Transformer,
            _ => true,
        };
        let default = |param: Param, default: Value| Param { default, ..param };
        has.then(|| match (param.name.as_str(), self) {
            // What schedules are studied on is steered by nothing else, unless it is wanted.
            (name::LR, Function | Factorisation) => param.search_log(1e-4, 1.0),
            (name::OPTIMIZER, Function | Factorisation) => {
                default(param, Value::Text("sgd".into()))
            }
            (name::MOMENTUM | name::WEIGHT_DECAY, Function | Factorisation) => {
                default(param, Value::Float(0.0))
            }
            (name::RANK, Adapter) => default(param.at_most(1024).search_log(1, 16), Value::Int(4)),
            (name::LAYERS, TabularResnet | Cnn | Transformer) => param.at_least(1),
            (name::WIDTH, Cnn) => default(param.search_log(8, 64), Value::Int(16)),
            (name::WIDTH, Transformer) => default(param.search_log(32, 256), Value::Int(64)),
            (name::ACTIVATION, Transformer) => default(param, Value::Text("gelu".into())),
            (name::NORM, Cnn) => {
                let choices = ["none", "batch"].map(str::to_owned).to_vec();
                Param {
                    kind: Kind::Choice { choices },
                    ..default(param, Value::Text("batch".into()))
                }
            }
            _ => param,
        })
    }
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A setting of a study in which these kinds of models are tried.
#[derive(Debug)]
pub(crate) struct Shared {
    /// As the first kind that has it means it; proposed and left at its default only where all mean
    /// the same.
    pub(crate) param: Param,
    /// As each kind means it that has it.
    pub(crate) meanings: Vec<(ModelKind, Param)>,
}

impl Shared {
    /// The settings that any of these kinds has, in the order of their table.
    pub(crate) fn all(kinds: &[ModelKind]) -> Vec<Shared> {
        let all = settings::all().into_iter();
        all.filter_map(|param| {
            let meanings = kinds.iter().filter_map(|kind| {
                let meaning = kind.meaning(param.clone())?;
                Some((*kind, meaning))
            });
            let meanings: Vec<(ModelKind, Param)> = meanings.collect();
            let (_, first) = meanings.first()?;
            let mut param = first.clone();
            let is_same = |other: &Param| {
                other.search == first.search
                    && (other.search != Some(Search::All) || other.kind == first.kind)
            };
            if !meanings.iter().all(|(_, other)| is_same(other)) {
                param.search = None;
            }
            Some(Shared { param, meanings })
        })
        .collect()
    }

    /// Its value in every trial where nothing is said of it, if that is one.
    pub(crate) fn default(&self) -> Option<&Value> {
        let is_common = |(_, param): &(ModelKind, Param)| param.default == self.param.default;
        let all = self.meanings.iter().all(is_common);
        all.then_some(&self.param.default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use attune_plugin_api::Description;

    #[test]
    fn every_kind_has_a_sound_table_and_is_found_by_its_name() {
        for kind in ModelKind::ALL {
            let described = Description::new(kind.name(), "").params(kind.settings());
            assert_eq!(described.check(), Ok(()), "{kind}");
            assert_eq!(ModelKind::of(kind.name()), Some(kind));
        }
        assert_eq!(ModelKind::of("mpl"), None);
        for (name, end) in [
            ("mpl", "`mpl`; did you mean `mlp`?"),
            ("forest", "`forest`; there are linear, mlp"),
        ] {
            let told = ModelKind::unknown(name, &[ModelKind::Linear, ModelKind::Mlp]);
            assert!(told.ends_with(end), "{told}");
        }
    }

    #[test]
    fn where_kinds_differ_nothing_is_said_for_all_of_them() {
        let all = Shared::all(&[ModelKind::Mlp, ModelKind::Cnn]);
        let find = |name| all.iter().find(|shared| shared.param.name == name).unwrap();
        assert_eq!(find(name::WIDTH).param.search, None);
        assert_eq!(find(name::WIDTH).default(), None);
        assert_eq!(find(name::LAYERS).default(), Some(&Value::Int(2)));
        assert_eq!(find(name::KERNEL).meanings.len(), 1);
        assert!(all.iter().all(|shared| shared.param.name != name::HEADS));
        let linear = Shared::all(&[ModelKind::Linear]);
        assert!(linear.iter().all(|shared| shared.param.name != name::WIDTH));
    }
}
