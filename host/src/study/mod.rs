//! What a study is asked to do: the study file, checked.
//!
//! `reader` walks TOML and places errors, `spec` checks the fixed sections, `task` and `data` those
//! of what is trained, and `choice` what is said of each setting. `settings` describes what a trial
//! can be told, `kinds` which of that each kind of model has, `space` joins those with the schedulers'
//! own descriptions into a search space, and `trial` turns a configuration back into what the trainer
//! takes. `matter` is what it trains on, `dataset` reads such from data files, and `fitting` tells
//! whether the study's models can see it. `domains` tells what stored configurations were drawn from,
//! and `draft` writes the file that `attune fit` runs.

mod choice;
pub(crate) mod data;
pub(crate) mod dataset;
pub(crate) mod domains;
pub(crate) mod draft;
mod fitting;
mod in_words;
pub(crate) mod kinds;
pub(crate) mod matter;
pub(crate) mod reader;
pub(crate) mod settings;
pub(crate) mod space;
pub(crate) mod spec;
pub(crate) mod task;
pub(crate) mod trial;
