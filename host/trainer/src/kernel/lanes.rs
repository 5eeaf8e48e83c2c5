//! Numbers that stay in registers: slices that the compiler knows the length of, and nothing that
//! another slice could overlap. To be called within [`wide`](super::wide).

/// So many numbers from there on.
#[inline(always)]
pub(crate) fn taken<const LANES: usize>(numbers: &[f32], at: usize) -> [f32; LANES] {
    match numbers[at..].first_chunk() {
        Some(lanes) => *lanes,
        None => [0.0; LANES],
    }
}

/// Puts them there.
#[inline(always)]
pub(crate) fn put<const LANES: usize>(numbers: &mut [f32], at: usize, lanes: [f32; LANES]) {
    if let Some(place) = numbers[at..].first_chunk_mut() {
        *place = lanes;
    }
}
