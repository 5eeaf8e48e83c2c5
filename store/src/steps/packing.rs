//! One column of numbers as few bytes, without loss.
//!
//! A column is taken as its bit patterns. Training signals come in two sorts, so two codings
//! compete and the shorter one is kept:
//!
//! - *packed differences*: the k-th differences of the patterns as integers, k from 0 to 4, in
//!   blocks as wide as their widest. A smooth schedule is nearly a polynomial over a few steps, and
//!   within one binary exponent the pattern is linear in the value: its fourth differences are a few
//!   bits of rounding. A noisy loss keeps its noisy mantissa bits and loses the rest.
//! - *transposed XOR*: each pattern XORed with the one before, the bytes regrouped by significance,
//!   then lz4. Plateaus with rare jumps (a greedy rate) become runs of zeros, which blocks of one
//!   width waste a whole block on.

/// The column's bytes make no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

const BLOCK: usize = 64;
const MAX_ORDER: usize = 4;
const TRANSPOSED: u8 = MAX_ORDER as u8 + 1;

/// Packs `words`, of which each uses only its lowest `width` (4 or 8) bytes.
pub(crate) fn pack(words: &[u64], width: usize) -> Vec<u8> {
    let packed = pack_differences(words);
    // Where a number already takes a fraction of a byte, there is nothing left to gain.
    if packed.len() * 4 < words.len() {
        return packed;
    }
    let transposed = pack_transposed(words, width);
    if transposed.len() < packed.len() {
        transposed
    } else {
        packed
    }
}

/// The words that [`pack`] was given. `rows` must be trusted: it sizes the allocation.
pub(crate) fn unpack(bytes: &[u8], rows: usize, width: usize) -> Result<Vec<u64>, Malformed> {
    let (&coding, rest) = bytes.split_first().ok_or(Malformed)?;
    match coding {
        TRANSPOSED => unpack_transposed(rest, rows, width),
        order if usize::from(order) <= MAX_ORDER => {
            unpack_differences(rest, rows, usize::from(order))
        }
        _ => Err(Malformed),
    }
}

fn pack_differences(words: &[u64]) -> Vec<u8> {
    // A single-precision number widened to double leaves its last 29 bits zero.
    let used = words.iter().fold(0, |used, word| used | word);
    let shift = if used == 0 { 0 } else { used.trailing_zeros() };
    let mut differences: Vec<i64> = words
        .iter()
        .map(|word| (word >> shift).cast_signed())
        .collect();

    let mut best = (packed_size(&differences, 0), 0, differences.clone());
    for order in 1..=MAX_ORDER.min(words.len().saturating_sub(1)) {
        for at in (order..differences.len()).rev() {
            differences[at] = differences[at].wrapping_sub(differences[at - 1]);
        }
        let size = packed_size(&differences, order);
        if size < best.0 {
            best = (size, order, differences.clone());
        }
    }
    let (size, order, differences) = best;

    let mut bytes = Vec::with_capacity(size + 2);
    bytes.push(order as u8);
    bytes.push(shift as u8);
    for seed in &differences[..order] {
        bytes.extend_from_slice(&seed.to_le_bytes());
    }
    for block in differences[order..].chunks(BLOCK) {
        pack_block(block, &mut bytes);
    }
    bytes
}

fn unpack_differences(bytes: &[u8], rows: usize, order: usize) -> Result<Vec<u64>, Malformed> {
    let (&shift, mut rest) = bytes.split_first().ok_or(Malformed)?;
    if u32::from(shift) >= u64::BITS || order > rows {
        return Err(Malformed);
    }
    let mut words = Vec::with_capacity(rows);
    for _ in 0..order {
        let (seed, after) = rest.split_first_chunk::<8>().ok_or(Malformed)?;
        words.push(i64::from_le_bytes(*seed));
        rest = after;
    }
    while words.len() < rows {
        rest = unpack_block(rest, BLOCK.min(rows - words.len()), &mut words)?;
    }
    if !rest.is_empty() {
        return Err(Malformed);
    }
    for order in (1..=order).rev() {
        for at in order..rows {
            words[at] = words[at].wrapping_add(words[at - 1]);
        }
    }
    Ok(words
        .into_iter()
        .map(|word| word.cast_unsigned() << shift)
        .collect())
}

/// The size of `differences` packed, of which the first `order` are seeds.
fn packed_size(differences: &[i64], order: usize) -> usize {
    let blocks = differences[order..].chunks(BLOCK);
    order * 8
        + blocks
            .map(|block| 1 + (block.len() * block_width(block)).div_ceil(8))
            .sum::<usize>()
}

fn block_width(block: &[i64]) -> usize {
    let used = block.iter().fold(0, |used, value| used | zigzag(*value));
    (u64::BITS - used.leading_zeros()) as usize
}

fn pack_block(block: &[i64], bytes: &mut Vec<u8>) {
    let width = block_width(block);
    bytes.push(width as u8);
    let (mut pending, mut bits) = (0_u128, 0);
    for value in block {
        pending |= u128::from(zigzag(*value)) << bits;
        bits += width;
        while bits >= 32 {
            bytes.extend_from_slice(&(pending as u32).to_le_bytes());
            pending >>= 32;
            bits -= 32;
        }
    }
    bytes.extend_from_slice(&pending.to_le_bytes()[..bits.div_ceil(8)]);
}

/// Unpacks `count` values and returns what follows them.
fn unpack_block<'a>(
    bytes: &'a [u8],
    count: usize,
    values: &mut Vec<i64>,
) -> Result<&'a [u8], Malformed> {
    let (&width, rest) = bytes.split_first().ok_or(Malformed)?;
    if u32::from(width) > u64::BITS {
        return Err(Malformed);
    }
    let width = usize::from(width);
    let (packed, rest) = rest
        .split_at_checked((count * width).div_ceil(8))
        .ok_or(Malformed)?;
    let mask = if width == 64 {
        u64::MAX
    } else {
        (1 << width) - 1
    };
    let mut packed = packed.iter();
    let (mut pending, mut bits) = (0_u128, 0);
    for _ in 0..count {
        while bits < width {
            pending |= u128::from(*packed.next().ok_or(Malformed)?) << bits;
            bits += 8;
        }
        values.push(unzigzag(pending as u64 & mask));
        pending >>= width;
        bits -= width;
    }
    Ok(rest)
}

fn pack_transposed(words: &[u64], width: usize) -> Vec<u8> {
    let rows = words.len();
    let mut planes = vec![0; rows * width];
    let mut before = 0;
    for (row, &word) in words.iter().enumerate() {
        let bytes = (word ^ before).to_le_bytes();
        for (plane, byte) in bytes.iter().take(width).enumerate() {
            planes[plane * rows + row] = *byte;
        }
        before = word;
    }
    let mut bytes = vec![TRANSPOSED];
    bytes.extend_from_slice(&lz4_flex::block::compress(&planes));
    bytes
}

fn unpack_transposed(bytes: &[u8], rows: usize, width: usize) -> Result<Vec<u64>, Malformed> {
    let planes = lz4_flex::block::decompress(bytes, rows * width).map_err(|_| Malformed)?;
    if planes.len() != rows * width {
        return Err(Malformed);
    }
    let mut before = 0;
    Ok((0..rows)
        .map(|row| {
            let difference = (0..width).fold(0, |word, plane| {
                word | u64::from(planes[plane * rows + row]) << (8 * plane)
            });
            before ^= difference;
            before
        })
        .collect())
}

/// Small differences of either sign as small numbers.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn doubles_come_back_bit_for_bit(words in prop::collection::vec(any::<u64>(), 0..300)) {
            prop_assert_eq!(unpack(&pack_differences(&words), words.len(), 8), Ok(words.clone()));
            prop_assert_eq!(unpack(&pack_transposed(&words, 8), words.len(), 8), Ok(words));
        }

        #[test]
        fn singles_come_back_bit_for_bit(singles in prop::collection::vec(any::<u32>(), 0..300)) {
            let words: Vec<u64> = singles.into_iter().map(u64::from).collect();
            prop_assert_eq!(unpack(&pack(&words, 4), words.len(), 4), Ok(words));
        }

        #[test]
        fn numbers_of_any_width_come_back(bits in 0_u32..64, words in prop::collection::vec(any::<u64>(), 0..300)) {
            let words: Vec<u64> = words.into_iter().map(|word| word >> bits << (bits / 2)).collect();
            prop_assert_eq!(unpack(&pack(&words, 8), words.len(), 8), Ok(words));
        }

        #[test]
        fn nonsense_is_refused_and_never_panics(
            bytes in prop::collection::vec(any::<u8>(), 0..200), rows in 0_usize..300,
        ) {
            if let Ok(words) = unpack(&bytes, rows, 8) {
                prop_assert_eq!(words.len(), rows);
            }
        }
    }

    #[test]
    fn what_is_regular_becomes_small() {
        let rows = 4096_u64;
        let cosine = |step: u64| 0.05 * (1.0 + (step as f64 * std::f64::consts::PI / 1e5).cos());
        let table: [(&str, Vec<u64>, f64); 4] = [
            ("consecutive steps", (700..700 + rows).collect(), 0.05),
            ("a constant", vec![0.1_f64.to_bits(); rows as usize], 0.05),
            (
                "a cosine",
                (0..rows).map(|step| cosine(step).to_bits()).collect(),
                1.0,
            ),
            (
                "a plateau that jumps",
                (0..rows)
                    .map(|step| (0.1 * 0.9_f64.powi((step / 100) as i32)).to_bits())
                    .collect(),
                0.5,
            ),
        ];
        for (what, words, most) in table {
            let each = pack(&words, 8).len() as f64 / rows as f64;
            assert!(
                each <= most,
                "{what}: {each} bytes a value, more than {most}"
            );
        }
    }
}
