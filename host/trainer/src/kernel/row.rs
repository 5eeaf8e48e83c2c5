//! Sums over a short row, in 32 bits and in a fixed order: sixteen interleaved lanes. To be called
//! within [`wide`](super::wide).

/// The sum of a row.
#[inline(always)]
pub(crate) fn row_sum(a: &[f32]) -> f32 {
    let (lanes, rest) = a.as_chunks::<16>();
    let mut sums = [0.0_f32; 16];
    for lane in lanes {
        sums.iter_mut().zip(lane).for_each(|(sum, a)| *sum += a);
    }
    folded(sums, add) + rest.iter().sum::<f32>()
}

/// a·b.
#[inline(always)]
pub(crate) fn row_dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a_lanes, a_rest), (b_lanes, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut sums = [0.0_f32; 16];
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        for lane in 0..16 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    folded(sums, add) + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

#[inline(always)]
fn add(a: f32, b: f32) -> f32 {
    a + b
}

/// Sixteen lanes made one, by halves.
#[inline(always)]
pub(super) fn folded<T: Copy>(lanes: [T; 16], join: impl Fn(T, T) -> T) -> T {
    let lanes: [T; 8] = std::array::from_fn(|lane| join(lanes[lane], lanes[lane + 8]));
    let lanes: [T; 4] = std::array::from_fn(|lane| join(lanes[lane], lanes[lane + 4]));
    join(join(lanes[0], lanes[2]), join(lanes[1], lanes[3]))
}
