//! How long does a chart take to draw?
//!
//! Every chart is drawn into the buffer of a screen of 120 by 40 again and again; the table tells
//! the least, the median and the 99th percentile of it; on a machine that does other things too the
//! least is what the drawing itself takes. Beside it stands the floor, below which no program
//! that looks at every point and fills every cell can come: the time to read the points once (in
//! the order in which they lie, keeping the greatest) and to write the cells that were filled.

use attune_protocol::{Bucket, Number};
use attune_tui::chart::{Chart, Curve, Panel, Points, Role, Unit, View, XAxis};
use attune_tui::{ColorDepth, Style};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::hint::black_box;
use std::time::{Duration, Instant};

const SCREEN: Rect = Rect::new(0, 0, 120, 40);
const ROUNDS: usize = 200;
const STYLE: Style = Style {
    color: ColorDepth::True,
    unicode: true,
    ..Style::ASCII
};

fn main() {
    let long = curve(0, 1_000_000);
    let (xs, ys): (Vec<f64>, Vec<f64>) = long.iter().copied().unzip();
    let numbers: Vec<(Number, Number)> = long.iter().map(|p| (Number(p.0), Number(p.1))).collect();
    let buckets: Vec<Bucket> = long.chunks(500).map(bucket).collect();
    let many: Vec<Vec<(f64, f64)>> = (0..200).map(|n| curve(n, 200)).collect();
    let everything = View::default();
    let zoomed = View {
        x: Some((400_000.0, 500_000.0)),
        ..View::default()
    };
    println!("120 by 40 cells, {ROUNDS} rounds, times in milliseconds\n");
    println!(
        "{:<46} {:>7} {:>7} {:>7} {:>7} {:>10} {:>6}",
        "chart", "least", "median", "p99", "floor", "bytes read", "cells"
    );

    let one = |points, panel: fn(Panel<'_>) -> Panel<'_>| {
        panel(Panel::new(
            "loss",
            vec![Curve::new("s1.1", points, Role::Chosen(0))],
        ))
    };
    let as_is: fn(Panel<'_>) -> Panel<'_> = |panel| panel;
    let log: fn(Panel<'_>) -> Panel<'_> = |panel| Panel {
        log_y: true,
        ..panel
    };
    let smooth: fn(Panel<'_>) -> Panel<'_> = |panel| Panel {
        smoothing: 0.99,
        ..panel
    };
    let smoother: fn(Panel<'_>) -> Panel<'_> = |panel| Panel {
        smoothing: 0.999,
        ..panel
    };
    let pairs = || Points::Pairs(&long);
    let table = [
        ("1,000,000 points, pairs", pairs(), as_is, &everything),
        (
            "1,000,000 points, pairs off the wire",
            Points::Numbers(&numbers),
            as_is,
            &everything,
        ),
        (
            "1,000,000 points, x and y apart",
            Points::Columns { xs: &xs, ys: &ys },
            as_is,
            &everything,
        ),
        ("1,000,000 points, logarithmic", pairs(), log, &everything),
        (
            "1,000,000 points, smoothed by 0.99",
            pairs(),
            smooth,
            &everything,
        ),
        (
            "1,000,000 points, smoothed by 0.999",
            pairs(),
            smoother,
            &everything,
        ),
        (
            "1,000,000 points, a tenth of them in sight",
            pairs(),
            as_is,
            &zoomed,
        ),
        (
            "2,000 stretches of steps",
            Points::Buckets(&buckets),
            as_is,
            &everything,
        ),
    ];
    for (name, points, panel, view) in table {
        let seen = if view.is_fit() {
            points.len()
        } else {
            points.len() / 10
        };
        let chart = || {
            Chart::new(
                vec![one(points, panel)],
                XAxis::new(Unit::Step),
                view,
                STYLE,
            )
        };
        let floor = || match points {
            Points::Pairs(points) => greatest(points[..seen].iter().map(|p| p.1)),
            Points::Numbers(points) => greatest(points[..seen].iter().map(|p| p.1.0)),
            Points::Columns { ys, .. } => greatest(ys[..seen].iter().copied()),
            _ => greatest((0..seen).map(|n| points.y(n))),
        };
        tell(name, size_of::<(f64, f64)>() * seen, floor, |buffer| {
            chart().draw(SCREEN, buffer);
        });
    }
    for (name, chosen, cursor, log_y) in [
        ("200 curves of 200 points, 8 chosen", 8, None, false),
        ("the same, logarithmic", 8, None, true),
        ("the same, with the cross-hair", 8, Some(120.0), false),
        ("200 curves of 200 points, all chosen", 200, None, false),
        (
            "two panels, rates of 8 below, the cross-hair",
            8,
            Some(120.0),
            false,
        ),
    ] {
        let role = |n: usize| match n {
            _ if n < chosen => Role::Chosen(n),
            _ if n.is_multiple_of(3) => Role::Other,
            _ => Role::Stopped,
        };
        let curves = |upto: usize| {
            let named = many.iter().enumerate().take(upto);
            named
                .map(|(n, points)| Curve::new("s1.123", Points::Pairs(points), role(n)))
                .collect()
        };
        let floor = || {
            let points = many.iter().flatten();
            greatest(points.map(|point| point.1))
        };
        tell(name, size_of::<(f64, f64)>() * 200 * 200, floor, |buffer| {
            let mut panels = vec![Panel {
                weight: 2,
                log_y,
                ..Panel::new("loss", curves(200))
            }];
            if name.starts_with("two") {
                panels.push(Panel::new("learning rate", curves(chosen)));
            }
            let chart = Chart {
                cursor,
                ..Chart::new(panels, XAxis::new(Unit::Epoch), &everything, STYLE)
            };
            chart.draw(SCREEN, buffer);
        });
    }
}

/// Draws again and again, and prints a row of the table.
fn tell(name: &str, bytes: usize, floor: impl Fn() -> f64, draw: impl Fn(&mut Buffer)) {
    let mut buffer = Buffer::empty(SCREEN);
    let mut times = timed(|| {
        buffer.reset();
        draw(black_box(&mut buffer));
    });
    times.sort();
    let cells = buffer
        .content
        .iter()
        .filter(|cell| cell.symbol() != " ")
        .count();
    let mut reading = timed(|| {
        black_box(floor());
    });
    let mut writing = timed(|| {
        for cell in buffer.content.iter_mut().take(cells) {
            black_box(cell.set_char('⣿').set_style(ratatui::style::Style::new()));
        }
    });
    reading.sort();
    writing.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{name:<46} {:>7.3} {:>7.3} {:>7.3} {:>7.3} {bytes:>10} {cells:>6}",
        ms(times[0]),
        ms(times[ROUNDS / 2]),
        ms(times[ROUNDS * 99 / 100]),
        ms(reading[ROUNDS / 2] + writing[ROUNDS / 2]),
    );
}

fn timed(mut once: impl FnMut()) -> Vec<Duration> {
    let round = |_| {
        let begun = Instant::now();
        once();
        begun.elapsed()
    };
    (0..ROUNDS).map(round).collect()
}

/// The greatest value, of four rows in turn so that no comparison waits for the one before.
fn greatest(values: impl Iterator<Item = f64>) -> f64 {
    let mut most = [f64::NEG_INFINITY; 4];
    for (n, value) in values.enumerate() {
        let most = &mut most[n % 4];
        *most = if value > *most { value } else { *most };
    }
    most.into_iter().fold(f64::NEG_INFINITY, f64::max)
}

/// A noisy learning curve.
fn curve(n: u32, points: u32) -> Vec<(f64, f64)> {
    let noise = |m: u32| f64::from((m ^ n).wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24);
    let falls = |m: u32| {
        let part = f64::from(m) / f64::from(points);
        let kind = 1.0 + f64::from(n % 17);
        0.05 * kind + 2.0 * (-part * kind).exp() + 0.1 * noise(m)
    };
    (0..points).map(|m| (f64::from(m), falls(m))).collect()
}

fn bucket(of: &[(f64, f64)]) -> Bucket {
    let values = || of.iter().map(|point| point.1);
    let count = of.len() as f64;
    Bucket {
        from: of[0].0 as u64,
        to: of[of.len() - 1].0 as u64,
        min: Number(values().fold(f64::INFINITY, f64::min)),
        mean: Number(values().sum::<f64>() / count),
        max: Number(values().fold(f64::NEG_INFINITY, f64::max)),
        last: Number(of[of.len() - 1].1),
    }
}
