//! What a study is asked to do: the study file, checked.
//!
//! `reader` walks TOML and places errors, `spec` checks the fixed sections, `settings` describes
//! what a trial can be told, `kinds` which of that each kind of model has, `space` joins those with the schedulers' own descriptions into a
//! search space, `trial` turns a configuration back into what the trainer takes, `dataset` the data
//! file into what it trains on, `domains` tells what stored configurations were drawn
//! from, `fitting` whether its models can see its data, and `draft` writes the file that `attune fit` runs.

pub(crate) mod dataset;
pub(crate) mod domains;
pub(crate) mod draft;
mod fitting;
mod in_words;
pub(crate) mod kinds;
pub(crate) mod reader;
pub(crate) mod settings;
pub(crate) mod space;
pub(crate) mod spec;
pub(crate) mod trial;
