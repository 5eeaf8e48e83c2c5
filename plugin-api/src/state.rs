//! How a scheduler's state is packed into bytes: one version byte, the number of parameter groups,
//! then postcard.
//!
//! Postcard keeps every float bit for bit, NaN and infinities included, which JSON does not.

use crate::scheduler::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) fn pack<T: Serialize>(version: u8, groups: usize, state: &T) -> Result<Vec<u8>, Error> {
    postcard::to_extend(&(groups as u64, state), vec![version])
        .map_err(|e| Error::new(format!("its state cannot be saved: {e}")))
}

pub(crate) fn unpack<T: DeserializeOwned>(
    version: u8,
    groups: usize,
    bytes: &[u8],
) -> Result<T, Error> {
    let (&found, rest) = bytes
        .split_first()
        .ok_or_else(|| Error::new("the saved state is empty"))?;
    if found != version {
        return Err(Error::new(format!(
            "the saved state is of version {found}, this build of the plugin reads version \
             {version}; load it with the build that wrote it"
        )));
    }
    let unreadable = |e| Error::new(format!("the saved state cannot be read: {e}"));
    let (saved_groups, rest) = postcard::take_from_bytes::<u64>(rest).map_err(unreadable)?;
    if saved_groups != groups as u64 {
        return Err(Error::new(format!(
            "the saved state is of a run with {saved_groups} parameter groups, this one has \
             {groups}; resume it with the model it was saved with"
        )));
    }
    let (state, left) = postcard::take_from_bytes(rest).map_err(unreadable)?;
    if !left.is_empty() {
        return Err(Error::new(format!(
            "the saved state has {} bytes too many",
            left.len()
        )));
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_survive_bit_for_bit() {
        let state = (f64::NAN, f64::INFINITY, -0.0f64, 0.1f64);
        let back: (f64, f64, f64, f64) = unpack(3, 2, &pack(3, 2, &state).unwrap()).unwrap();
        assert_eq!(state.0.to_bits(), back.0.to_bits());
        assert_eq!(state.1, back.1);
        assert_eq!(state.2.to_bits(), back.2.to_bits());
        assert_eq!(state.3, back.3);
    }

    #[test]
    fn another_version_other_groups_a_cut_and_a_tail_are_refused() {
        let bytes = pack(1, 2, &(1.0f64, 2u64)).unwrap();
        assert!(unpack::<(f64, u64)>(1, 2, &bytes).is_ok());
        assert!(unpack::<(f64, u64)>(2, 2, &bytes).is_err());
        assert!(unpack::<(f64, u64)>(1, 3, &bytes).is_err());
        assert!(unpack::<(f64, u64)>(1, 2, &bytes[..bytes.len() - 1]).is_err());
        assert!(unpack::<(f64, u64)>(1, 2, &[]).is_err());
        let mut long = bytes.clone();
        long.push(0);
        assert!(unpack::<(f64, u64)>(1, 2, &long).is_err());
    }
}
