use super::*;
use crate::data::{Part, Shape};
use proptest::prelude::*;
use std::fs;

fn at(size: Size) -> DataOptions {
    DataOptions {
        size: Some(size),
        ..options()
    }
}

fn options() -> DataOptions {
    DataOptions::of_target(TARGET)
}

fn idx(lengths: &[u32], content: &[u8]) -> Vec<u8> {
    let mut bytes = (0x0800 + lengths.len() as u32).to_be_bytes().to_vec();
    for length in lengths {
        bytes.extend(length.to_be_bytes());
    }
    bytes.extend(content);
    bytes
}

/// 60 pictures of 3×2 points, of the classes 3 and 7.
fn pair() -> (Vec<u8>, Vec<u8>) {
    let points: Vec<u8> = (0..360).map(|at| (at * 7 % 256) as u8).collect();
    let labels: Vec<u8> = (0..60).map(|at| if at % 2 == 0 { 3 } else { 7 }).collect();
    (idx(&[60, 3, 2], &points), idx(&[60], &labels))
}

fn parse(images: &[u8], labels: &[u8]) -> Result<Pictures, DataError> {
    Pictures::parse_idx(("images", images), ("labels", labels))
}

/// 20 pictures for each of two classes.
fn folder(write: impl Fn(usize, &Path)) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for at in 0..40 {
        let class = dir.path().join(["cat", "dog"][at % 2]);
        fs::create_dir_all(&class).unwrap();
        write(at, &class);
    }
    dir
}

fn grey(at: usize, width: u32, height: u32) -> image::GrayImage {
    image::GrayImage::from_fn(width, height, |x, y| {
        image::Luma([(at as u32 * 5 + x * 3 + y) as u8])
    })
}

fn read(dir: &Path) -> Result<Pictures, DataError> {
    Pictures::read_folder(dir, &mut |_| {})
}

#[test]
fn idx_pictures_are_scaled_by_the_training_ones() {
    let (images, labels) = pair();
    let pictures = parse(&images, &labels).unwrap();
    let data = Dataset::of_images(&pictures, &options()).unwrap();
    let shape = Shape::Image {
        height: 3,
        width: 2,
        channels: 1,
    };
    assert_eq!(data.shape(), shape);
    let classes = vec!["3".to_owned(), "7".into()];
    assert_eq!(data.task(), &Task::Classification { classes });
    let train = data.part(Part::Train).features().data();
    let mean = train.iter().map(|&x| f64::from(x)).sum::<f64>() / train.len() as f64;
    let spread = train.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / train.len() as f64;
    assert!(
        mean.abs() < 1e-6 && (spread - 1.0).abs() < 1e-6,
        "{mean} {spread}"
    );
    let rows = [Part::Train, Part::Valid, Part::Test].map(|part| data.part(part).rows());
    assert_eq!(rows, [42, 10, 8]);
    // All points are learned from as they are, and again the same in a table.
    let header: Vec<String> = (1..=6).map(|n| format!("point_{n}")).collect();
    let text = format!("{}\n0,7,14,21,28,35\n", header.join(","));
    let table = crate::data::Table::parse("t.csv", text.as_bytes()).unwrap();
    let (features, _) = data.preprocessor().apply(&table, &[0]).unwrap();
    let all: Vec<&[f32]> = [Part::Train, Part::Valid, Part::Test]
        .into_iter()
        .flat_map(|part| data.part(part).features().data().chunks(6))
        .collect();
    assert!(all.contains(&features.data()));
}

/// They have more numbers than tables may have columns.
#[test]
fn large_coloured_pictures_are_predicted_as_they_were_trained_on() {
    let numbers = 64 * 64 * 3;
    let dir = folder(|at, class| {
        let picture = image::DynamicImage::ImageLuma8(grey(at, 64, 64)).to_rgb8();
        picture.save(class.join(format!("{at}.jpg"))).unwrap();
    });
    let pictures = read(dir.path()).unwrap();
    let data = Dataset::of_images(&pictures, &options()).unwrap();
    assert_eq!(data.shape().numbers(), numbers);
    let table = pictures.to_table(data.preprocessor().wanted()).unwrap();
    let rows: Vec<usize> = (0..table.rows()).collect();
    let (features, _) = data.preprocessor().apply(&table, &rows).unwrap();
    let again: Vec<&[f32]> = features.data().chunks(numbers).collect();
    let train = data.part(Part::Train).features().data();
    assert!(train.chunks(numbers).all(|row| again.contains(&row)));
}

#[test]
fn a_folder_of_grey_and_coloured_files_becomes_one_shape() {
    let dir = folder(|at, class| {
        let picture = image::DynamicImage::ImageLuma8(grey(at, 6, 5));
        match at {
            7 => picture.to_rgb8().save(class.join("7.JPG")).unwrap(),
            _ => picture.save(class.join(format!("{at}.png"))).unwrap(),
        }
        fs::write(class.join("notes.txt"), "x").unwrap();
    });
    let pictures = read(dir.path()).unwrap();
    assert_eq!(pictures.notes().len(), 1);
    let data = Dataset::of_images(&pictures, &options()).unwrap();
    assert_eq!(data.shape().numbers(), 6 * 5 * 3);
    let size = Size {
        height: 4,
        width: 3,
    };
    let smaller = Dataset::of_images(&pictures, &at(size)).unwrap();
    assert_eq!(smaller.shape().numbers(), 4 * 3 * 3);
    assert_ne!(data.fingerprint(), smaller.fingerprint());
}

#[test]
fn two_sizes_are_told_unless_one_is_given() {
    let dir = folder(|at, class| {
        let side = if at == 9 { 8 } else { 6 };
        grey(at, side, 5)
            .save(class.join(format!("{at:02}.png")))
            .unwrap();
    });
    let pictures = read(dir.path()).unwrap();
    let message = Dataset::of_images(&pictures, &options())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("dog/09.png: it is 5×8, but") && message.contains("cat/00.png is 5×6"),
        "{message}"
    );
    let size = Size {
        height: 5,
        width: 5,
    };
    assert!(Dataset::of_images(&pictures, &at(size)).is_ok());
}

#[test]
fn what_is_wrong_with_pictures_is_told() {
    let (images, labels) = pair();
    let fewer = idx(&[59], &[1; 59]);
    let same = idx(&[60], &[1; 60]);
    for (images, labels, part) in [
        (
            &images[..images.len() - 1],
            &labels[..],
            "images: its header tells of 360 bytes, but 359",
        ),
        (
            &images[..9],
            &labels,
            "images: it ends after 9 bytes, in its header",
        ),
        (b"PK", &labels, "images: it does not begin with 0x00000803"),
        (
            &images,
            &images,
            "labels: it does not begin with 0x00000801",
        ),
        (
            &images,
            &fewer,
            "labels: it has 59 labels, but images has 60 pictures",
        ),
        (&images, &same, "`label` is `1` in every row"),
    ] {
        let message = parse(images, labels).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
    let pictures = parse(&images, &labels).unwrap();
    let refused = |change: fn(&mut DataOptions)| {
        let mut options = options();
        change(&mut options);
        Dataset::of_images(&pictures, &options)
            .unwrap_err()
            .to_string()
    };
    assert!(
        refused(|o| o.target = "class".into()).contains("no column `class`; pictures have only")
    );
    assert!(refused(|o| o.time = Some("day".into())).contains("no column `day`"));
    assert!(refused(|o| o.task = Some(TaskKind::Regression)).contains("leave `task` out"));
    let empty = tempfile::tempdir().unwrap();
    assert!(
        read(empty.path())
            .unwrap_err()
            .to_string()
            .contains("no folders with PNG")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damaged_pictures_are_errors_or_pictures(
        at in prop::collection::vec((0_usize..400, any::<u8>()), 0..4),
        cut in prop::option::of(0_usize..400),
        jpeg: bool,
    ) {
        let format = if jpeg { image::ImageFormat::Jpeg } else { image::ImageFormat::Png };
        let mut bytes = Vec::new();
        grey(3, 9, 7).write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        for (at, byte) in at {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        bytes.truncate(cut.unwrap_or(400));
        let _ = header("x", &bytes);
        let _ = reader("x", &bytes).map(|reader| reader.decode());
    }

    #[test]
    fn damaged_idx_files_are_errors_or_pictures(
        at in prop::collection::vec((0_usize..16, any::<u8>()), 0..4),
        cut in prop::option::of(0_usize..400),
    ) {
        let (mut images, labels) = pair();
        for (at, byte) in at {
            images[at] = byte;
        }
        images.truncate(cut.unwrap_or(400));
        if let Ok(pictures) = parse(&images, &labels) {
            let _ = Dataset::of_images(&pictures, &options());
        }
    }
}
