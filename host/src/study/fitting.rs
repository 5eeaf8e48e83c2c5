//! Whether the models of a study can see its data, and be trained where they are to be: told before
//! any of its trials fails of it.

use super::kinds::ModelKind;
use super::matter::Inputs;
use super::reader::SpecError;
use super::settings::{CUDA, name};
use super::space::{FullConfig, StudySpace, param_value};
use super::spec::StudySpec;
use super::trial::{model, size};
use attune_plugin_api::param::Value;
use attune_search::{self as search, Domain};
use attune_trainer::HAS_CUDA;
use attune_trainer::data::Shape;

impl StudySpace {
    /// What is wrong with the kinds of models for such inputs, at their largest.
    pub(crate) fn unfit(&self, spec: &StudySpec, inputs: Inputs) -> Vec<SpecError> {
        match inputs {
            Inputs::Rows(shape) => {
                let mut wrong = self.unfit_for_rows(spec, shape);
                wrong.extend(self.unfit_for_device(spec, HAS_CUDA));
                wrong
            }
            Inputs::Matrix { rows, columns } => {
                let most = rows.min(columns);
                let config = self.largest(ModelKind::Factorisation);
                match size(&config, name::RANK) {
                    Ok(rank) if rank > most => vec![spec.error_about(
                        "space.rank",
                        format!(
                            "`rank` goes up to {rank}, but the smaller side of the matrix is \
                             {most}; lower it"
                        ),
                    )],
                    _ => Vec::new(),
                }
            }
            Inputs::Nothing => Vec::new(),
        }
    }

    fn unfit_for_device(&self, spec: &StudySpec, has_cuda: bool) -> Option<SpecError> {
        let is_asked = self.words(name::DEVICE).iter().any(|word| word == CUDA);
        (is_asked && !has_cuda).then(|| {
            spec.error_about(
                "space.device",
                "`device` is cuda, which this build of Attune lacks; build it with `--features cuda`, \
                 or take cpu",
            )
        })
    }

    fn unfit_for_rows(&self, spec: &StudySpec, inputs: Shape) -> Vec<SpecError> {
        let problem = |kind: &ModelKind| {
            let model = match model(&self.largest(*kind)) {
                Ok(model) => model,
                Err(error) => return Some(spec.error_about("space.model", error.to_string())),
            };
            let error = model.fits(inputs).err()?;
            let key = match error.setting {
                // A stage is a layer in a study file.
                "channels" => "space.layers".to_owned(),
                setting => format!("space.{setting}"),
            };
            Some(spec.error_about(&key, error.to_string()))
        };
        // What an adapter sees is its base's to say.
        let own = self.kinds.iter();
        let own = own.filter(|kind| **kind != ModelKind::Adapter);
        own.filter_map(problem).collect()
    }

    /// A configuration of this kind in which every number is as large as it gets.
    fn largest(&self, kind: ModelKind) -> FullConfig {
        let largest = |param: attune_plugin_api::Param| {
            let mut searched = self.searched.parameters().iter();
            let value = match searched.find(|parameter| parameter.name == param.name) {
                Some(parameter) => end(&parameter.domain).unwrap_or(param.default),
                None => self.fixed(&param.name).cloned().unwrap_or(param.default),
            };
            (param.name, value)
        };
        let mut config: FullConfig = kind.settings().into_iter().map(largest).collect();
        config.insert(name::MODEL.into(), Value::Text(kind.name().into()));
        config
    }
}

/// The largest value of a domain; none of words.
fn end(domain: &Domain) -> Option<Value> {
    match domain {
        Domain::Int { high, .. } => Some(Value::Int(*high)),
        Domain::Float { high, .. } => Some(Value::Float(*high)),
        Domain::Choice(values) => {
            let numbers = values
                .iter()
                .filter(|value| matches!(value, search::Value::Int(_)));
            numbers.max().map(param_value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use attune_plugin_api::Description;
    use std::path::Path;

    fn unfit(space: &str, inputs: Shape) -> Vec<(usize, String)> {
        let text = format!("[data]\npath = 'd.csv'\ntarget = 'y'\n[space]\n{space}");
        let spec = StudySpec::parse(Path::new("s.toml"), &text).unwrap();
        let cosine = Description::new("cosine", "");
        let space = StudySpace::resolve(&spec, &[&cosine]).unwrap();
        let problems = space.unfit(&spec, Inputs::Rows(inputs)).into_iter();
        problems
            .map(|problem| (problem.line, problem.message))
            .collect()
    }

    #[test]
    fn a_device_has_to_be_in_the_build() {
        let cosine = Description::new("cosine", "");
        for (device, has_cuda, is_fine) in [
            ("'cpu'", false, true),
            ("'cuda'", false, false),
            ("['cpu', 'cuda']", false, false),
            ("'cuda'", true, true),
        ] {
            let text = format!("[data]\npath = 'd.csv'\ntarget = 'y'\n[space]\ndevice = {device}");
            let spec = StudySpec::parse(Path::new("s.toml"), &text).unwrap();
            let space = StudySpace::resolve(&spec, &[&cosine]).unwrap();
            let wrong = space.unfit_for_device(&spec, has_cuda);
            assert_eq!(wrong.is_none(), is_fine, "{device}");
            assert!(wrong.is_none_or(|wrong| wrong.line == 5), "{device}");
        }
    }

    #[test]
    fn a_kind_has_to_see_what_the_data_are() {
        let rows = Shape::Row(13);
        let picture = Shape::Image {
            height: 8,
            width: 8,
            channels: 1,
        };
        let text = Shape::Text {
            context: 16,
            vocabulary: 50,
        };
        let table = [
            (
                "scheduler = 'cosine'\nmodel = ['linear', 'mlp', 'tabular-resnet']",
                rows,
                None,
            ),
            (
                "scheduler = 'cosine'\nmodel = ['mlp', 'cnn']",
                picture,
                None,
            ),
            (
                "scheduler = 'cosine'\nmodel = 'transformer'\nheads = 3",
                text,
                None,
            ),
            (
                "scheduler = 'cosine'\nmodel = ['mlp', 'cnn']",
                rows,
                Some((6, "`image = [height")),
            ),
            (
                "scheduler = 'cosine'\nmodel = 'transformer'",
                rows,
                Some((6, "one that reads rows")),
            ),
            (
                "scheduler = 'cosine'\nmodel = 'mlp'",
                text,
                Some((6, "transformer, which reads text")),
            ),
            (
                "scheduler = 'cosine'\nmodel = 'cnn'\nlayers = { low = 2, high = 5 }",
                picture,
                Some((7, "at most 3 stages for pictures of 8 by 8")),
            ),
            (
                "scheduler = 'cosine'\nmodel = 'cnn'\nlayers = [2, 4, 3]",
                picture,
                Some((7, "at most 3 stages")),
            ),
            (
                "scheduler = 'cosine'\nmodel = 'cnn'\nwidth = 8192",
                picture,
                None,
            ),
            (
                "scheduler = 'cosine'\nmodel = 'cnn'\nwidth = 8192\nlayers = 3",
                picture,
                Some((8, "widths from 1 to 16384")),
            ),
        ];
        for (space, inputs, expected) in table {
            let found = unfit(space, inputs);
            match (found.as_slice(), expected) {
                ([], None) => {}
                ([(line, message)], Some((at, part))) => {
                    assert!(*line == at && message.contains(part), "{space}: {found:?}");
                }
                _ => panic!("{space}: {found:?}"),
            }
        }
    }
}
