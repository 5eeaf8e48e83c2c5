//! Whatever kind of file or folder data come in.

use super::error::DataError;
use super::images::{Pictures, Wanted, is_picture};
use super::look::ColumnLook;
use super::table::{MAX_BYTES, Table, cap, read_file};
use super::text::{Text, TextOptions};
use super::{DataOptions, Dataset, npy, parquet};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Data as they stand in their file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Rows of cells.
    Table(Table),
    /// Pictures with a class each.
    Pictures(Pictures),
    /// One long text.
    Text(Text),
}

/// How what gzip made begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Npy,
    Npz,
    Parquet,
    Idx,
}

impl Kind {
    /// By the name's ending, or else by the first bytes.
    fn of(name: &str, bytes: &[u8]) -> Kind {
        let name = name.to_lowercase();
        let by_ending = [
            (".npy", Kind::Npy),
            (".npz", Kind::Npz),
            (".parquet", Kind::Parquet),
            (".pq", Kind::Parquet),
            ("ubyte", Kind::Idx),
        ];
        let by_bytes: [(&[u8], Kind); 4] = [
            (b"\x93NUMPY", Kind::Npy),
            (b"PK\x03\x04", Kind::Npz),
            (b"PAR1", Kind::Parquet),
            (&[0, 0, 8, 3], Kind::Idx),
        ];
        let ending = by_ending.iter().find(|(ending, _)| name.ends_with(ending));
        let beginning = || by_bytes.iter().find(|(magic, _)| bytes.starts_with(magic));
        ending
            .map(|(_, kind)| *kind)
            .or_else(|| beginning().map(|(_, kind)| *kind))
            .unwrap_or(Kind::Text)
    }
}

impl Source {
    /// Reads data once, with the BLAKE3 hash of all that was read in hexadecimal: so the hash is that
    /// of what is trained on, whoever writes to the file meanwhile. A folder has pictures by class; the
    /// kind of a file is told by its name's ending, and otherwise by how it begins. It may be
    /// compressed with gzip, its name then ending in `.gz`.
    ///
    /// # Errors
    /// What is wrong with the file, where, and what to do.
    pub fn read(path: &Path) -> Result<(Source, String), DataError> {
        let mut hasher = blake3::Hasher::new();
        let source = match path.is_dir() {
            true => Source::Pictures(Pictures::read_folder(path, &mut |bytes| {
                hasher.update(bytes);
            })?),
            false => Source::of_file(path, &mut hasher)?,
        };
        Ok((source, hasher.finalize().to_hex().to_string()))
    }

    /// Reads a file, which may be compressed with gzip, as one long text, likewise with its hash.
    ///
    /// # Errors
    /// A file that cannot be read, is too large, empty or not UTF-8.
    pub fn read_text(path: &Path) -> Result<(Source, String), DataError> {
        let mut hasher = blake3::Hasher::new();
        let (bytes, _) = content(path, &mut hasher)?;
        let text = Text::parse(&path.display().to_string(), &bytes)?;
        Ok((Source::Text(text), hasher.finalize().to_hex().to_string()))
    }

    /// The hash that [`read`](Self::read) would give, without the work of understanding what is there.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn hash(path: &Path) -> Result<String, DataError> {
        let mut hasher = blake3::Hasher::new();
        if path.is_dir() {
            Pictures::read_folder(path, &mut |bytes| {
                hasher.update(bytes);
            })?;
        } else {
            for file in Source::files(path)? {
                hasher.update(&read_file(&file)?);
            }
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// Every file that [`read`](Self::read) would read.
    ///
    /// # Errors
    /// A folder that cannot be read, or holds no pictures; pictures without labels.
    pub fn files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
        if path.is_dir() {
            return Pictures::files(path);
        }
        let name = path.display().to_string();
        let name = plain_name(&name);
        // Without labels that could be named after it, no other file is read, whatever it holds.
        let begins = labels_name(path).map(|_| beginning(path));
        let labels = match Kind::of(name, &begins.unwrap_or_default()) {
            Kind::Idx => Some(labels_of(path)?),
            _ => None,
        };
        Ok([path.to_owned()].into_iter().chain(labels).collect())
    }

    /// The ending of a file's name, or of what is gzipped in it: it may decide how the same bytes are
    /// read.
    pub fn ending(path: &Path) -> Option<String> {
        let name = path.file_name()?.to_string_lossy();
        let ending = Path::new(plain_name(&name)).extension()?;
        Some(ending.to_string_lossy().to_lowercase())
    }

    fn of_file(path: &Path, hasher: &mut blake3::Hasher) -> Result<Source, DataError> {
        let full_name = path.display().to_string();
        let (bytes, was_packed) = content(path, hasher)?;
        let name = match was_packed {
            true => plain_name(&full_name),
            false => &full_name,
        };
        let table = match Kind::of(name, &bytes) {
            Kind::Npy => npy::parse_npy(&full_name, &bytes)?,
            Kind::Npz => npy::parse_npz(&full_name, &bytes)?,
            Kind::Parquet => parquet::parse(&full_name, bytes)?,
            Kind::Idx => {
                let labels_path = labels_of(path)?;
                let labels_name = labels_path.display().to_string();
                let (labels, _) = content(&labels_path, hasher)?;
                let pictures = Pictures::parse_idx((name, &bytes), (&labels_name, &labels))?;
                return Ok(Source::Pictures(pictures));
            }
            Kind::Text if is_picture(path) => {
                return Err(DataError::Unfit {
                    file: full_name,
                    fault: "this is a single picture".into(),
                    remedy: "name the folder that has a folder of pictures for each class".into(),
                });
            }
            Kind::Text => Table::parse(name, &bytes)?,
        };
        Ok(Source::Table(table))
    }

    /// Its rows as a table: of pictures those of one size, line after line of their points in columns
    /// `point_1`, `point_2` and so on, with their class in `label`.
    ///
    /// # Errors
    /// A text, which has no rows; more pictures, or larger ones, than a table has cells.
    pub fn into_table(self) -> Result<Table, DataError> {
        self.into_table_as(Wanted::default())
    }

    /// The same, with pictures brought to a size.
    pub(super) fn into_table_as(self, wanted: Wanted) -> Result<Table, DataError> {
        match self {
            Source::Table(table) => Ok(table),
            Source::Pictures(pictures) => pictures.to_table(wanted),
            Source::Text(text) => Err(DataError::Unfit {
                file: text.name().into(),
                fault: "a text has no rows".into(),
                remedy: "name a table, or pictures".into(),
            }),
        }
    }

    /// What messages call it.
    fn name(&self) -> &str {
        match self {
            Source::Table(table) => table.name(),
            Source::Pictures(pictures) => pictures.name(),
            Source::Text(text) => text.name(),
        }
    }

    /// The columns; pictures have only their class, `label`, and a text has none.
    pub fn headers(&self) -> &[String] {
        match self {
            Source::Table(table) => table.headers(),
            Source::Pictures(pictures) => pictures.headers(),
            Source::Text(_) => &[],
        }
    }

    /// How many rows, pictures or characters there are.
    pub fn rows(&self) -> usize {
        match self {
            Source::Table(table) => table.rows(),
            Source::Pictures(pictures) => pictures.rows(),
            Source::Text(text) => text.characters(),
        }
    }

    /// What each column holds.
    pub fn look(&self) -> Vec<ColumnLook> {
        match self {
            Source::Table(table) => table.look(),
            Source::Pictures(pictures) => pictures.look(),
            Source::Text(_) => Vec::new(),
        }
    }

    /// Makes a dataset of it.
    ///
    /// # Errors
    /// As [`Dataset::prepare`], [`Dataset::of_images`] and [`Dataset::prepare_text`]; options that
    /// are for data of another kind.
    pub fn prepare(&self, options: &DataOptions) -> Result<Dataset, DataError> {
        let unfit = |file: &str, option: &str, is_for: &str, this: &str| DataError::Unfit {
            file: file.into(),
            fault: format!("`{option}` is for {is_for}, and this is {this}"),
            remedy: format!("leave `{option}` out"),
        };
        if let Some(like) = &options.like {
            like.check(self.name(), options)?;
        }
        match self {
            Source::Pictures(pictures) if options.image.is_some() => Err(unfit(
                pictures.name(),
                "image",
                "the columns of a table",
                "a set of pictures",
            )),
            Source::Pictures(pictures) => Dataset::of_images(pictures, options),
            Source::Table(table) if options.size.is_some() => {
                Err(unfit(table.name(), "size", "pictures", "a table"))
            }
            Source::Table(table) => Dataset::prepare(table, options),
            Source::Text(text) => {
                let usual = TextOptions::default();
                let like = options.like.as_ref();
                let like = like.map(|like| like.text(text.name())).transpose()?;
                let of_base = like.map(|(_, context)| context);
                let options = TextOptions {
                    level: options.level,
                    context: of_base.or(options.context).unwrap_or(usual.context),
                    shares: options.shares,
                    vocabulary: like.map(|(vocabulary, _)| vocabulary.clone()),
                };
                Dataset::prepare_text(text, &options)
            }
        }
    }
}

/// What the labels of such pictures are called, where their name says so.
fn labels_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy();
    let labels = name.replace("images", "labels").replace("idx3", "idx1");
    (labels != name).then_some(labels)
}

/// The file of labels that lies beside one of pictures.
fn labels_of(path: &Path) -> Result<PathBuf, DataError> {
    let unfit = |fault: String, remedy: String| DataError::Unfit {
        file: path.display().to_string(),
        fault,
        remedy,
    };
    let labels = labels_name(path).ok_or_else(|| {
        unfit(
            "an IDX file of pictures has `images` or `idx3` in its name".into(),
            "call it like train-images-idx3-ubyte, and its labels train-labels-idx1-ubyte".into(),
        )
    })?;
    let plain = plain_name(&labels);
    let beside = [
        path.with_file_name(plain),
        path.with_file_name(format!("{plain}.gz")),
    ];
    let found = beside.into_iter().find(|path| path.exists());
    found.ok_or_else(|| {
        unfit(
            "there are no labels for its pictures".into(),
            format!("put {plain} or {plain}.gz beside it"),
        )
    })
}

/// A file's name without what says that it is gzipped.
fn plain_name(name: &str) -> &str {
    name.strip_suffix(".gz").unwrap_or(name)
}

/// What a file holds, unpacked where it was compressed with gzip, and whether it was. Its own bytes
/// are hashed.
fn content(path: &Path, hasher: &mut blake3::Hasher) -> Result<(Vec<u8>, bool), DataError> {
    let bytes = read_file(path)?;
    hasher.update(&bytes);
    match bytes.starts_with(&GZIP) {
        true => Ok((unpacked(&path.display().to_string(), &bytes)?, true)),
        false => Ok((bytes, false)),
    }
}

/// The first bytes of a file's content, from which its kind is told; none where they cannot be read,
/// which is told by whoever reads on.
fn beginning(path: &Path) -> Vec<u8> {
    let first = |from: &mut dyn Read| {
        let mut bytes = Vec::new();
        let read = from.take(8).read_to_end(&mut bytes);
        read.map_or_else(|_| Vec::new(), |_| bytes)
    };
    // To open a pipe would be to wait for it.
    let open = || path.is_file().then(|| File::open(path).ok()).flatten();
    let bytes = open().map_or_else(Vec::new, |mut file| first(&mut file));
    match bytes.starts_with(&GZIP) {
        true => open().map_or_else(Vec::new, |file| first(&mut MultiGzDecoder::new(file))),
        false => bytes,
    }
}

/// What was compressed with gzip, if it is not too much.
fn unpacked(name: &str, bytes: &[u8]) -> Result<Vec<u8>, DataError> {
    let mut content = Vec::new();
    MultiGzDecoder::new(bytes)
        .take(MAX_BYTES + 1)
        .read_to_end(&mut content)
        .map_err(|error| DataError::Unfit {
            file: name.into(),
            fault: format!("not whole as a gzip file: {error}"),
            remedy: "copy it anew".into(),
        })?;
    cap(name, content.len() as u64, "bytes when unpacked", MAX_BYTES)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::Source;
    use flate2::{Compression, write::GzEncoder};
    use std::fs;
    use std::io::Write;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    /// Who only compares reads the files that make the hash of who understands them.
    #[test]
    fn data_have_one_hash_whatever_their_files_are_called() {
        let folder = tempfile::tempdir().unwrap();
        let pictures = [
            &[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1][..],
            &[1, 2, 3, 4],
        ]
        .concat();
        let labels = [&[0, 0, 8, 1, 0, 0, 0, 2][..], &[0, 1]].concat();
        let files = [
            ("a-images-idx3-ubyte", pictures.clone()),
            ("a-labels-idx1-ubyte", labels.clone()),
            ("b-images.idx", pictures.clone()),
            ("b-labels.idx", labels.clone()),
            ("c-images.gz", packed(&pictures)),
            ("c-labels.gz", packed(&labels)),
            ("d.csv", b"a,b\n1,2\n".to_vec()),
            ("e.csv.gz", packed(b"a,b\n1,2\n")),
        ];
        for (name, bytes) in &files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        for (name, _) in files.iter().filter(|(name, _)| !name.contains("labels")) {
            let path = folder.path().join(name);
            let read = Source::files(&path).unwrap();
            assert_eq!(
                read.len(),
                if name.contains("images") { 2 } else { 1 },
                "{name}"
            );
            assert_eq!(
                Source::read(&path).unwrap().1,
                Source::hash(&path).unwrap(),
                "{name}"
            );
        }
    }
}
