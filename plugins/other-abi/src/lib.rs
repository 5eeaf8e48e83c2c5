//! A plugin library that claims an ABI nobody speaks, for tests only.
//!
//! It carries a handshake and nothing else: a loader must refuse it by that alone, before it looks
//! for anything behind it. The file's name does not begin like those of the shipped plugins, so it
//! is never found by accident.

use attune_plugin_api::handshake::Handshake;

/// The ABI that it claims.
pub const CLAIMED: u32 = 999;

/// What `attune_plugin_api::export!` would write, were this ABI 999.
#[allow(
    unsafe_code,
    reason = "a symbol that is found by its name must be exported without mangling"
)]
#[unsafe(no_mangle)]
pub static ATTUNE_PLUGIN_HANDSHAKE: Handshake = Handshake::of_this_build().claiming_abi(CLAIMED);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_handshake_of_the_claimed_abi() {
        assert_eq!(ATTUNE_PLUGIN_HANDSHAKE.check(), Ok(()));
        assert_eq!(ATTUNE_PLUGIN_HANDSHAKE.abi(), CLAIMED);
    }
}
