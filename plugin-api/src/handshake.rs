//! The plain C layer: one constant symbol that a loader reads before it trusts anything else.
//!
//! abi_stable tells a foreign layout well, but only to somebody who already speaks abi_stable.
//! This block has a fixed form that no later version may change, so that any host can say of any
//! library whether it is a plugin, which ABI it speaks and what built it.

use std::ffi::CStr;

/// The name of the exported [`Handshake`].
pub const SYMBOL: &str = "ATTUNE_PLUGIN_HANDSHAKE";

/// The first bytes of every handshake.
pub const MAGIC: [u8; 16] = *b"attune plugin\r\n\0";

/// The ABI that this crate writes: [`crate::v1`].
pub const ABI: u32 = 1;

const FINGERPRINT_BYTES: usize = 104;

/// What a plugin says of itself before any of its code runs.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake {
    magic: [u8; 16],
    size: u32,
    abi: u32,
    fingerprint: [u8; FINGERPRINT_BYTES],
}

/// Why a handshake is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The magic bytes are others.
    #[error("its `ATTUNE_PLUGIN_HANDSHAKE` does not begin with Attune's magic bytes")]
    Magic,
    /// The block has another size.
    #[error("its handshake is {0} bytes long instead of {1}")]
    Size(u32, usize),
}

impl Handshake {
    /// The handshake of a plugin that is compiled with this crate.
    pub const fn of_this_build() -> Self {
        let text = concat!(
            "attune-plugin-api ",
            env!("CARGO_PKG_VERSION"),
            ", ",
            env!("ATTUNE_BUILD")
        )
        .as_bytes();
        let mut fingerprint = [0; FINGERPRINT_BYTES];
        let mut at = 0;
        // The last byte stays zero, so that the text always ends.
        while at < text.len() && at < FINGERPRINT_BYTES - 1 {
            fingerprint[at] = text[at];
            at += 1;
        }
        Handshake {
            magic: MAGIC,
            size: size_of::<Handshake>() as u32,
            abi: ABI,
            fingerprint,
        }
    }

    /// Reads the handshake at an address, as far as what was read so far allows to go on.
    ///
    /// # Errors
    /// Wrong magic bytes or size.
    ///
    /// # Safety
    /// Sixteen bytes must be readable at the address; where they are [`MAGIC`], four more must be;
    /// and where those are the size of a [`Handshake`], all of it.
    #[allow(unsafe_code)] // Somebody else's memory, read before anything is known of it.
    pub unsafe fn read(address: *const u8) -> Result<Self, HandshakeError> {
        // SAFETY: each read is allowed by the caller's promise and the check before it; none needs
        // an alignment.
        unsafe {
            if address.cast::<[u8; 16]>().read_unaligned() != MAGIC {
                return Err(HandshakeError::Magic);
            }
            let size = address.add(16).cast::<u32>().read_unaligned();
            if size as usize != size_of::<Handshake>() {
                return Err(HandshakeError::Size(size, size_of::<Handshake>()));
            }
            Ok(address.cast::<Handshake>().read_unaligned())
        }
    }

    /// Whether the block is a handshake at all.
    ///
    /// # Errors
    /// Wrong magic bytes or size.
    pub fn check(&self) -> Result<(), HandshakeError> {
        if self.magic != MAGIC {
            return Err(HandshakeError::Magic);
        }
        if self.size as usize != size_of::<Handshake>() {
            return Err(HandshakeError::Size(self.size, size_of::<Handshake>()));
        }
        Ok(())
    }

    /// The ABI that the plugin speaks.
    pub fn abi(&self) -> u32 {
        self.abi
    }

    /// Which kit, compiler, target and profile built it.
    pub fn fingerprint(&self) -> String {
        CStr::from_bytes_until_nul(&self.fingerprint)
            .map(|text| text.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// A copy that claims another ABI, for the library that the loader's tests must refuse.
    #[doc(hidden)]
    pub const fn claiming_abi(mut self, abi: u32) -> Self {
        self.abi = abi;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(unsafe_code)] // Calls `read`.
    fn a_handshake_knows_itself_and_nothing_else() {
        let ours = Handshake::of_this_build();
        assert_eq!(ours.check(), Ok(()));
        // SAFETY: the address is that of a whole handshake.
        let read = unsafe { Handshake::read((&raw const ours).cast()) };
        assert_eq!(read, Ok(ours));
        assert_eq!(ours.abi(), 1);
        assert!(ours.fingerprint().starts_with("attune-plugin-api 0."));
        assert!(ours.fingerprint().contains("rustc 1."));

        let mut foreign = ours;
        foreign.magic[0] = b'A';
        assert_eq!(foreign.check(), Err(HandshakeError::Magic));
        let mut grown = ours;
        grown.size += 8;
        assert_eq!(grown.check(), Err(HandshakeError::Size(136, 128)));
    }

    #[test]
    fn its_form_is_fixed_for_ever() {
        assert_eq!(size_of::<Handshake>(), 128);
        assert_eq!(align_of::<Handshake>(), 4);
        assert_eq!(std::mem::offset_of!(Handshake, abi), 20);
        assert_eq!(std::mem::offset_of!(Handshake, fingerprint), 24);
    }
}
