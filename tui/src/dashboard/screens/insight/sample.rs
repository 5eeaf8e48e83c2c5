//! Which of many trials are drawn: the best, and as many others as can be told apart, evenly taken.

/// So many places out of `count`, evenly spread, the last one among them; all where there are no
/// more.
pub(super) fn evenly(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let taken = count.min(most);
    (1..=taken).map(move |n| n * count / taken - 1)
}

/// The places of the best `count` values, the best first; those that are not numbers are none.
pub(super) fn best(
    values: &[f64],
    places: &[u32],
    lower_is_better: bool,
    count: usize,
) -> Vec<u32> {
    let value = |place: &u32| values.get(*place as usize).copied().unwrap_or(f64::NAN);
    let mut ranked: Vec<u32> = places
        .iter()
        .copied()
        .filter(|place| !value(place).is_nan())
        .collect();
    let better = |a: &u32, b: &u32| {
        let (x, y) = (value(a), value(b));
        let order = if lower_is_better {
            x.total_cmp(&y)
        } else {
            y.total_cmp(&x)
        };
        order.then(a.cmp(b))
    };
    if count > 0 && ranked.len() > count {
        ranked.select_nth_unstable_by(count - 1, better);
    }
    ranked.truncate(count);
    ranked.sort_unstable_by(better);
    ranked
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

    #[test]
    fn the_best_come_first_and_what_is_no_number_never() {
        let values = [3.0, f64::NAN, 1.0, 2.0, 1.0];
        let places = [0, 1, 2, 3, 4];
        assert_eq!(best(&values, &places, true, 3), [2, 4, 3]);
        assert_eq!(best(&values, &places, false, 2), [0, 3]);
        assert_eq!(best(&values, &[3, 0], true, 9), [3, 0]);
        assert_eq!(best(&values, &places, true, 0), [0u32; 0]);
    }
}
