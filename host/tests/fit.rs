//! `attune fit` and `attune predict` on tables as they are in the wild.
#![allow(clippy::expect_used)]

mod support;

use std::fmt::Write;
use support::Home;

/// Rows of a made-up shop: missing cells, text, quoted commas, dates, a constant, an id, headers
/// that are not ASCII, and a class that is rare. The answer follows from price and colour.
fn shop(rows: usize) -> String {
    let mut csv = String::from("Kunden-ID,größe,\"preis, netto\",farbe,seit,land,antwort\n");
    for row in 0..rows {
        let size = if row % 7 == 0 {
            String::new()
        } else {
            format!("{}", (row * 37) % 50)
        };
        let price = (row * 17 % 100) as f64 / 10.0;
        let colour = ["rot", "blau", "\"grün, hell\""][row % 3];
        let date = format!("2024-{:02}-{:02}", row % 12 + 1, row % 28 + 1);
        let answer = if price > 8.5 {
            "selten"
        } else if row % 3 == 1 {
            "ja"
        } else {
            "nein"
        };
        let _ = writeln!(csv, "K{row:05},{size},{price},{colour},{date},DE,{answer}");
    }
    csv
}

fn rows(csv_text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(csv_text.as_bytes());
    let records = reader.records().map(|record| record.expect("CSV"));
    records
        .map(|record| record.iter().map(str::to_owned).collect())
        .collect()
}

#[test]
fn a_messy_table_is_fitted_unattended_and_predicted_in_another_order() {
    let home = Home::new();
    home.file("shop.csv", shop(400));
    let finished = home.run(&[
        "fit",
        "shop.csv",
        "--target",
        "antwort",
        "--trials",
        "8",
        "--out",
        "m.safetensors",
    ]);
    for told in [
        "Kunden-ID",
        "land",
        "left out",
        "größe",
        "seit",
        "missing",
        "3 classes",
    ] {
        assert!(
            finished.err.contains(told),
            "{told} is not told of:\n{}",
            finished.err
        );
    }
    assert!(
        finished.err.contains("its configuration as m.json"),
        "{}",
        finished.err
    );
    finished.ok();
    let card = std::fs::read_to_string(home.path().join("m.json")).expect("a configuration");
    let card: serde_json::Value = serde_json::from_str(&card).expect("plain JSON");
    assert_eq!(
        card["task"]["classes"],
        serde_json::json!(["ja", "nein", "selten"])
    );
    for told in ["settings", "preprocessor", "valid", "test", "report"] {
        assert!(!card[told].is_null(), "{told}: {card}");
    }
    // The model alone predicts.
    std::fs::remove_file(home.path().join("m.json")).expect("it was there");

    // Other order, a column more, no target, a colour that was never seen, a missing price.
    home.file(
        "new.csv",
        "farbe,neu,\"preis, netto\",größe,seit,land,Kunden-ID\n\
         blau,1,2.0,10,2024-03-01,DE,K1\n\
         lila,2,9.9,,2024-04-01,FR,K2\n\
         rot,3,,5,2024-05-01,DE,K3\n",
    );
    let predicted = rows(&home.run(&["predict", "m.safetensors", "new.csv"]).ok());
    assert_eq!(predicted[0], ["prediction", "p_ja", "p_nein", "p_selten"]);
    assert_eq!(predicted.len(), 4);
    for row in &predicted[1..] {
        assert!(
            ["ja", "nein", "selten"].contains(&row[0].as_str()),
            "{row:?}"
        );
        let sum: f64 = row[1..]
            .iter()
            .map(|p| p.parse::<f64>().expect("a probability"))
            .sum();
        assert!((sum - 1.0).abs() < 1e-5, "{row:?}");
    }
    assert_eq!(predicted[1][0], "ja");
    assert_eq!(predicted[2][0], "selten");

    home.file("lacks.csv", "farbe,größe,seit\nrot,1,2024-01-01\n");
    let error = home
        .run(&["predict", "m.safetensors", "lacks.csv"])
        .failed(1);
    assert!(error.contains("preis, netto"), "{error}");
}

#[test]
fn numbers_are_regressed_in_their_own_units() {
    let home = Home::new();
    let mut csv = String::from("x;z;ziel\n");
    for row in 0..300 {
        let (x, z) = ((row * 7 % 40) as f64 / 4.0, (row * 13 % 30) as f64);
        let _ = writeln!(
            csv,
            "{x};{z};{}",
            1000.0 + 50.0 * x - 3.0 * z + (row % 5) as f64 / 10.0
        );
    }
    home.file("linear.csv", csv);
    let arguments = [
        "fit",
        "linear.csv",
        "--target",
        "ziel",
        "--trials",
        "8",
        "--save-study",
        "s.toml",
    ];
    home.run(&arguments).ok();
    home.file("new.csv", "z;x\n10;5\n0;0\n");
    let predicted = rows(&home.run(&["predict", "linear.safetensors", "new.csv"]).ok());
    assert_eq!(predicted[0], ["prediction"]);
    let values: Vec<f64> = predicted[1..]
        .iter()
        .map(|r| r[0].parse().expect("a number"))
        .collect();
    assert!((values[0] - 1220.0).abs() < 25.0, "{values:?}");
    assert!((values[1] - 1000.0).abs() < 50.0, "{values:?}");

    // The study it made is a file that `run` takes, and it comes to the same.
    home.run(&["run", "s.toml"]).ok();
    let studies: serde_json::Value =
        serde_json::from_str(&home.run(&["ls", "--json"]).ok()).expect("JSON");
    assert_eq!(studies[0]["best_value"], studies[1]["best_value"]);
    assert_eq!(studies[0]["metric"], "rmse");
}

/// Those of place b come with better grades, and more of them are taken.
fn applicants(rows: usize) -> String {
    let mut csv = String::from("place,grade,years,taken\n");
    for row in 0..rows {
        let place = row * 7 % 3;
        let grade = (row * 31 % 40) as f64 / 10.0 + place as f64;
        let taken = ["no", "yes"][usize::from(grade > 3.0)];
        let (place, years) = (["a", "b", "c"][place], row * row % 9);
        let _ = writeln!(csv, "{place},{grade},{years},{taken}");
    }
    csv
}

#[test]
fn disparities_between_groups_are_metrics_like_others() {
    let home = Home::new();
    home.file("people.csv", applicants(300));
    let metric = "demographic_parity_difference";
    let finished = home.run(&[
        "fit",
        "people.csv",
        "--target",
        "taken",
        "--protected",
        "place",
        "--metric",
        metric,
        "--trials",
        "4",
        "--save-study",
        "s.toml",
    ]);
    let note = "metrics compare the groups of `place`: a (100 rows), b (100 rows), c (100 rows)";
    assert!(finished.err.contains(note), "{}", finished.err);
    finished.ok();

    let detail = home.json(&["show", "s1", "--json"]);
    let trials = detail["trials"].as_array().expect("trials");
    assert_eq!(detail["study"]["metric"], metric);
    let values = trials.iter().map(|trial| trial["value"].as_f64());
    let values: Vec<f64> = values.collect::<Option<_>>().expect("values");
    // The least is the best.
    assert!(values.is_sorted() && values[0] < 1.0, "{values:?}");
    let best = &trials[0]["metrics"];
    for name in [
        metric,
        "demographic_parity_ratio",
        "equal_opportunity_difference",
        "equalized_odds_difference",
    ] {
        let valid = &best[format!("valid_{name}")];
        let test = &best[format!("test_{name}")];
        assert!(valid.is_number() && test.is_number(), "{name}: {best}");
    }
    let page = home.run(&["compare", "s1.0", "s1.1"]).ok();
    assert!(
        page.contains("last valid_equalized_odds_difference"),
        "{page}"
    );
    let table = rows(&home.run(&["export", "s1", "--format", "csv"]).ok());
    let column = format!("valid_{metric}");
    assert!(
        table[0].iter().any(|name| name.contains(&column)),
        "{:?}",
        table[0]
    );

    // It is the study's file that says so, and it comes to the same.
    let text = std::fs::read_to_string(home.path().join("s.toml")).expect("a study file");
    assert!(text.contains("protected = \"place\""), "{text}");
    home.run(&["run", "s.toml"]).ok();
    let again = home.json(&["show", "s2", "--json"]);
    assert_eq!(again["study"]["best_value"], detail["study"]["best_value"]);

    let study = |data: &str, metric: &str| {
        let data = format!("[data]\npath = \"people.csv\"\ntarget = \"taken\"\n{data}\n");
        home.file(
            "wrong.toml",
            format!("trials = 2\n{data}[objective]\nmetric = \"{metric}\"\n"),
        );
        home.run(&["run", "wrong.toml"]).failed(1)
    };
    for (data, metric, told) in [
        ("", metric, "compares groups, and nothing says which"),
        ("protected = \"plac\"", "f1", "did you mean `place`?"),
        ("protected = \"taken\"", "f1", "they name one column"),
        (
            "protected = \"grade\"",
            "f1",
            "metrics compare 2 to 20 groups",
        ),
        ("protected = \"place\"", "mae_difference", "does not fit"),
    ] {
        let error = study(data, metric);
        assert!(error.contains(told), "{data}, {metric}: {error}");
    }
}

/// An array of bytes as NumPy writes it.
fn npy(rows: usize, columns: usize, content: &[u8]) -> Vec<u8> {
    let header =
        format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({rows}, {columns}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(content);
    bytes
}

/// An IDX file, as MNIST comes in.
fn idx(lengths: &[u32], content: &[u8]) -> Vec<u8> {
    let mut bytes = (0x0800 + lengths.len() as u32).to_be_bytes().to_vec();
    for length in lengths {
        bytes.extend(length.to_be_bytes());
    }
    bytes.extend(content);
    bytes
}

#[test]
fn arrays_and_pictures_are_fitted_and_predicted_as_tables_are() {
    let home = Home::new();
    let (mut array, mut points, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..240_u32 {
        let class = (row % 2) as u8;
        array.extend([(row * 37 % 251) as u8, class * 90 + (row % 7) as u8, class]);
        points.extend((0..4).map(|at| class * 120 + (row * (at + 3) % 90) as u8));
        labels.push(class + 3);
    }
    home.file("two.npy", npy(240, 3, &array));
    home.file("small-images-idx3-ubyte", idx(&[240, 2, 2], &points));
    home.file("small-labels-idx1-ubyte", idx(&[240], &labels));
    for (data, target, out, classes) in [
        ("two.npy", "y", "two.safetensors", ["0", "1"]),
        (
            "small-images-idx3-ubyte",
            "label",
            "small.safetensors",
            ["3", "4"],
        ),
    ] {
        let fit = [
            "fit", data, "--target", target, "--trials", "4", "--out", out,
        ];
        home.run(&fit).ok();
        let predicted = rows(&home.run(&["predict", out, data]).ok());
        assert_eq!(predicted.len(), 241);
        for (row, answer) in predicted[1..].iter().enumerate() {
            assert_eq!(answer[0], classes[row % 2], "{data}, row {row}");
        }
    }
    home.file("more-images-idx3-ubyte", idx(&[240, 2, 2], &points));
    home.file("more-labels-idx1-ubyte", idx(&[239], &labels[..239]));
    let fit = ["fit", "more-images-idx3-ubyte", "--target", "label"];
    let error = home.run(&fit).failed(1);
    assert!(error.contains("it has 239 labels, but"), "{error}");
}

/// A table of a feature and a class in a Parquet file.
fn parquet(feature: &[i32], class: &[i32]) -> Vec<u8> {
    use parquet::data_type::Int32Type;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    let schema = "message m { required int32 size; required int32 kind; }";
    let schema = parquet::schema::parser::parse_message_type(schema).expect("a schema");
    let properties = WriterProperties::builder()
        .set_compression(parquet::basic::Compression::SNAPPY)
        .build();
    let mut bytes = Vec::new();
    let mut file = SerializedFileWriter::new(&mut bytes, schema.into(), properties.into())
        .expect("a file of it");
    let mut group = file.next_row_group().expect("a group");
    for values in [feature, class] {
        let mut column = group.next_column().expect("no error").expect("a column");
        let typed = column.typed::<Int32Type>();
        typed.write_batch(values, None, None).expect("its values");
        column.close().expect("its end");
    }
    group.close().expect("the group's end");
    file.close().expect("the file's end");
    bytes
}

/// An archive of arrays, as `numpy.savez_compressed` writes it.
fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, array) in arrays {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(*name, options).expect("a file in it");
        std::io::Write::write_all(&mut archive, array).expect("its bytes");
    }
    archive.finish().expect("the archive's end").into_inner()
}

#[test]
fn packed_tables_arrays_and_photographs_are_fitted_and_predicted_too() {
    const ROWS: usize = 160;
    let home = Home::new();
    let class = |row: usize| (row % 2) as u8;
    let feature = |row: usize| class(row) * 90 + (row % 7) as u8;
    let column = |of: &dyn Fn(usize) -> u8| (0..ROWS).map(|row| i32::from(of(row))).collect();
    let columns: [Vec<i32>; 2] = [column(&feature), column(&class)];
    home.file("sizes.parquet", parquet(&columns[0], &columns[1]));
    let bytes = |of: &dyn Fn(usize) -> u8| (0..ROWS).map(of).collect::<Vec<u8>>();
    let arrays = [
        ("x.npy", npy(ROWS, 1, &bytes(&feature))),
        ("y.npy", npy(ROWS, 1, &bytes(&class))),
    ];
    home.file("sizes.npz", npz(&arrays));
    for (kind, name) in ["dusk", "noon"].into_iter().enumerate() {
        let folder = home.path().join("photographs").join(name);
        std::fs::create_dir_all(&folder).expect("a folder of a class");
        for at in 0..ROWS / 2 {
            let light = |x: u32, y: u32| (kind as u32 * 120 + at as u32 % 40 + x + y) as u8;
            let photograph = image::RgbImage::from_fn(6, 5, |x, y| image::Rgb([light(x, y); 3]));
            let path = folder.join(format!("{at}.jpg"));
            photograph.save(path).expect("a photograph");
        }
    }
    for (data, target, classes) in [
        ("sizes.parquet", "kind", ["0", "1"]),
        ("sizes.npz", "y", ["0", "1"]),
        ("photographs", "label", ["dusk", "noon"]),
    ] {
        let fit = [
            "fit",
            data,
            "--target",
            target,
            "--trials",
            "4",
            "--out",
            "m.safetensors",
        ];
        home.run(&fit).ok();
        let predicted = rows(&home.run(&["predict", "m.safetensors", data]).ok());
        assert_eq!(predicted.len(), ROWS + 1, "{data}");
        let of_class = |class: &str| {
            let answers = predicted[1..].iter();
            answers.filter(|answer| answer[0] == class).count()
        };
        for class in classes {
            let found = of_class(class);
            assert_eq!(found, ROWS / 2, "{data}, {class}");
        }
    }
}

#[test]
fn a_study_splits_by_fold_group_or_time() {
    let home = Home::new();
    let mut table = String::from("day\twho\tx\ty\n");
    for row in 0..200 {
        let x = row * 37 % 100;
        let day = format!("2024-{:02}-{:02}", row / 20 + 1, row % 20 + 1);
        let _ = writeln!(
            table,
            "{day}\tperson {}\t{x}\t{}",
            row % 17,
            ["no", "up"][x / 50]
        );
    }
    home.file("t.tsv", table);
    for (rule, told) in [
        ("group = 'who'", "equal ones stay together"),
        ("time = 'day'", "later ones validate and test"),
        ("group = 'who'\nfold = [2, 5]", "equal ones stay together"),
        ("fold = [5, 5]", "classes"),
    ] {
        let study = format!(
            "trials = 2\n[data]\npath = 't.tsv'\ntarget = 'y'\n{rule}\n[fidelity]\nmax_epochs = 3\n"
        );
        home.file("s.toml", study);
        let finished = home.run(&["run", "s.toml"]);
        assert!(finished.err.contains(told), "{rule}: {}", finished.err);
        finished.ok();
    }
    home.file(
        "s.toml",
        "[data]\npath = 't.tsv'\ntarget = 'y'\ngroup = 'whom'\n",
    );
    let error = home.run(&["run", "s.toml"]).failed(1);
    assert!(error.contains("`whom`; did you mean `who`?"), "{error}");
}
