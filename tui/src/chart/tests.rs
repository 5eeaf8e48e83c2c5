//! Charts as they look, beside what they looked like when a person last approved, and what holds
//! for any chart.
//!
//! After a wanted change: `UPDATE_SNAPSHOTS=1 cargo test -p attune-tui`, then read the difference.

#[path = "../../tests/approved/mod.rs"]
mod approved;

use super::*;
use crate::paint::screen_text;
use crate::style::ColorDepth;
use approved::approved;
use attune_protocol::Bucket;
use attune_protocol::Number;
use ratatui::layout::Position;

const PLAIN: Style = Style {
    color: ColorDepth::None,
    unicode: true,
    ..Style::ASCII
};

/// Compares a chart of a size with its file.
fn check(name: &str, (width, height): (u16, u16), chart: &Chart<'_>) -> ChartLayout {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    let layout = chart.draw(buffer.area, &mut buffer);
    let actual = screen_text(&buffer);
    approved(&format!("chart_{name}"), &actual);
    assert!(chart.style.unicode || actual.is_ascii(), "{name}");
    layout
}

/// A made-up trial: its loss and its rate by epoch.
struct Trial {
    label: String,
    loss: Vec<(f64, f64)>,
    rate: Vec<(f64, f64)>,
    marks: Vec<Mark>,
}

const EPOCHS: u32 = 60;

/// Noise between -1 and 1, always the same.
fn noise(n: u32) -> f64 {
    let mixed = n.wrapping_mul(2_654_435_761) ^ (n.wrapping_mul(40_503) >> 3);
    f64::from(mixed.wrapping_mul(2_246_822_519) >> 8) / f64::from(1 << 23) - 1.0
}

fn trial(n: u32) -> Trial {
    let epochs = match n % 4 {
        _ if n < 3 => EPOCHS,
        0 => 7,
        1 | 2 => 20,
        _ => EPOCHS,
    };
    let kind = f64::from(n);
    let loss = |epoch: u32| {
        let e = f64::from(epoch);
        let end = 0.08 + 0.03 * kind;
        end + 2.2 * (-e / (4.0 + 1.5 * kind)).exp()
            + 0.04 * noise(n * 1000 + epoch) / (1.0 + e / 20.0)
    };
    let rate = |epoch: u32| {
        let part = f64::from(epoch) / f64::from(EPOCHS);
        match n % 3 {
            0 => 0.05 * (1.0 + (part * std::f64::consts::PI).cos()) + 1e-4,
            1 => 0.08 * 0.5f64.powi((epoch / 12) as i32),
            _ => 0.03 * (1.0 - (2.0 * part - 0.6).abs()).max(0.02),
        }
    };
    let rungs = [7, 20].into_iter().filter(|rung| *rung <= epochs);
    let mut marks: Vec<Mark> = rungs
        .map(|rung| Mark {
            x: f64::from(rung),
            kind: MarkKind::Rung,
        })
        .collect();
    if n == 0 {
        marks.push(Mark {
            x: 52.0,
            kind: MarkKind::Best,
        });
    }
    if n == 1 {
        marks.push(Mark {
            x: 36.0,
            kind: MarkKind::Intervention,
        });
    }
    let by_epoch = |value: &dyn Fn(u32) -> f64| {
        (1..=epochs)
            .map(|epoch| (f64::from(epoch), value(epoch)))
            .collect()
    };
    Trial {
        label: format!("s12.{}", n + 1),
        loss: by_epoch(&loss),
        rate: by_epoch(&rate),
        marks,
    }
}

fn trials(count: u32) -> Vec<Trial> {
    (0..count).map(trial).collect()
}

/// The losses of all trials and below them the rates of the chosen ones, the first `chosen`.
fn study(trials: &[Trial], chosen: usize) -> Vec<Panel<'_>> {
    let role = |n: usize, trial: &Trial| match n {
        _ if n < chosen => Role::Chosen(n),
        _ if trial.loss.len() < EPOCHS as usize => Role::Stopped,
        _ => Role::Other,
    };
    let mut losses = Vec::new();
    let mut rates = Vec::new();
    for (n, trial) in trials.iter().enumerate() {
        let marks: &[Mark] = &trial.marks;
        losses.push(Curve {
            marks,
            ..Curve::new(&trial.label, Points::Pairs(&trial.loss), role(n, trial))
        });
        if n < chosen {
            rates.push(Curve {
                stairs: true,
                ..Curve::new(&trial.label, Points::Pairs(&trial.rate), role(n, trial))
            });
        }
    }
    vec![
        Panel {
            weight: 2,
            better: Some(Direction::Minimize),
            ..Panel::new("valid loss", losses)
        },
        Panel {
            values: Values::Rate,
            missing: "choose trials to see their rates",
            ..Panel::new("learning rate", rates)
        },
    ]
}

fn chart<'a>(panels: Vec<Panel<'a>>, view: &'a View, style: Style) -> Chart<'a> {
    Chart::new(panels, XAxis::new(Unit::Epoch), view, style)
}

#[test]
fn a_study() {
    let trials = trials(16);
    let view = View::default();
    for (name, size, style) in [
        ("study_120", (120, 36), PLAIN),
        ("study_80", (80, 24), PLAIN),
        ("study_60", (60, 20), PLAIN),
        ("study_80_ascii", (80, 24), Style::ASCII),
        ("study_tiny", (20, 5), PLAIN),
    ] {
        let chart = Chart {
            guides: &[7.0, 20.0],
            ..chart(study(&trials, 3), &view, style)
        };
        check(name, size, &chart);
    }
}

#[test]
fn the_cross_hair_tells_every_chosen_curves_value() {
    let trials = trials(12);
    let view = View::default();
    for (name, size, style) in [
        ("cursor_110", (110, 26), PLAIN),
        ("cursor_80_ascii", (80, 20), Style::ASCII),
    ] {
        let chart = Chart {
            cursor: Some(31.2),
            anchor: Some(10.0),
            ..chart(study(&trials, 4), &view, style)
        };
        check(name, size, &chart);
    }
}

#[test]
fn zoomed() {
    let trials = trials(12);
    let view = View {
        x: Some((15.0, 25.0)),
        y: vec![Some((0.0, 0.5))],
    };
    let layout = check(
        "zoomed_80",
        (80, 24),
        &chart(study(&trials, 3), &view, PLAIN),
    );
    assert_eq!(layout.x_range(), Some((15.0, 25.0)));
    assert_eq!(layout.panels()[0].y_range(), Some((0.0, 0.5)));
}

/// A chart of a single panel with one chosen curve.
fn check_one(name: &str, size: (u16, u16), panel: Panel<'_>, x: XAxis, style: Style) {
    let view = View::default();
    check(name, size, &Chart::new(vec![panel], x, &view, style));
}

#[test]
fn logarithmic_axes() {
    let losses: Vec<(f64, f64)> = (0..=100_000)
        .map(|n| {
            (
                f64::from(n),
                3.0 / (1.0 + f64::from(n)).powf(0.7) * (1.0 + 0.3 * noise(n)),
            )
        })
        .collect();
    let curves = vec![Curve::new("s1.1", Points::Pairs(&losses), Role::Chosen(0))];
    let panel = Panel {
        log_y: true,
        ..Panel::new("train loss", curves)
    };
    let x = XAxis {
        unit: Unit::Step,
        log: true,
    };
    check_one("log_80", (80, 20), panel, x, PLAIN);
}

#[test]
fn a_loss_that_explodes_does_not_squash_the_rest() {
    let usual = trial(0).loss;
    let mut explodes: Vec<(f64, f64)> = trial(2).loss.iter().copied().take(30).collect();
    explodes.extend([
        (31.0, 40.0),
        (32.0, 9e5),
        (33.0, 3e12),
        (34.0, f64::INFINITY),
    ]);
    let curves = vec![
        Curve::new("s1.1", Points::Pairs(&usual), Role::Chosen(0)),
        Curve::new("s1.2", Points::Pairs(&explodes), Role::Chosen(1)),
    ];
    let panel = Panel {
        better: Some(Direction::Minimize),
        ..Panel::new("valid loss", curves)
    };
    check_one(
        "outlier_80",
        (80, 18),
        panel,
        XAxis::new(Unit::Epoch),
        PLAIN,
    );
}

#[test]
fn gaps_and_zeros() {
    let nan = f64::NAN;
    let gaps = [
        (0.0, 0.1),
        (1.0, 0.05),
        (2.0, nan),
        (3.0, 0.02),
        (4.0, nan),
        (5.0, 0.01),
        (6.0, 0.0),
        (7.0, 0.0),
        (8.0, 0.004),
        (9.0, 0.002),
    ];
    let curves = vec![Curve::new("s1.1", Points::Pairs(&gaps), Role::Chosen(0))];
    let panel = Panel {
        log_y: true,
        values: Values::Rate,
        ..Panel::new("learning rate", curves)
    };
    check_one("gaps_60", (60, 14), panel, XAxis::new(Unit::Epoch), PLAIN);
}

#[test]
fn smoothed() {
    let losses: Vec<(f64, f64)> = (0..4000)
        .map(|n| {
            (
                f64::from(n) * 3.0,
                1.0 + 2.0 * (-f64::from(n) / 700.0).exp() + 0.5 * noise(n),
            )
        })
        .collect();
    for (name, style) in [("smoothed_80", PLAIN), ("smoothed_80_ascii", Style::ASCII)] {
        let curves = vec![Curve::new("s1.1", Points::Pairs(&losses), Role::Chosen(0))];
        let panel = Panel {
            smoothing: 0.98,
            ..Panel::new("train loss", curves)
        };
        check_one(name, (80, 18), panel, XAxis::new(Unit::Seconds), style);
    }
}

#[test]
fn stretches_of_steps_are_a_band() {
    let bucket = |n: u32| {
        let mean = 1.0 + 2.0 * (-f64::from(n) / 12.0).exp();
        Bucket {
            from: u64::from(n) * 100,
            to: u64::from(n) * 100 + 99,
            min: Number(mean - 0.3 - 0.1 * noise(n)),
            mean: Number(mean),
            max: Number(mean + 0.5 + 0.3 * noise(n + 99)),
            last: Number(mean),
        }
    };
    let buckets: Vec<Bucket> = (0..60).map(bucket).collect();
    let curves = || {
        vec![Curve::new(
            "s1.1",
            Points::Buckets(&buckets),
            Role::Chosen(0),
        )]
    };
    let x = XAxis::new(Unit::Step);
    check_one(
        "band_80",
        (80, 16),
        Panel::new("train loss", curves()),
        x,
        PLAIN,
    );
    check_one(
        "band_80_ascii",
        (80, 16),
        Panel::new("train loss", curves()),
        x,
        Style::ASCII,
    );
}

#[test]
fn what_is_missing_is_said_in_words() {
    let said = |curves: Vec<Curve<'_>>, log_y: bool, view: View| {
        let panel = Panel {
            log_y,
            missing: "choose a trial",
            ..Panel::new("loss", curves)
        };
        let mut buffer = Buffer::empty(Rect::new(0, 0, 70, 8));
        chart(vec![panel], &view, PLAIN).draw(buffer.area, &mut buffer);
        screen_text(&buffer)
    };
    let one = |points| vec![Curve::new("s1.1", Points::Pairs(points), Role::Chosen(0))];
    let zoomed = View {
        x: Some((10.0, 20.0)),
        ..View::default()
    };
    let table = [
        (None, false, "no points yet"),
        (Some((1.0, f64::NAN)), false, "no finite value"),
        (Some((1.0, f64::INFINITY)), false, "no finite value"),
        (Some((1.0, 0.0)), true, "no value above zero"),
    ];
    for (point, log_y, words) in &table {
        let shown = said(one(point.as_slice()), *log_y, View::default());
        assert!(shown.contains(words), "{words}:\n{shown}");
    }
    let shown = said(Vec::new(), false, View::default());
    assert!(shown.contains("choose a trial"), "{shown}");
    let shown = said(one(&[(1.0, 1.0), (2.0, 2.0)]), false, zoomed);
    assert!(shown.contains("nothing in sight"), "{shown}");
}

#[test]
fn a_legend_is_cut_to_its_room() {
    let trials = trials(40);
    let view = View::default();
    let panels = || study(&trials, 40);
    check("crowd_120", (120, 24), &chart(panels(), &view, PLAIN));
    check("crowd_80", (80, 24), &chart(panels(), &view, PLAIN));
}

#[test]
fn clicks_find_curves() {
    let trials = trials(12);
    let view = View::default();
    for (width, height) in [(120, 30), (80, 24)] {
        let chart = chart(study(&trials, 3), &view, PLAIN);
        let mut buffer = Buffer::empty(Rect::new(5, 3, width, height));
        let layout = chart.draw(buffer.area, &mut buffer);
        let panel = &layout.panels()[0];
        let column = layout.column_of(30.0).unwrap();
        for (number, trial) in trials.iter().enumerate().take(3) {
            let row = panel.row_of(trial.loss[29].1).unwrap();
            let at = Position::new(column, row);
            let (found_panel, found) = chart.curve_near(&layout, at, 0).unwrap();
            let found_row = panel.row_of(trials[found].loss[29].1).unwrap();
            assert_eq!((found_panel, found_row), (0, row), "{number}");
        }
        assert_eq!(
            chart.curve_near(&layout, Position::new(column, panel.plot.y), 2),
            None
        );
        // The name of each chosen curve is somewhere, and a click on it finds it.
        let cells = buffer.area.positions();
        let mut named: Vec<_> = cells.filter_map(|at| layout.curve_at(at)).collect();
        named.dedup();
        assert!(named.starts_with(&[(0, 0)]), "{named:?}");
        assert!(
            named.contains(&(0, 1)) && named.contains(&(0, 2)),
            "{named:?}"
        );
    }
}

/// A layout of one panel from 0 to 100 on both axes.
fn square(view: &View, log: bool) -> ChartLayout {
    let points: Vec<(f64, f64)> = (1..=100).map(|n| (f64::from(n), f64::from(n))).collect();
    let panel = Panel {
        log_y: log,
        ..Panel::new(
            "y",
            vec![Curve::new("a", Points::Pairs(&points), Role::Chosen(0))],
        )
    };
    let x = XAxis {
        unit: Unit::Step,
        log,
    };
    let mut buffer = Buffer::empty(Rect::new(0, 0, 90, 30));
    Chart::new(vec![panel], x, view, PLAIN).draw(buffer.area, &mut buffer)
}

fn near(a: (f64, f64), b: (f64, f64)) -> bool {
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-6 * (1.0 + a.abs().max(b.abs()));
    close(a.0, b.0) && close(a.1, b.1)
}

#[test]
fn zooming_keeps_its_middle_and_finds_back() {
    for log in [false, true] {
        let mut view = View::default();
        let layout = square(&view, log);
        let column = layout.column_of(40.0).unwrap();
        view.zoom_x(&layout, 40.0, 4.0);
        view.zoom_y(&layout, 0, 40.0, 4.0);
        let zoomed = square(&view, log);
        assert_eq!(
            zoomed.column_of(40.0),
            Some(column),
            "what is zoomed at stays"
        );
        let (low, high) = zoomed.x_range().unwrap();
        assert!(low > 1.0 && high < 100.0 && !view.is_fit());
        view.zoom_x(&zoomed, 40.0, 0.25);
        view.zoom_y(&zoomed, 0, 40.0, 0.2);
        assert!(view.is_fit(), "{view:?}");
        view.zoom_x(&layout, 40.0, 4.0);
        view.fit();
        assert_eq!(view, View::default());
    }
}

#[test]
fn panning_stops_at_the_ends() {
    let mut view = View::default();
    view.pan_x(&square(&view, false), 0.5);
    assert!(view.is_fit(), "there is nowhere to go");
    view.x = Some((20.0, 40.0));
    view.pan_x(&square(&view, false), 0.25);
    assert!(near(view.x.unwrap(), (25.0, 45.0)), "{view:?}");
    view.pan_x(&square(&view, false), 100.0);
    assert!(near(view.x.unwrap(), (80.0, 100.0)), "{view:?}");
    view.pan_x(&square(&view, false), -100.0);
    assert!(near(view.x.unwrap(), (1.0, 21.0)), "{view:?}");
    view.pan_y(&square(&view, false), 0, 1.0);
    let (low, high) = view.y(0).unwrap();
    assert!(high > 21.0 && low < high, "{view:?}");
}

#[test]
fn a_dragged_box_is_what_is_seen_next() {
    let mut view = View::default();
    let layout = square(&view, false);
    let plot = layout.panels()[0].plot;
    let (from, to) = (
        Position::new(plot.x + 10, plot.y + 15),
        Position::new(plot.x + 30, plot.y + 5),
    );
    view.zoom_to(&layout, from, to);
    let seen = square(&view, false);
    let ends = (layout.x_at(from.x).unwrap(), layout.x_at(to.x).unwrap());
    assert!(near(seen.x_range().unwrap(), ends));
    let panel = &layout.panels()[0];
    let ends = (panel.y_at(from.y).unwrap(), panel.y_at(to.y).unwrap());
    assert!(near(seen.panels()[0].y_range().unwrap(), ends));

    let mut level = View::default();
    level.zoom_to(&layout, from, Position::new(to.x, from.y));
    assert!(level.x.is_some() && level.y.is_empty());
    let mut nothing = View::default();
    nothing.zoom_to(&layout, from, from);
    nothing.zoom_to(&layout, Position::new(0, 0), to);
    assert!(nothing.is_fit());
}

#[test]
fn colours_only_add_to_what_is_said_without_them() {
    let trials = trials(16);
    let view = View::default();
    let drawn = |color| {
        let style = Style {
            color,
            unicode: true,
            ..Style::ASCII
        };
        let chart = chart(study(&trials, 3), &view, style);
        let mut buffer = Buffer::empty(Rect::new(0, 0, 120, 36));
        chart.draw(buffer.area, &mut buffer);
        buffer
    };
    let plain = drawn(ColorDepth::None);
    assert!(
        plain
            .content
            .iter()
            .all(|cell| cell.style() == ratatui::buffer::Cell::default().style())
    );
    for color in [ColorDepth::Ansi16, ColorDepth::Ansi256, ColorDepth::True] {
        let colored = drawn(color);
        assert_eq!(screen_text(&colored), screen_text(&plain));
        let mut inks: Vec<_> = colored.content.iter().map(|cell| cell.fg).collect();
        inks.sort_by_key(|ink| format!("{ink:?}"));
        inks.dedup();
        assert!(inks.len() >= 5, "three curves, grey and plain: {inks:?}");
    }
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    fn float() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => -1e3..1e3,
            1 => any::<f64>(),
            1 => Just(f64::NAN),
            1 => Just(0.0),
            1 => Just(f64::INFINITY),
            1 => Just(f64::NEG_INFINITY),
        ]
    }

    /// Points with rising places, or with any.
    fn points() -> impl Strategy<Value = Vec<(f64, f64)>> {
        let any_points = prop::collection::vec((float(), float()), 0..60);
        let steps = prop::collection::vec((0.0..100.0f64, float()), 0..700);
        let rising = steps.prop_map(|steps| {
            let mut x = 0.0;
            let mut next = |(step, y): (f64, f64)| {
                x += step;
                (x, y)
            };
            steps.into_iter().map(&mut next).collect()
        });
        prop_oneof![1 => any_points, 3 => rising]
    }

    fn role() -> impl Strategy<Value = Role> {
        prop_oneof![
            (0usize..100).prop_map(Role::Chosen),
            Just(Role::Other),
            Just(Role::Stopped)
        ]
    }

    type OneCurve = (String, Vec<(f64, f64)>, Role, bool, f64, Vec<(f64, u8)>);

    fn curve() -> impl Strategy<Value = OneCurve> {
        (
            prop_oneof![any::<String>(), "[a-z温é\u{301}👩 \u{1b}\n]{0,20}"],
            points(),
            role(),
            any::<bool>(),
            prop_oneof![3 => Just(1.0), 1 => float()],
            prop::collection::vec((float(), 0u8..6), 0..4),
        )
    }

    fn range() -> impl Strategy<Value = Option<(f64, f64)>> {
        prop::option::weighted(0.4, (float(), float()))
    }

    const KINDS: [MarkKind; 6] = [
        MarkKind::Checkpoint,
        MarkKind::Rung,
        MarkKind::Pause,
        MarkKind::End,
        MarkKind::Best,
        MarkKind::Intervention,
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_chart_stays_in_its_area(
            curves in prop::collection::vec(curve(), 0..6),
            (x, y, z) in (0u16..6, 0u16..6, 0usize..4),
            (width, height) in prop_oneof![3 => (0u16..60, 0u16..30), 1 => (90u16..130, 0u16..30)],
            (log_x, log_y, legend, unicode) in any::<(bool, bool, bool, bool)>(),
            (cursor, anchor, guide) in (prop::option::of(float()), prop::option::of(float()), float()),
            smoothing in prop_oneof![2 => Just(0.0), 1 => float(), 1 => 0.0..1.0f64],
            (x_range, y_range) in (range(), range()),
            unit in prop_oneof![Just(Unit::Step), Just(Unit::Epoch), Just(Unit::Seconds)],
            drags in prop::collection::vec((0u16..140, 0u16..40, 0u16..140, 0u16..40, float()), 0..4),
        ) {
            let marks: Vec<Vec<Mark>> = curves
                .iter()
                .map(|curve| curve.5.iter().map(|&(x, kind)| Mark { x, kind: KINDS[kind as usize] }).collect())
                .collect();
            let panels = || {
                let all = curves.iter().zip(&marks).map(|((label, points, role, stairs, scale, _), marks)| Curve {
                    stairs: *stairs,
                    x_scale: *scale,
                    marks,
                    ..Curve::new(label, Points::Pairs(points), *role)
                });
                let panel = Panel {
                    log_y,
                    smoothing,
                    better: Some(Direction::Minimize),
                    ..Panel::new("title", all.clone().collect())
                };
                let more = (0..z).map(|_| Panel::new("\u{1b}[2J", all.clone().collect()));
                std::iter::once(panel).chain(more).collect::<Vec<_>>()
            };
            let mut view = View { x: x_range, y: vec![y_range] };
            let style = Style { color: ColorDepth::True, unicode, ..Style::ASCII };
            let area = Rect::new(x, y, width, height);
            let whole = Rect::new(0, 0, 140, 40);
            let guides = [guide];
            let draw = |view: &View| {
                let chart = Chart {
                    cursor,
                    anchor,
                    legend,
                    guides: &guides,
                    ..Chart::new(panels(), XAxis { unit, log: log_x }, view, style)
                };
                let mut buffer = Buffer::filled(whole, ratatui::buffer::Cell::new("~"));
                let layout = chart.draw(area, &mut buffer);
                for at in whole.positions().filter(|at| !area.contains(*at)) {
                    assert_eq!(buffer[at].symbol(), "~", "{at:?} is outside of {area:?}");
                }
                for cell in &buffer.content {
                    assert!(!cell.symbol().contains(char::is_control));
                }
                let near = chart.curve_near(&layout, Position::new(x + width / 2, y + height / 2), 3);
                assert!(near.is_none_or(|(_, curve)| curve < curves.len()));
                layout
            };
            let mut layout = draw(&view);
            for (from_x, from_y, to_x, to_y, value) in drags {
                view.zoom_to(&layout, Position::new(from_x, from_y), Position::new(to_x, to_y));
                view.zoom_x(&layout, value, 1.5);
                view.zoom_y(&layout, 0, value, 0.7);
                view.pan_x(&layout, value);
                view.pan_y(&layout, z, value);
                let (cell_x, cell_y) = (layout.x_at(from_x), layout.panels().first().and_then(|p| p.y_at(from_y)));
                prop_assert!(cell_x.is_none_or(f64::is_finite) && cell_y.is_none_or(f64::is_finite));
                if let Some(cell_x) = cell_x {
                    layout.step(cell_x, to_x.into());
                }
                layout = draw(&view);
            }
            view.fit();
            prop_assert!(view.is_fit() && view == View::default());
        }

        #[test]
        fn zooming_in_and_out_is_identity(
            about in 1.0..100.0f64,
            factor in 1.0..50.0f64,
            log: bool,
        ) {
            let mut view = View::default();
            view.zoom_x(&square(&view, log), about, factor);
            let zoomed = square(&view, log);
            view.zoom_x(&zoomed, about, 1.0 / factor);
            let back = square(&view, log);
            prop_assert!(near(back.x_range().unwrap(), (1.0, 100.0)), "{:?}", back.x_range());
        }

        #[test]
        fn cells_and_data_agree(columns in 0u16..90, rows in 0u16..30, log: bool) {
            let layout = square(&View::default(), log);
            let panel = &layout.panels()[0];
            let at = Position::new(panel.plot.x + columns % panel.plot.width, panel.plot.y + rows % panel.plot.height);
            let (x, y) = (layout.x_at(at.x).unwrap(), panel.y_at(at.y).unwrap());
            prop_assert_eq!(layout.column_of(x), Some(at.x));
            prop_assert_eq!(panel.row_of(y), Some(at.y));
        }
    }
}
