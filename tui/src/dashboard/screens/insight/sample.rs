//! Which of many trials are drawn: as many as can be told apart, evenly taken.

/// So many places out of `count`, evenly spread, the last one among them; all where there are no
/// more.
pub(super) fn evenly(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let taken = count.min(most);
    (1..=taken).map(move |n| n * count / taken - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_even_and_ends_with_the_last() {
        assert_eq!(evenly(3, 10).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(evenly(10, 5).collect::<Vec<_>>(), [1, 3, 5, 7, 9]);
        assert_eq!(evenly(0, 5).count(), 0);
        assert_eq!(evenly(5, 0).count(), 0);
        let many: Vec<usize> = evenly(50_000, 2_000).collect();
        assert_eq!((many.len(), many.last()), (2_000, Some(&49_999)));
        assert!(many.windows(2).all(|pair| pair[1] - pair[0] == 25));
    }
}
