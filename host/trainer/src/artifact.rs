//! Trained models as files: weights, preprocessing and a card that says how they came about.
//!
//! One `.safetensors` file. Its tensors are the layers' weights, such as `layers.0.weight` of shape
//! (inputs, outputs) and `layers.0.bias`, and what else layers remember, such as the running mean
//! of a batch norm; its metadata has one key, `attune`, with the card as
//! JSON. Any reader of that format can open it. The card has the CRC-32 of the tensors' bytes in the
//! order of their names, which is all that follows the file's header, and at its end its own.
//!
//! What a task was trained to is a [`Solution`], in a file of the same kind. The card of either can be
//! saved once more, as plain JSON beside it ([`Artifact::save_card`]).

mod beside;
mod file;
mod solution;

pub use solution::{Solution, SolutionCard};

use crate::data::{
    ColumnReport, DataError, Dataset, Features, Fitted, MAX_CONTEXT, Preprocessor, Table, Task,
};
use crate::kernel::softmax;
use crate::metrics::{Scores, most_likely};
use crate::model::{AdapterSettings, Architecture, ModelSettings, Network};
use crate::tensor_file::TensorFile;
use crate::trial::{Trial, TrialSettings};
use file::{FORMAT, not_a_model, opened, read, sealed, tensors_crc32, write};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::OnceLock;

/// The metadata key of the card.
const KEY: &str = "attune";
/// What a model is and how it came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    format: u32,
    /// The version of Attune that made it; empty where that was not told yet.
    #[serde(default)]
    pub version: String,
    /// The column that it predicts, or `next token`.
    pub target: String,
    /// What it predicts.
    pub task: Task,
    /// How it was trained; its model is that of the base, where one was adapted.
    pub settings: TrialSettings,
    /// What was learned beside a base, where one was adapted. It is merged into the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapted: Option<Adapted>,
    /// The epoch whose weights these are, from 1; 0 where training ended before the first.
    pub epoch: u32,
    /// Metrics on the validation rows; those that are not finite are left out.
    pub valid: Scores,
    /// Metrics on the test rows; those that are not finite are left out.
    pub test: Scores,
    /// What was done to each column.
    pub report: Vec<ColumnReport>,
    /// What else the caller wanted to keep: scheduler, study, trial.
    pub training: serde_json::Value,
    preprocessor: Preprocessor,
    weights_crc32: u32,
}

/// How a model came from a base.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adapted {
    /// The base's [hash](Model::hash).
    pub base: String,
    /// What was learned beside it.
    pub adapter: AdapterSettings,
}

/// A trained model.
#[derive(Debug)]
pub struct Model {
    card: ModelCard,
    network: Network,
    /// Made when it is first asked for: every checkpoint of an adapter has it.
    hash: OnceLock<String>,
}

/// What a trial leaves.
#[derive(Debug)]
pub enum Artifact {
    /// A network that predicts.
    Model(Box<Model>),
    /// What a task was trained to.
    Solution(Box<Solution>),
}

/// What a model says about the rows of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// One answer a row.
    pub answers: Answers,
    /// What could not be read in the table, a sentence each.
    pub notes: Vec<String>,
}

/// The answers of a kind of task.
#[derive(Debug, Clone, PartialEq)]
pub enum Answers {
    /// Classes.
    Classes {
        /// The labels of all classes.
        classes: Vec<String>,
        /// The most likely class of each row, as a place in `classes`.
        chosen: Vec<usize>,
        /// The probability of each class, row after row.
        probabilities: Vec<f32>,
    },
    /// Numbers, in the target's units.
    Numbers(Vec<f64>),
}

/// Why a model cannot be saved, loaded or applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file cannot be read.
    #[error("cannot read the model {path}: {reason}; check the path and its permissions")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The file cannot be written.
    #[error(
        "cannot write the model {path}: {reason}; check the folder, its permissions and the free space"
    )]
    Unwritable {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The file is something else, or damaged.
    #[error(
        "{path} is not a model that Attune saved, or it is damaged: {reason}; save the model again"
    )]
    NotAModel {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file comes from an earlier version, whose settings mean something else.
    #[error(
        "{path} was made by an earlier Attune: it has format {found}, and this version knows format {known}; train it again with `attune run` and the study file that it came from"
    )]
    Older {
        /// The file.
        path: String,
        /// Its format.
        found: u32,
        /// The one that is known.
        known: u32,
    },
    /// The file comes from a later version.
    #[error(
        "{path} has format {found}, but this version of Attune knows format {known}; use a newer one"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        found: u32,
        /// The one that is known.
        known: u32,
    },
    /// The file has what a task was trained to, which predicts nothing.
    #[error(
        "{path} has the numbers that a task was trained to, and is no model to predict with; read its tensors with any reader of safetensors"
    )]
    NoPredictor {
        /// The file.
        path: String,
    },
    /// The table does not fit the model.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A table was given to a model of text.
    #[error("the model reads text, not tables; ask it how a text goes on")]
    Text,
    /// A text was given to a model of tables.
    #[error("the model reads tables, not text; give it a table")]
    NoText,
    /// There is nothing that anything could follow.
    #[error("the text is empty; give at least one character")]
    EmptyText,
    /// A tensor operation failed: a mistake in Attune.
    #[error("prediction failed: {0}; please report this")]
    Broken(String),
}

impl Artifact {
    /// As [`Model::save`].
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ModelError> {
        match self {
            Artifact::Model(model) => model.save(path),
            Artifact::Solution(solution) => solution.save(path),
        }
    }

    /// Metrics on rows that nothing was chosen by; a task has none of them.
    pub fn test(&self) -> Option<&Scores> {
        match self {
            Artifact::Model(model) => Some(&model.card.test),
            Artifact::Solution(_) => None,
        }
    }

    /// The content of a file that has a whole model or solution.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
        let bytes = read(path)?;
        match Model::from_bytes(&bytes, path) {
            Err(ModelError::NoPredictor { .. }) => Solution::check(&bytes, path)?,
            model => drop(model?),
        }
        Ok(bytes)
    }
}

impl Model {
    /// The model of a trial's best epoch.
    pub(crate) fn of_trial(
        trial: &Trial,
        dataset: &Dataset,
        network: Network,
        test: Scores,
        training: serde_json::Value,
    ) -> Model {
        let best = trial.snapshot();
        let mut settings = TrialSettings::clone(trial.settings());
        let adapted = match (&settings.model, trial.subject().base()) {
            (ModelSettings::Adapter(adapter), Some(base)) => Some(Adapted {
                base: base.hash().into(),
                adapter: adapter.clone(),
            }),
            _ => None,
        };
        settings.model = network.architecture().model.clone();
        let card = ModelCard {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            target: dataset.target().into(),
            task: dataset.task().clone(),
            settings,
            adapted,
            epoch: best.map_or(0, |best| best.epoch),
            valid: best.map(|best| finite(&best.valid)).unwrap_or_default(),
            test: finite(&test),
            report: dataset.report().to_vec(),
            training,
            preprocessor: dataset.preprocessor().clone(),
            weights_crc32: tensors_crc32(network.tensors()),
        };
        Model::of(card, network)
    }

    fn of(card: ModelCard, network: Network) -> Model {
        Model {
            card,
            network,
            hash: OnceLock::new(),
        }
    }

    /// What it is and how it came about.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// What its data were fitted to, for data that are to be prepared like them.
    pub fn fitted(&self) -> Fitted {
        let card = &self.card;
        Fitted {
            target: card.target.clone(),
            task: card.task.clone(),
            preprocessor: card.preprocessor.clone(),
            report: card.report.clone(),
        }
    }

    /// What its network is recognised by: the BLAKE3 hash of its shape and all its numbers, in
    /// hexadecimal.
    pub fn hash(&self) -> &str {
        self.hash.get_or_init(|| self.hashed())
    }

    fn hashed(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(format!("{:?}", self.network.architecture()).as_bytes());
        for (name, values) in self.network.by_name() {
            hasher.update(name.as_bytes());
            for values in values.chunks(1024) {
                let bytes: Vec<u8> = values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect();
                hasher.update(&bytes);
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Whether data were prepared as its own were.
    pub(crate) fn reads(&self, dataset: &Dataset) -> bool {
        let is_same_text = match (&self.card.task, dataset.task()) {
            (Task::Text { .. }, _) | (_, Task::Text { .. }) => self.card.task == *dataset.task(),
            _ => true,
        };
        is_same_text && self.card.preprocessor == *dataset.preprocessor()
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// Reads data for [`predict`](Model::predict), as [`Table::read`] does, but with pictures brought
    /// to the size and colours of those that the model was trained on.
    ///
    /// # Errors
    /// As [`Table::read`].
    pub fn read(&self, path: &Path) -> Result<Table, DataError> {
        Table::read_as(path, self.card.preprocessor.wanted())
    }

    /// Predicts every row of a table. The table's columns may come in any order; columns that were
    /// not there in training are ignored, and the target may be missing.
    ///
    /// # Errors
    /// A column that the model was trained on is missing.
    pub fn predict(&mut self, table: &Table) -> Result<Predictions, ModelError> {
        if let Task::Text { .. } = self.card.task {
            return Err(ModelError::Text);
        }
        let rows: Vec<usize> = (0..table.rows()).collect();
        let (features, unread) = self.card.preprocessor.apply(table, &rows)?;
        let mut notes: Vec<String> = unread.iter().map(ToString::to_string).collect();
        notes.extend(self.ignored(table));
        let mut outputs = self
            .network
            .predict(&features)
            .map_err(ModelError::Broken)?;
        let answers = match &self.card.task {
            Task::Classification { classes } => {
                let chosen = outputs.chunks_exact(classes.len()).map(most_likely);
                let chosen = chosen.collect();
                outputs.chunks_exact_mut(classes.len()).for_each(softmax);
                Answers::Classes {
                    classes: classes.clone(),
                    chosen,
                    probabilities: outputs,
                }
            }
            Task::Text { .. } => return Err(ModelError::Text),
            Task::Regression { mean, scale } => Answers::Numbers(
                outputs
                    .iter()
                    .map(|&output| f64::from(output) * scale + mean)
                    .collect(),
            ),
        };
        Ok(Predictions { answers, notes })
    }

    /// A table's rows as the network sees them, for whoever computes with its weights elsewhere.
    ///
    /// # Errors
    /// As [`predict`](Model::predict).
    pub fn features(&self, table: &Table) -> Result<Features, ModelError> {
        let rows: Vec<usize> = (0..table.rows()).collect();
        Ok(self.card.preprocessor.apply(table, &rows)?.0)
    }

    /// The probability of every token to follow a text, in the vocabulary's order. Only its end is
    /// read, as far as the model sees.
    ///
    /// # Errors
    /// A model of something else than text, or an empty text.
    pub fn following(&mut self, text: &str) -> Result<Vec<f32>, ModelError> {
        let Task::Text {
            vocabulary,
            context,
        } = &self.card.task
        else {
            return Err(ModelError::NoText);
        };
        let tokens = vocabulary.tokens(text);
        let seen = &tokens[tokens.len().saturating_sub(*context)..];
        let Some(last) = seen.len().checked_sub(1) else {
            return Err(ModelError::EmptyText);
        };
        // What stands behind the text is not seen from within it.
        let mut row = seen.to_vec();
        row.resize(*context, 0.0);
        let row = Features::of_text(*context, 1, row);
        let outputs = self.network.predict(&row).map_err(ModelError::Broken)?;
        let size = vocabulary.size();
        let mut probabilities = outputs[last * size..][..size].to_vec();
        softmax(&mut probabilities);
        Ok(probabilities)
    }

    /// Writes the model beside the path, syncs it, and renames it into place, so that the path
    /// never holds half a model.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ModelError> {
        write(path, || sealed(KEY, &self.card, self.network.tensors()))
    }

    /// Reads a model.
    ///
    /// # Errors
    /// A file that cannot be read, is larger than 2 GiB, is not such a model, is damaged, or comes
    /// from an earlier or a later version.
    pub fn load(path: &Path) -> Result<Model, ModelError> {
        Ok(Model::load_hashed(path)?.0)
    }

    /// Reads a model, with the BLAKE3 hash of its file in hexadecimal.
    ///
    /// # Errors
    /// As [`load`](Model::load).
    pub fn load_hashed(path: &Path) -> Result<(Model, String), ModelError> {
        let bytes = read(path)?;
        let model = Model::from_bytes(&bytes, path)?;
        Ok((model, blake3::hash(&bytes).to_hex().to_string()))
    }

    /// Takes the content of a model's file apart; the path is for the errors.
    ///
    /// # Errors
    /// As [`Model::load`].
    fn from_bytes(bytes: &[u8], path: &Path) -> Result<Model, ModelError> {
        let not_a_model = |reason: String| not_a_model(path, reason);
        if TensorFile::decode(solution::KEY, bytes).is_ok() {
            return Err(ModelError::NoPredictor {
                path: path.display().to_string(),
            });
        }
        let (file, card): (_, ModelCard) = opened(KEY, bytes, path)?;
        if crc32fast::hash(file.data) != card.weights_crc32 {
            return Err(not_a_model("its weights are damaged".into()));
        }
        let network = network(&card, &file, bytes.len()).map_err(not_a_model)?;
        Ok(Model::of(card, network))
    }

    /// A note on the table's columns that the model does not know.
    fn ignored(&self, table: &Table) -> Option<String> {
        let known = |header: &String| {
            *header == self.card.target
                || self.card.preprocessor.is_point(header)
                || self
                    .card
                    .report
                    .iter()
                    .any(|report| report.column == *header)
        };
        let unknown: Vec<&str> = table
            .headers()
            .iter()
            .filter(|header| !known(header))
            .map(String::as_str)
            .collect();
        (!unknown.is_empty()).then(|| {
            format!(
                "columns unknown to the model are ignored: {}",
                unknown.join(", ")
            )
        })
    }
}

/// Without what JSON has no number for.
fn finite(scores: &Scores) -> Scores {
    let finite = scores.iter().filter(|(_, value)| value.is_finite());
    finite.map(|(&metric, &value)| (metric, value)).collect()
}

/// Builds the network that the card describes from the file's tensors.
fn network(card: &ModelCard, file: &TensorFile<'_>, file_size: usize) -> Result<Network, String> {
    let settings = card
        .settings
        .clone()
        .check()
        .map_err(|error| error.to_string())?;
    let architecture = Architecture {
        model: settings.model.clone(),
        inputs: card.task.shape(card.preprocessor.shape()),
        outputs: card.task.outputs(),
    };
    architecture
        .model
        .fits(architecture.inputs)
        .map_err(|error| error.to_string())?;
    let fits = architecture
        .plan(None)
        .parameters()
        .is_some_and(|count| count <= file_size / size_of::<f32>());
    // A pass takes memory by the square of it.
    let is_long = architecture.inputs.places() > MAX_CONTEXT;
    if architecture.inputs.numbers() == 0 || architecture.outputs == 0 || !fits || is_long {
        return Err("its card describes a network that its tensors cannot hold".into());
    }
    let mut network = Network::new(architecture, 0.0, 0);
    for group in network.groups_mut() {
        group.values = file.read("", &group.tensors)?;
    }
    let buffers = network.buffers_mut();
    buffers.values = file.read("", &buffers.tensors)?;
    for (tensors, values) in network.tensors() {
        for tensor in tensors {
            let values = &values[tensor.range.clone()];
            if values.iter().any(|value| !value.is_finite()) {
                return Err(format!(
                    "tensor `{}` has numbers that are not finite",
                    tensor.name
                ));
            }
        }
    }
    Ok(network)
}
