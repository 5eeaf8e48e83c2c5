//! Fewer points of a curve, which look the same: whoever draws it has no room for more.

/// The fewest points that a curve can be thinned to: its ends, and its extremes.
pub(super) const FEWEST: u32 = 4;

/// At most so many of these points, which are in the order of their x: the first and the last, and
/// of each of as many stretches in between the one with the least and the one with the greatest
/// value. So what is greatest or least of all is always there. What is not a number is neither, and
/// stands for a stretch where there is nothing else.
pub(super) fn thin<X: Copy>(points: Vec<(X, f64)>, most: usize) -> Vec<(X, f64)> {
    let most = most.max(FEWEST as usize);
    let [first, between @ .., last] = points.as_slice() else {
        return points;
    };
    if points.len() <= most {
        return points;
    }
    // There are at least as many points as stretches, so none of these is empty.
    let stretches = (most - 2) / 2;
    let mut kept = Vec::with_capacity(most);
    kept.push(*first);
    for stretch in 0..stretches {
        let at = |edge: usize| edge * between.len() / stretches;
        kept.extend(extremes(&between[at(stretch)..at(stretch + 1)]));
    }
    kept.push(*last);
    kept
}

/// The points with the least and the greatest value, in the order of their x; where one is both, it
/// is there once.
fn extremes<X: Copy>(stretch: &[(X, f64)]) -> impl Iterator<Item = (X, f64)> {
    let numbers = || {
        let values = stretch.iter().map(|(_, value)| *value).enumerate();
        values.filter(|(_, value)| !value.is_nan())
    };
    let least = numbers().min_by(|(_, a), (_, b)| a.total_cmp(b));
    let greatest = numbers().max_by(|(_, a), (_, b)| a.total_cmp(b));
    let (least, greatest) = match (least, greatest) {
        (Some((least, _)), Some((greatest, _))) => (least, greatest),
        _ => (0, 0),
    };
    let second = (least != greatest).then_some(least.max(greatest));
    [Some(least.min(greatest)), second]
        .into_iter()
        .flatten()
        .filter_map(|at| stretch.get(at).copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            8 => -10.0..10.0,
            1 => Just(f64::NAN),
            1 => prop::sample::select(vec![f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0]),
        ]
    }

    proptest! {
        #[test]
        fn what_is_seen_of_a_curve_is_kept(
            values in prop::collection::vec(value(), 0..300),
            most in 0_usize..200,
        ) {
            let points: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
            let thinned = thin(points.clone(), most);
            prop_assert!(thinned.len() <= most.max(4));
            prop_assert!(thinned.is_sorted_by(|(a, _), (b, _)| a < b), "{:?}", thinned);
            let is_one = |(x, y): &(usize, f64)| points[*x].1.to_bits() == y.to_bits();
            prop_assert!(thinned.iter().all(is_one));
            let x = |point: Option<&(usize, f64)>| point.map(|(x, _)| *x);
            prop_assert_eq!(x(thinned.first()), x(points.first()));
            prop_assert_eq!(x(thinned.last()), x(points.last()));
            let ends = |of: &[(usize, f64)]| {
                let numbers = of.iter().map(|(_, y)| *y).filter(|y| !y.is_nan());
                numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), y| {
                    (least.min(y), most.max(y))
                })
            };
            prop_assert_eq!(ends(&thinned), ends(&points));
            if points.len() <= most {
                prop_assert_eq!(thinned.len(), points.len());
            }
        }
    }

    #[test]
    fn a_stretch_without_numbers_is_not_left_out() {
        let points = |value: f64| (0..1_000).map(|x| (x, value)).collect::<Vec<_>>();
        assert_eq!(thin(points(f64::NAN), 10).len(), 2 + 4);
        assert_eq!(thin(points(1.0), 10).len(), 2 + 4 * 2);
    }
}
