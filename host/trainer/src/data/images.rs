//! Pictures with a class each: a folder of PNG and JPEG files, or a pair of IDX files.

mod folder;
mod idx;

use super::column::{ColumnAction, ColumnKind, ColumnReport};
use super::error::DataError;
use super::features::Features;
use super::look::ColumnLook;
use super::points::{Points, point_name};
use super::preprocess::{MAX_NUMBERS, Preprocessor};
use super::split::{self, Rule};
use super::table::Table;
use super::target::{MAX_CLASSES, Task, TaskKind};
use super::{DataOptions, Dataset, Samples, Targets, fingerprint};
use image::imageops::FilterType;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::Cursor;
use std::path::{Path, PathBuf};

pub(crate) use folder::is_picture;

/// What messages, the study file and predictions call the class of a picture.
const TARGET: &str = "label";
/// The longest side of pictures that need not be made smaller.
const FITTING_SIDE: u32 = 64;
/// The most lines and the most points in a line.
const MAX_SIDE: u32 = 16_384;
/// The most bytes that a single picture is decoded into.
const MAX_DECODED: u64 = 1 << 29;

/// How many lines of how many points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Lines.
    pub height: u32,
    /// Points in a line.
    pub width: u32,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.height, self.width)
    }
}

/// Pictures with a class each, as they stand in their files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pictures {
    name: String,
    /// The only one: what tables call headers.
    headers: [String; 1],
    form: Form,
    classes: Vec<String>,
    /// A place in `classes` for each picture.
    labels: Vec<u32>,
    notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// Grey points of 8 bits, picture after picture.
    Raw { size: Size, points: Vec<u8> },
    /// Names and contents of files.
    Files(Vec<(String, Vec<u8>)>),
}

/// What pictures are brought to, as far as that is said.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted {
    pub(crate) size: Option<Size>,
    pub(crate) channels: Option<usize>,
}

impl Pictures {
    /// Reads a folder with a folder of PNG and JPEG files for each class. Every byte that is read is
    /// also given to `seen`.
    ///
    /// # Errors
    /// A folder that cannot be read, has no such files, or has more than 1 GiB of them.
    pub fn read_folder(path: &Path, seen: &mut dyn FnMut(&[u8])) -> Result<Pictures, DataError> {
        folder::read(path, seen)
    }

    /// Every file that [`read_folder`](Self::read_folder) would read.
    ///
    /// # Errors
    /// A folder that cannot be read, or has no such files.
    pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
        folder::files(path)
    }

    /// Takes the content of an IDX file of pictures and that of its labels apart. The names are what
    /// messages call them.
    ///
    /// # Errors
    /// Content that is cut short, goes on too long, is something else, or does not fit together.
    pub fn parse_idx(images: (&str, &[u8]), labels: (&str, &[u8])) -> Result<Pictures, DataError> {
        idx::parse(images, labels)
    }

    fn new(
        name: String,
        form: Form,
        classes: Vec<String>,
        labels: Vec<u32>,
        notes: Vec<String>,
    ) -> Result<Pictures, DataError> {
        if let [only] = &classes[..] {
            return Err(DataError::ConstantTarget {
                file: name,
                target: TARGET.into(),
                value: only.clone(),
            });
        }
        if classes.len() > MAX_CLASSES {
            return Err(DataError::TooManyClasses {
                file: name,
                target: TARGET.into(),
                classes: classes.len(),
                rows: labels.len(),
                remedy: "join some of them",
            });
        }
        Ok(Pictures {
            name,
            headers: [TARGET.to_owned()],
            form,
            classes,
            labels,
            notes,
        })
    }

    /// What messages call it: the path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `label` alone.
    pub fn headers(&self) -> &[String] {
        &self.headers
    }

    /// How many there are.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// The size to which they are best brought, for a network that looks at every point: that in the
    /// middle of theirs, no side longer than 64 points.
    ///
    /// # Errors
    /// A picture that is damaged.
    pub fn fitting_size(&self) -> Result<Size, DataError> {
        let sizes: Vec<Size> = match &self.form {
            Form::Raw { size, .. } => vec![*size],
            Form::Files(files) => {
                let sizes = files.iter().map(|(name, content)| header(name, content));
                sizes
                    .map(|found| found.map(|(size, _)| size))
                    .collect::<Result<_, _>>()?
            }
        };
        let middle = |side: fn(&Size) -> u32| {
            let mut sides: Vec<u32> = sizes.iter().map(side).collect();
            sides.sort_unstable();
            sides.get(sides.len() / 2).copied().unwrap_or(FITTING_SIDE)
        };
        let (height, width) = (middle(|size| size.height), middle(|size| size.width));
        let longest = height.max(width).max(FITTING_SIDE);
        let share = f64::from(FITTING_SIDE) / f64::from(longest);
        let brought = |side: u32| ((f64::from(side) * share).round() as u32).max(1);
        Ok(Size {
            height: brought(height),
            width: brought(width),
        })
    }

    /// What was noticed while reading, a sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What the labels are.
    pub fn look(&self) -> Vec<ColumnLook> {
        vec![ColumnLook {
            name: TARGET.into(),
            kind: ColumnKind::Categorical,
            missing: 0,
            distinct: self.classes.len(),
            examples: self.classes.iter().take(5).cloned().collect(),
        }]
    }

    /// A column for each point and one for the class, for pictures that are to be predicted.
    pub(crate) fn to_table(&self, wanted: Wanted) -> Result<Table, DataError> {
        let (size, channels, points) = self.points(wanted)?;
        let numbers = size.height as usize * size.width as usize * channels;
        let mut headers: Vec<String> = (1..=numbers).map(point_name).collect();
        headers.push(TARGET.into());
        let mut table = Table::of_cells(&self.name, &headers, self.rows() as u64)?;
        for (picture, &label) in points.chunks_exact(numbers).zip(&self.labels) {
            for point in picture {
                table.push_cell(format_args!("{point}"))?;
            }
            table.push_cell(format_args!("{}", self.classes[label as usize]))?;
        }
        Ok(table)
    }

    /// All pictures in one size: their points, and how many numbers a point has.
    fn points(&self, wanted: Wanted) -> Result<(Size, usize, Vec<u8>), DataError> {
        let (size, own) = self.common(wanted.size)?;
        let channels = wanted.channels.unwrap_or(own);
        let numbers = u64::from(size.height) * u64::from(size.width) * channels as u64;
        let all = numbers.saturating_mul(self.rows() as u64);
        if numbers == 0 || all > MAX_NUMBERS {
            return Err(DataError::TooLarge {
                file: self.name.clone(),
                found: all,
                unit: "numbers at this size",
                cap: MAX_NUMBERS,
            });
        }
        match &self.form {
            Form::Raw { size: is, points } if *is == size && channels == 1 => {
                Ok((size, channels, points.clone()))
            }
            Form::Raw { size: is, points } => {
                let each = (is.height * is.width) as usize;
                let mut resized = Vec::with_capacity(all as usize);
                for picture in points.chunks_exact(each) {
                    let grey = image::GrayImage::from_raw(is.width, is.height, picture.to_vec());
                    let grey = grey.map(image::DynamicImage::ImageLuma8);
                    resized.extend(
                        grey.map(|grey| at_size(grey, size, channels))
                            .unwrap_or_default(),
                    );
                }
                Ok((size, channels, resized))
            }
            Form::Files(files) => {
                let mut points = Vec::with_capacity(all as usize);
                for (name, content) in files {
                    let picture = reader(name, content)?
                        .decode()
                        .map_err(|error| broken(name, &error))?;
                    points.extend(at_size(picture, size, channels));
                }
                Ok((size, channels, points))
            }
        }
    }

    /// The size that all pictures will have, and whether they are grey. Only their headers are read.
    fn common(&self, wanted: Option<Size>) -> Result<(Size, usize), DataError> {
        let files = match &self.form {
            Form::Raw { size, .. } => return Ok((wanted.unwrap_or(*size), 1)),
            Form::Files(files) => files,
        };
        let mut first: Option<(&str, Size)> = None;
        let mut channels = 1;
        for (name, content) in files {
            let (size, is_grey) = header(name, content)?;
            if !is_grey {
                channels = 3;
            }
            let (first_name, first_size) = *first.get_or_insert((name, size));
            if wanted.is_none() && size != first_size {
                return Err(DataError::Unfit {
                    file: name.clone(),
                    fault: format!("it is {size}, but {first_name} is {first_size}"),
                    remedy: format!(
                        "give size = [{}, {}] or another [HEIGHT, WIDTH] in [data], and all are \
                         brought to it",
                        first_size.height, first_size.width
                    ),
                });
            }
        }
        let size = wanted.or(first.map(|(_, size)| size));
        Ok((
            size.unwrap_or(Size {
                height: 0,
                width: 0,
            }),
            channels,
        ))
    }
}

type Reader<'a> = image::ImageReader<Cursor<&'a [u8]>>;

fn reader<'a>(name: &str, content: &'a [u8]) -> Result<Reader<'a>, DataError> {
    let mut reader = image::ImageReader::new(Cursor::new(content))
        .with_guessed_format()
        .map_err(|error| broken(name, &error))?;
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED);
    reader.limits(limits);
    Ok(reader)
}

fn header(name: &str, content: &[u8]) -> Result<(Size, bool), DataError> {
    use image::ImageDecoder;
    let decoder = reader(name, content)?
        .into_decoder()
        .map_err(|error| broken(name, &error))?;
    let (width, height) = decoder.dimensions();
    Ok((Size { height, width }, !decoder.color_type().has_color()))
}

fn broken(name: &str, error: &dyn fmt::Display) -> DataError {
    DataError::Unfit {
        file: name.into(),
        fault: format!("not a picture that can be read: {error}"),
        remedy: "remove it or save it anew as PNG or JPEG".into(),
    }
}

fn at_size(picture: image::DynamicImage, size: Size, channels: usize) -> Vec<u8> {
    // First to 8 bits without transparency, so that all are resized alike.
    let picture = match channels {
        1 => image::DynamicImage::ImageLuma8(picture.into_luma8()),
        _ => image::DynamicImage::ImageRgb8(picture.into_rgb8()),
    };
    let fits = (picture.width(), picture.height()) == (size.width, size.height);
    match fits {
        true => picture.into_bytes(),
        false => picture
            .resize_exact(size.width, size.height, FilterType::Triangle)
            .into_bytes(),
    }
}

impl Dataset {
    /// Splits pictures and scales all their points alike, by the training pictures' mean and
    /// deviation. The target is their class, which is called `label`. Pictures of different sizes need
    /// a size to which all are brought.
    ///
    /// # Errors
    /// A picture that is damaged or has another size than the others where no size is given; options
    /// that pictures have no columns for; too few pictures for the split.
    pub fn of_images(pictures: &Pictures, options: &DataOptions) -> Result<Dataset, DataError> {
        pictures.check(options)?;
        let mut strata = vec![Vec::new(); pictures.classes.len()];
        for (picture, &label) in pictures.labels.iter().enumerate() {
            strata[label as usize].push(picture);
        }
        let (shares, fold, seed) = (options.shares, options.fold, options.seed);
        let split = split::split(&strata, shares, fold, Rule::Rows, seed, &pictures.name)?;

        let like = options.like.as_ref();
        let known = match like {
            None => None,
            Some(like) => {
                let another = || like.another(&pictures.name, "a set of pictures");
                Some(like.preprocessor.points().ok_or_else(another)?)
            }
        };
        let wanted = Wanted {
            size: options.size,
            channels: None,
        };
        let (size, channels, points) =
            pictures.points(like.map_or(wanted, |like| like.preprocessor.wanted()))?;
        let (height, width) = (size.height as usize, size.width as usize);
        let numbers = height * width * channels;
        let picture = |place: usize| &points[place * numbers..(place + 1) * numbers];
        let scaling = known.unwrap_or_else(|| {
            let (mean, scale) = mean_and_scale(split.train.iter().map(|&place| picture(place)));
            Points {
                height,
                width,
                channels,
                mean,
                scale,
            }
        });
        // There are only so many values.
        let scaled: Vec<f32> = (0..=255)
            .map(|value| scaling.scaled(value.into()))
            .collect();
        let samples = |places: &[usize]| {
            let mut data = Vec::with_capacity(places.len() * numbers);
            for &place in places {
                data.extend(
                    picture(place)
                        .iter()
                        .map(|&value| scaled[usize::from(value)]),
                );
            }
            let labels = places.iter().map(|&place| pictures.labels[place]);
            Samples {
                features: Features::of_rows(numbers, data),
                targets: Targets::Classes(labels.collect()),
                groups: None,
            }
        };
        let (train, valid, test) = (
            samples(&split.train),
            samples(&split.valid),
            samples(&split.test),
        );
        let task = Task::Classification {
            classes: pictures.classes.clone(),
        };
        let told = like.map(|like| like.told(TARGET, like.task == task));
        Ok(Dataset {
            target: TARGET.into(),
            task,
            preprocessor: Preprocessor::of_points(scaling),
            report: pictures.report(&scaling),
            notes: pictures.notes.iter().cloned().chain(told).collect(),
            protected: None,
            fingerprint: fingerprint(scaling.shape(), [&train, &valid, &test]),
            train,
            valid,
            test,
        })
    }
}

impl Pictures {
    fn check(&self, options: &DataOptions) -> Result<(), DataError> {
        let fault = match options.task {
            None | Some(TaskKind::Classification) => None,
            Some(TaskKind::Regression) => Some("cannot be predicted as numbers"),
            Some(TaskKind::Text) => Some("have no next token"),
        };
        if let Some(fault) = fault {
            return Err(DataError::Unfit {
                file: self.name.clone(),
                fault: format!("pictures have classes, which {fault}"),
                remedy: "leave `task` out".into(),
            });
        }
        let named = [&options.group, &options.time, &options.protected];
        let named = named.into_iter().flatten();
        let mut named = named.chain(&options.ignore);
        let foreign = match options.target.as_str() {
            TARGET => named.next(),
            _ => Some(&options.target),
        };
        foreign.map_or(Ok(()), |column| {
            Err(DataError::NoSuchColumn {
                file: self.name.clone(),
                column: column.clone(),
                suggestion: format!("; pictures have only `{TARGET}`, their class"),
            })
        })
    }

    fn report(&self, scaling: &Points) -> Vec<ColumnReport> {
        let &Points {
            height,
            width,
            channels,
            mean,
            scale,
        } = scaling;
        let colour = if channels == 1 { "grey" } else { "colour" };
        vec![
            ColumnReport {
                column: "picture".into(),
                kind: ColumnKind::Numeric,
                action: ColumnAction::Encoded,
                detail: format!(
                    "{height}×{width} in {colour}, all points scaled by mean {mean:.1} and \
                     deviation {scale:.1}"
                ),
            },
            ColumnReport {
                column: TARGET.into(),
                kind: ColumnKind::Target,
                action: ColumnAction::Predicted,
                detail: format!("{} classes", self.classes.len()),
            },
        ]
    }
}

/// Of all points, from how often each value occurs: exact, whatever the order. A deviation of nothing
/// scales by 1.
fn mean_and_scale<'p>(pictures: impl Iterator<Item = &'p [u8]>) -> (f64, f64) {
    let mut counts = [0_u64; 256];
    for &value in pictures.flatten() {
        counts[usize::from(value)] += 1;
    }
    let total = counts.iter().sum::<u64>().max(1) as f64;
    let over = |term: &dyn Fn(f64) -> f64| -> f64 {
        let terms = counts.iter().zip(0..=u8::MAX);
        terms
            .map(|(&count, value)| count as f64 * term(value.into()))
            .sum::<f64>()
            / total
    };
    let mean = over(&|value| value);
    let scale = over(&|value| (value - mean).powi(2)).sqrt();
    (mean, if scale > 0.0 { scale } else { 1.0 })
}

#[cfg(test)]
mod tests;
