//! Plots of what is hard to plot.

use attune_tui::plot::{PlotOptions, Series, Size, curves};
use attune_tui::{ColorDepth, Style};

const SIZE: Size = Size {
    width: 40,
    height: 9,
};

fn check(series: &[(&str, &[(f64, f64)])], log_y: bool, unicode: bool, expected: &str) {
    let series: Vec<Series> = series
        .iter()
        .map(|(label, points)| Series {
            label: (*label).to_owned(),
            points: points.to_vec(),
        })
        .collect();
    let options = PlotOptions {
        log_y,
        x_label: "step".to_owned(),
        y_label: "loss".to_owned(),
    };
    let style = Style {
        color: ColorDepth::None,
        unicode,
        ..Style::ASCII
    };
    let actual = curves(&series, SIZE, &options, style);
    assert!(
        actual.trim_end() == expected.trim_matches('\n'),
        "\n{actual}"
    );
}

#[test]
fn nothing() {
    check(&[], false, true, "loss by step\nnothing to plot");
    check(&[("a", &[])], false, true, "loss by step\nnothing to plot");
    let unseen = [(1.0, f64::NAN), (f64::INFINITY, 1.0)];
    check(
        &[("a", &unseen)],
        false,
        true,
        "loss by step\nnothing to plot",
    );
    check(
        &[("a", &[(1.0, 0.0), (2.0, -1.0)])],
        true,
        true,
        "loss by step (log)\nnothing to plot",
    );
}

#[test]
fn a_single_point() {
    check(
        &[("a", &[(3.0, 0.5)])],
        false,
        false,
        "
loss by step
0.55 +
     |
0.50 +                 o
     |
0.45 +
     ++----------------+---------------+
      2                3               4
o a",
    );
}

#[test]
fn a_constant() {
    check(
        &[("a", &[(0.0, 0.5), (10.0, 0.5)])],
        false,
        true,
        "
loss by step
0.55 ┤
     │
0.50 ┤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤●
     │
0.45 ┤
     └┴────────────────┴───────────────┴
      0                5              10
● a",
    );
}

#[test]
fn gaps() {
    let points = [
        (0.0, 1.0),
        (3.0, 4.0),
        (5.0, f64::NAN),
        (7.0, 4.0),
        (10.0, 1.0),
    ];
    check(
        &[("a", &points)],
        false,
        true,
        "
loss by step
4 ┤         ⣀⠔⠁             ⠈⠢⣀
  │       ⡠⠊                   ⠑⢄
  │    ⢀⠔⠊                       ⠑⠤⡀
2 ┤  ⢀⠔⠁                           ⠈⠢⡀
  │⡠⠊⠁                               ⠈⠑●
  └┴─────────────────┴─────────────────┴
   0                 5                10
● a",
    );
}

#[test]
fn powers_of_ten() {
    let points: Vec<(f64, f64)> = (0..=8).map(|n| (f64::from(n), 10f64.powi(-n))).collect();
    check(
        &[("falling", &points)],
        true,
        true,
        "
loss by step (log)
      │⠉⠒⠒⠤⠤⣀
0.001 ┤      ⠉⠑⠒⠤⠤⣀⣀⡀
      │             ⠈⠉⠑⠒⠢⢄⣀
      │                    ⠉⠑⠒⠢⠤⢄⡀
 1e-8 ┤                          ⠈⠉⠒⠢⠤⢄●
      └┴───────────────────┴────────────
       0                   5
● falling",
    );
}

#[test]
fn the_widest_range_there_is() {
    check(
        &[("a", &[(0.0, f64::MIN), (1.0, f64::MAX)])],
        false,
        false,
        "
loss by step
 1.798e308 +                        oooo
           |                 ooooooo
           |           oooooo
           |    ooooooo
-1.798e308 +oooo
           ++--------------------------+
            0                          1
o a",
    );
}

#[test]
fn two_equal_curves_are_both_seen() {
    let points = [(0.0, 0.0), (100.0, 1.0)];
    check(
        &[("a", &points), ("b", &points)],
        false,
        false,
        "
loss by step
1 +                                oxoxo
  |                       xoxoxoxox
  |              oxoxoxoxo
  |     xoxoxoxox
0 +oxoxo
  ++--------+--------+--------+--------+
   0       25       50       75      100
o a   x b",
    );
}

#[test]
fn crossing_curves() {
    let up: Vec<(f64, f64)> = (0..=40).map(|n| (f64::from(n), f64::from(n))).collect();
    let down: Vec<(f64, f64)> = (0..=40)
        .map(|n| (f64::from(n), f64::from(40 - n)))
        .collect();
    check(
        &[("up", &up), ("down", &down)],
        false,
        true,
        "
loss by step
40 ┤⠉⠑⠒⠤⠤⣀■                      ⣀⡠⠤⠔⠒⠉●
   │      ⠈⠉⠑⠒⠢⠤⣀⣀        ⣀⡠●⠔⠒⠉⠉
20 ┤              ⣉⡱⠶⠖■⠶⣉⣉
   │      ⢀⣀⡠⠤⠔⠒●⠉        ⠉⠑⠒⠢⠤⣀⣀
 0 ┤●⡠⠤⠒⠒⠉⠁                      ⠉■⠒⠢⠤⣀■
   └┴────────┴────────┴───────┴────────┴
    0       10       20      30       40
● up   ■ down",
    );
}
