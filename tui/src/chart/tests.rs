//! Charts as they look, beside what they looked like when a person last approved, and what holds
//! for any chart.
//!
//! After a wanted change: `UPDATE_SNAPSHOTS=1 cargo test -p attune-tui`, then read the difference.

use super::*;
use crate::style::ColorDepth;
use attune_protocol::Bucket;
use attune_protocol::Number;
use ratatui::layout::Position;
use std::path::Path;

const PLAIN: Style = Style {
    color: ColorDepth::None,
    unicode: true,
    ..Style::ASCII
};

/// The cells of a buffer as lines of text.
fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for row in buffer.area.rows() {
        let cells = row.columns().map(|cell| buffer[(cell.x, cell.y)].symbol());
        let line: String = cells.collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Compares a chart of a size with its file.
fn check(name: &str, (width, height): (u16, u16), chart: &Chart<'_>) -> ChartLayout {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    let layout = chart.draw(buffer.area, &mut buffer);
    let actual = text(&buffer);
    let file = format!("tests/snapshots/chart_{name}.txt");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        let written = std::fs::write(&path, &actual);
        assert!(written.is_ok(), "{file} cannot be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        actual == expected,
        "{file} says\n{expected}\nbut the chart is\n{actual}"
    );
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
