//! ABI 1: the types that cross the library boundary, and nothing else.
//!
//! Only scalars cross per step; descriptions, parameters and saved states cross as JSON or bytes,
//! rarely. There are no generics, no data-carrying enums of ours, no threads and no globals.
//!
//! **Open until the first release** (see the [crate docs](crate#stability)); frozen from then on.
//! A later version goes into a module of its own under new type names, because a field added here
//! would make a newer host refuse every older plugin.

// abi_stable's derives write unsafe code, odd names and undocumented items; these lints would be
// about its code, not ours.
#![allow(unsafe_code, non_local_definitions, non_camel_case_types)]
#![allow(missing_docs, unreachable_pub, clippy::all)]

use abi_stable::StableAbi;
use abi_stable::library::RootModule;
use abi_stable::package_version_strings;
use abi_stable::sabi_trait;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{RBox, RResult, RSlice, RSliceMut, RStr, RString, RVec};

/// The call went well.
pub const OK: u8 = 0;
/// The scheduler returned an error; [`ControllerV1::take_error`] tells it.
pub const REFUSED: u8 = 1;
/// The scheduler panicked and must not be called again; [`ControllerV1::take_error`] tells where.
pub const PANICKED: u8 = 2;

/// Where in the run a call is made; see [`crate::Clock`].
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy)]
pub struct ClockV1 {
    pub step: u64,
    pub epoch: f64,
    pub samples: u64,
}

/// A configured scheduler. Each call answers [`OK`], [`REFUSED`] or [`PANICKED`].
#[sabi_trait]
pub trait ControllerV1: Send {
    fn step(
        &mut self,
        clock: ClockV1,
        signals: RSlice<'_, f64>,
        rates: RSliceMut<'_, f64>,
        momenta: RSliceMut<'_, f64>,
    ) -> u8;

    fn metric(
        &mut self,
        value: f64,
        clock: ClockV1,
        rates: RSliceMut<'_, f64>,
        momenta: RSliceMut<'_, f64>,
    ) -> u8;

    /// The message of the last call that did not answer [`OK`].
    fn take_error(&mut self) -> RString;

    /// Appends the state to an empty vector.
    fn save(&mut self, state: &mut RVec<u8>) -> u8;

    #[sabi(last_prefix_field)]
    fn load(&mut self, state: RSlice<'_, u8>) -> u8;
}

/// An owned [`ControllerV1`].
pub type BoxedController = ControllerV1_TO<'static, RBox<()>>;

/// A scheduler fresh from its configuration.
#[repr(C)]
#[derive(StableAbi)]
pub struct CreatedV1 {
    pub controller: BoxedController,
    /// What the user should know before the run starts.
    pub warnings: RVec<RString>,
}

/// The root module of a plugin library.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginV1_Ref)))]
#[sabi(missing_field(panic))]
pub struct PluginV1 {
    /// The [`crate::Library`] as JSON.
    pub describe: extern "C" fn() -> RResult<RString, RString>,
    /// Makes the scheduler of this name from its checked parameters and the [`crate::Setup`],
    /// both as JSON.
    #[sabi(last_prefix_field)]
    pub create: extern "C" fn(
        name: RStr<'_>,
        params: RStr<'_>,
        setup: RStr<'_>,
    ) -> RResult<CreatedV1, RString>,
}

impl RootModule for PluginV1_Ref {
    abi_stable::declare_root_module_statics! {PluginV1_Ref}
    const BASE_NAME: &'static str = "attune_plugin";
    const NAME: &'static str = "attune_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

/// The header that abi_stable looks for, for a library whose root module `constructor` makes.
#[doc(hidden)]
pub const fn lib_header(
    constructor: extern "C" fn() -> abi_stable::library::RootModuleResult,
) -> abi_stable::library::LibHeader {
    // SAFETY: `export!` is the only caller, and its constructor returns a `PluginV1_Ref`.
    unsafe {
        abi_stable::library::LibHeader::from_constructor::<PluginV1_Ref>(
            constructor,
            abi_stable::library::CheckTypeLayout::Yes,
        )
    }
}
