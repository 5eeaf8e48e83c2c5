//! A scheduler of a library, as the plain trait that a trainer steers through.

use crate::library::LoadedLibrary;
use abi_stable::std_types::{RSlice, RSliceMut, RVec};
use attune_plugin_api::Setup;
use attune_plugin_api::controller::{CallError, Clock, Controller};
use attune_plugin_api::describe::Description;
use attune_plugin_api::param::Value;
use attune_plugin_api::v1::{self, BoxedController};
use std::collections::BTreeMap;

/// A saved state larger than this is refused: no scheduler of scalars needs it.
const MAX_STATE_BYTES: usize = 16 << 20;

pub(crate) struct LibraryController {
    inner: BoxedController,
    description: Description,
    warnings: Vec<String>,
}

/// Makes the scheduler; the error is what the plugin said.
pub(crate) fn create(
    library: &LoadedLibrary,
    description: &Description,
    params: &BTreeMap<String, Value>,
    setup: &Setup,
) -> Result<LibraryController, String> {
    let params = serde_json::to_string(params).map_err(|e| e.to_string())?;
    let setup = serde_json::to_string(setup).map_err(|e| e.to_string())?;
    let name = description.name.as_str();
    let created =
        library.module().create()(name.into(), params.as_str().into(), setup.as_str().into())
            .into_result()
            .map_err(String::from)?;
    Ok(LibraryController {
        inner: created.controller,
        description: description.clone(),
        warnings: created.warnings.into_iter().map(String::from).collect(),
    })
}

impl LibraryController {
    fn answer(&mut self, code: u8) -> Result<(), CallError> {
        match code {
            v1::OK => Ok(()),
            v1::REFUSED => Err(CallError::Refused(self.inner.take_error().into())),
            v1::PANICKED => Err(CallError::Panicked(self.inner.take_error().into())),
            other => Err(CallError::Refused(format!(
                "it answered with the unknown code {other}"
            ))),
        }
    }
}

impl Controller for LibraryController {
    fn description(&self) -> &Description {
        &self.description
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn step(
        &mut self,
        clock: &Clock,
        signals: &[f64],
        rates: &mut [f64],
        momenta: &mut [f64],
    ) -> Result<(), CallError> {
        let code = self.inner.step(
            (*clock).into(),
            RSlice::from_slice(signals),
            RSliceMut::from_mut_slice(rates),
            RSliceMut::from_mut_slice(momenta),
        );
        self.answer(code)
    }

    fn metric(
        &mut self,
        value: f64,
        clock: &Clock,
        rates: &mut [f64],
        momenta: &mut [f64],
    ) -> Result<(), CallError> {
        let code = self.inner.metric(
            value,
            (*clock).into(),
            RSliceMut::from_mut_slice(rates),
            RSliceMut::from_mut_slice(momenta),
        );
        self.answer(code)
    }

    fn save(&mut self) -> Result<Vec<u8>, CallError> {
        let mut state = RVec::new();
        let code = self.inner.save(&mut state);
        self.answer(code)?;
        if state.len() > MAX_STATE_BYTES {
            return Err(CallError::Refused(format!(
                "its state is {} bytes, more than the {MAX_STATE_BYTES} allowed",
                state.len()
            )));
        }
        Ok(state.into_vec())
    }

    fn load(&mut self, state: &[u8]) -> Result<(), CallError> {
        let code = self.inner.load(RSlice::from_slice(state));
        self.answer(code)
    }
}
