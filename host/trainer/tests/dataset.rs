//! From an untidy table to a dataset.

#![allow(
    clippy::unwrap_used,
    reason = "clippy does not know that helpers belong to tests"
)]

mod support;

use attune_trainer::data::{
    ColumnAction, ColumnKind, DataError, DataOptions, Dataset, Part, Shape, Shares, Table, Task,
    TaskKind,
};
use std::fmt::Write;
use support::{flowers, stripes_table};

fn untidy() -> Table {
    let mut text = String::from("\u{feff}id,größe,Stadt,angelegt,leer,fest,notiz,ja,klasse\n");
    for row in 0..120 {
        let city = ["\"Köln, Deutz\"", "Bonn", "Aachen"][row % 3];
        let size = if row % 10 == 0 {
            "n/a".into()
        } else {
            format!("{}.5", row % 13)
        };
        let class = match row {
            0 => "einzeln",
            _ if row % 12 == 0 => "selten",
            _ => "häufig",
        };
        writeln!(
            text,
            "{},{size},{city},2024-{:02}-{:02},,1,text number {row},{},{class}",
            1000 + row,
            row % 12 + 1,
            row % 28 + 1,
            ["yes", "no"][row % 2]
        )
        .unwrap();
    }
    Table::parse("untidy.csv", text.as_bytes()).unwrap()
}

#[test]
fn every_column_is_reported_and_the_useful_ones_are_encoded() {
    let data = Dataset::prepare(&untidy(), &DataOptions::of_target("klasse")).unwrap();
    let found: Vec<_> = data
        .report()
        .iter()
        .map(|report| (report.column.as_str(), report.kind, report.action))
        .collect();
    let (encoded, dropped) = (ColumnAction::Encoded, ColumnAction::Dropped);
    assert_eq!(
        found,
        [
            ("id", ColumnKind::Identifier, dropped),
            ("größe", ColumnKind::Numeric, encoded),
            ("Stadt", ColumnKind::Categorical, encoded),
            ("angelegt", ColumnKind::Date, encoded),
            ("leer", ColumnKind::Empty, dropped),
            ("fest", ColumnKind::Constant, dropped),
            ("notiz", ColumnKind::Identifier, dropped),
            ("ja", ColumnKind::Boolean, encoded),
            ("klasse", ColumnKind::Target, ColumnAction::Predicted),
        ]
    );
    // A number with its mark, three cities, a date in five, a truth value.
    assert_eq!(data.preprocessor().width(), 2 + 3 + 5 + 1);
    let classes = vec!["einzeln".to_owned(), "häufig".into(), "selten".into()];
    assert_eq!(data.task(), &Task::Classification { classes });
    assert!(
        data.report()[8]
            .detail
            .contains("1 with a single row, used for training only (einzeln)")
    );
    let rows = [Part::Train, Part::Valid, Part::Test].map(|part| data.part(part).rows());
    assert_eq!(rows.iter().sum::<usize>(), 120);
}

#[test]
fn preparing_twice_gives_the_same_and_another_seed_another_split() {
    let options = DataOptions::of_target("kind");
    let first = Dataset::prepare(&flowers(100), &options).unwrap();
    assert_eq!(first, Dataset::prepare(&flowers(100), &options).unwrap());
    let other = DataOptions { seed: 1, ..options };
    assert_ne!(first, Dataset::prepare(&flowers(100), &other).unwrap());
}

#[test]
fn ignored_columns_are_left_out() {
    let options = DataOptions {
        ignore: vec!["colour".into()],
        ..DataOptions::of_target("kind")
    };
    let data = Dataset::prepare(&flowers(100), &options).unwrap();
    assert!(
        data.preprocessor()
            .columns()
            .all(|column| column != "colour")
    );
}

/// A wild value may move what training rows become only where it stands in one of them.
#[test]
fn only_training_rows_are_looked_at() {
    let train_with = |wild: Option<usize>| {
        let mut text = String::from("x,y\n");
        for row in 0..40 {
            let cell = if wild == Some(row) {
                1e6
            } else {
                (row * row % 17) as f64
            };
            writeln!(text, "{cell},{}", ["a", "b"][row % 2]).unwrap();
        }
        let table = Table::parse("data.csv", text.as_bytes()).unwrap();
        let data = Dataset::prepare(&table, &DataOptions::of_target("y")).unwrap();
        data.part(Part::Train).clone()
    };
    let clean = train_with(None);
    let moved = (0..40)
        .filter(|&row| train_with(Some(row)) != clean)
        .count();
    assert_eq!(moved, clean.rows());
}

/// Whatever the split, and after the table's own notes.
#[test]
fn cells_that_cannot_be_read_are_counted_over_all_parts() {
    let mut text = String::from("a,b,,y\n");
    for row in 0..60 {
        let a = if row % 6 == 0 { "offline" } else { "1.5" };
        let b = if row == 7 {
            "oops".into()
        } else {
            row.to_string()
        };
        writeln!(text, "{a},{b},{},{}", row % 5, row % 2).unwrap();
    }
    let table = Table::parse("data.csv", text.as_bytes()).unwrap();
    for seed in 0..5 {
        let options = DataOptions {
            seed,
            ..DataOptions::of_target("y")
        };
        let data = Dataset::prepare(&table, &options).unwrap();
        assert_eq!(
            data.notes(),
            [
                "column 3 has no header and is called `column_3`",
                "column `a`: 10 cells could not be read and count as missing",
                "column `b`: 1 cell could not be read and counts as missing",
            ]
        );
    }
}

#[test]
fn numbers_with_three_tenths_of_text_are_learnt_from_whatever_the_seed() {
    let mut text = String::from("a,y\n");
    for row in 0..400 {
        let cell = match row % 10 {
            0 | 3 => "error".into(),
            6 => "offline".into(),
            _ => format!("{row}.5"),
        };
        writeln!(text, "{cell},{}", row % 2).unwrap();
    }
    let table = Table::parse("data.csv", text.as_bytes()).unwrap();
    for seed in 0..20 {
        let options = DataOptions {
            seed,
            ..DataOptions::of_target("y")
        };
        let data = Dataset::prepare(&table, &options).unwrap();
        assert_eq!(data.report()[0].kind, ColumnKind::Numeric, "seed {seed}");
        assert_eq!(
            data.notes(),
            ["column `a`: 120 cells could not be read and count as missing"]
        );
    }
}

#[test]
fn what_cannot_be_a_dataset_is_refused() {
    let prepare = |text: &str, options: DataOptions| {
        let table = Table::parse("data.csv", text.as_bytes()).unwrap();
        Dataset::prepare(&table, &options).unwrap_err()
    };
    let many = |cell: &str| {
        format!(
            "x,y\n{}",
            (0..20)
                .map(|i| format!("{cell},{}\n", i % 2))
                .collect::<String>()
        )
    };

    let error = prepare("x,yield\n1,2\n", DataOptions::of_target("yeild"));
    assert!(
        error.to_string().ends_with("did you mean `yield`?"),
        "{error}"
    );
    let error = prepare("a,y,y\n1,2,2\n", DataOptions::of_target("y"));
    assert!(matches!(
        error,
        DataError::RepeatedColumn {
            first: 2,
            again: 3,
            ..
        }
    ));
    let error = prepare(&many("5"), DataOptions::of_target("y"));
    assert!(matches!(error, DataError::NoFeatures { dropped: 1, .. }));
    let error = prepare("x,y\n1,a\n2,b\n", DataOptions::of_target("y"));
    assert!(matches!(
        error,
        DataError::TooFewRows {
            rows: 2,
            part: "validation",
            ..
        }
    ));
    let shares = Shares {
        train: 0.5,
        valid: 0.2,
        test: 0.2,
    };
    let error = prepare(
        &many("5"),
        DataOptions {
            shares,
            ..DataOptions::of_target("y")
        },
    );
    assert!(matches!(error, DataError::BadShares { .. }));
    let regression = DataOptions {
        task: Some(TaskKind::Regression),
        ..DataOptions::of_target("kind")
    };
    let error = Dataset::prepare(&flowers(30), &regression).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("flowers.csv:2: target `kind` is `setosa`"),
        "{error}"
    );
}

#[test]
fn pictures_are_scaled_together_and_keep_every_column() {
    let table = stripes_table(60);
    let options = |image, ignore: &[&str]| DataOptions {
        image: Some(image),
        ignore: ignore.iter().map(|&name| name.to_owned()).collect(),
        ..DataOptions::of_target("stripes")
    };
    let data = Dataset::prepare(&table, &options([6, 5, 1], &[])).unwrap();
    let shape = Shape::Image {
        height: 6,
        width: 5,
        channels: 1,
    };
    assert_eq!(data.shape(), shape);
    let features = data.part(Part::Train).features();
    assert_eq!(features.width(), 30);
    let count = features.data().len() as f64;
    let sum: f64 = features.data().iter().map(|&x| f64::from(x)).sum();
    let squares: f64 = features.data().iter().map(|&x| f64::from(x * x)).sum();
    assert!((sum / count).abs() < 1e-5 && (squares / count - 1.0).abs() < 1e-5);
    let other = Dataset::prepare(&table, &options([5, 6, 1], &[])).unwrap();
    assert_ne!(data.fingerprint(), other.fingerprint());

    let error = Dataset::prepare(&table, &options([6, 5, 3], &[])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "stripes.csv: `image = [6, 5, 3]` asks for 90 columns of numbers beside the target, but \
         there are 30; correct `image`, or put the others into `ignore`"
    );
    for image in [[usize::MAX, 2, 1], [0, 5, 1]] {
        assert!(Dataset::prepare(&table, &options(image, &[])).is_err());
    }
    let fewer = Dataset::prepare(
        &table,
        &options([5, 5, 1], &["p00", "p01", "p02", "p03", "p04"]),
    );
    assert_eq!(fewer.unwrap().part(Part::Train).features().width(), 25);
}

/// A corner that is always black is a point of the picture nevertheless.
#[test]
fn a_point_that_never_changes_stays_and_one_that_is_no_number_is_named() {
    let rows = |odd: &str| -> Table {
        let rows = (0..40).map(|row| format!("0,{},0,{odd},{}\n", row % 7, row % 2));
        let text = rows.fold("a,b,c,d,y\n".to_owned(), |text, row| text + &row);
        Table::parse("points.csv", text.as_bytes()).unwrap()
    };
    let options = DataOptions {
        image: Some([2, 2, 1]),
        ..DataOptions::of_target("y")
    };
    let data = Dataset::prepare(&rows("3"), &options).unwrap();
    assert_eq!(data.preprocessor().width(), 4);
    let encoded = data
        .report()
        .iter()
        .filter(|report| report.action == ColumnAction::Encoded);
    assert_eq!(encoded.count(), 4);
    let error = Dataset::prepare(&rows("red"), &options)
        .unwrap_err()
        .to_string();
    let told = "column `d` is `red`, but every column of a picture holds numbers; \
                mend the cell or put the column into `ignore`";
    assert!(
        error.starts_with("points.csv:") && error.ends_with(told),
        "{error}"
    );
}
