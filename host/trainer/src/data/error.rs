//! What can be wrong with data.

/// Why data cannot be used. Every message names the file, and the line or column it is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file cannot be read.
    #[error("cannot read {file}: {reason}; check the path and its permissions")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        reason: String,
    },
    /// The file is larger than is reasonable for tabular data.
    #[error("{file} has {found} {unit}, but at most {cap} are read; take a sample of it")]
    TooLarge {
        /// The file.
        file: String,
        /// How many there are.
        found: u64,
        /// Of what.
        unit: &'static str,
        /// How many there may be.
        cap: u64,
    },
    /// Not a byte in it.
    #[error("{file} is empty; it needs a header line and at least one row")]
    Empty {
        /// The file.
        file: String,
    },
    /// A text that has too few tokens for its context.
    #[error(
        "{file}: its {part} part has {tokens} tokens, but a context of {context} needs {least}; take a longer text, a smaller context or other shares"
    )]
    ShortText {
        /// The file.
        file: String,
        /// The part.
        part: &'static str,
        /// Its tokens.
        tokens: usize,
        /// How many there must be.
        least: usize,
        /// Tokens that are seen at once.
        context: usize,
    },
    /// A context that cannot be used.
    #[error("`context` is {found}, but it must be from 1 to {most}")]
    BadContext {
        /// What it is.
        found: usize,
        /// The most that is possible.
        most: usize,
    },
    /// A table was asked for what only a text has.
    #[error(
        "{file} is a table, whose target can be classified or regressed but has no next token; use classification or regression"
    )]
    NoText {
        /// The file.
        file: String,
    },
    /// A header and nothing below it.
    #[error("{file} has a header but no rows; add rows below the header")]
    NoRows {
        /// The file.
        file: String,
    },
    /// Some bytes are not UTF-8.
    #[error("{file}:{line}: this is not UTF-8{hint}; save the file as UTF-8")]
    NotUtf8 {
        /// The file.
        file: String,
        /// The first such line.
        line: u64,
        /// A guess at what it is instead.
        hint: &'static str,
    },
    /// A row has too few or too many cells.
    #[error("{file}:{line}: {found} cells, but the header has {expected}; {remedy}")]
    Ragged {
        /// The file.
        file: String,
        /// Where the row begins.
        line: u64,
        /// The cells it has.
        found: usize,
        /// The cells it should have.
        expected: usize,
        /// What to look for.
        remedy: &'static str,
    },
    /// The CSV reader refused.
    #[error("{file}: {reason}; mend the file")]
    Malformed {
        /// The file.
        file: String,
        /// What it said.
        reason: String,
    },
    /// A column that was asked for stands in the header more than once.
    #[error(
        "{file} has `{column}` twice in its header, as columns {first} and {again}; rename or remove one of them"
    )]
    RepeatedColumn {
        /// The file.
        file: String,
        /// What was asked for.
        column: String,
        /// The place of the first, from 1.
        first: usize,
        /// The place of the next, from 1.
        again: usize,
    },
    /// A column that was asked for does not exist.
    #[error("{file} has no column `{column}`{suggestion}")]
    NoSuchColumn {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The nearest names, or how to see all.
        suggestion: String,
    },
    /// The data are not like those of the base that they are to be prepared like.
    #[error("{file} does not fit the base: {fault}; {remedy}")]
    UnlikeBase {
        /// The file.
        file: String,
        /// What is the matter.
        fault: String,
        /// What to do.
        remedy: String,
    },
    /// A column that the model was trained on is missing.
    #[error(
        "{file} has no column `{column}`, which the model was trained on; add it, empty if unknown"
    )]
    MissingColumn {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
    /// The target has no value at all.
    #[error("{file}: target `{target}` is empty in every row; choose another target")]
    EmptyTarget {
        /// The file.
        file: String,
        /// The target.
        target: String,
    },
    /// The target is the same everywhere.
    #[error(
        "{file}: target `{target}` is `{value}` in every row, so there is nothing to learn; choose another target"
    )]
    ConstantTarget {
        /// The file.
        file: String,
        /// The target.
        target: String,
        /// The only value.
        value: String,
    },
    /// More classes than anybody means.
    #[error(
        "{file}: target `{target}` has {classes} different values in {rows} rows, too many for classes; {remedy}"
    )]
    TooManyClasses {
        /// The file.
        file: String,
        /// The target.
        target: String,
        /// How many there are.
        classes: usize,
        /// In how many rows.
        rows: usize,
        /// What to do.
        remedy: &'static str,
    },
    /// Regression was asked for, or most target cells are numbers, but one is not.
    #[error(
        "{file}:{line}: target `{target}` is `{cell}`, which is {fault}; mend the cell or use classification"
    )]
    TargetNotNumeric {
        /// The file.
        file: String,
        /// The line.
        line: u64,
        /// The target.
        target: String,
        /// The cell.
        cell: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// Every column but the target was dropped.
    #[error(
        "{file}: no column is left to learn from ({dropped} dropped as empty, constant, identifiers or free text)"
    )]
    NoFeatures {
        /// The file.
        file: String,
        /// How many were dropped.
        dropped: usize,
    },
    /// The columns are not as many as a picture's numbers.
    #[error(
        "{file}: `image = {image}` asks for {expected} columns of numbers beside the target, but there are {found}; correct `image`, or put the others into `ignore`"
    )]
    NoPicture {
        /// The file.
        file: String,
        /// What was asked for.
        image: String,
        /// How many columns that are.
        expected: String,
        /// How many there are.
        found: usize,
    },
    /// A cell of a picture is no number.
    #[error(
        "{file}:{line}: column `{column}` is `{cell}`, but every column of a picture holds numbers; mend the cell or put the column into `ignore`"
    )]
    PointNotNumeric {
        /// The file.
        file: String,
        /// The line.
        line: u64,
        /// The column.
        column: String,
        /// The cell.
        cell: String,
    },
    /// A cell that cannot be part of a matrix with nonnegative factors.
    #[error(
        "{file}:{line}: column `{column}` is `{cell}`, but a matrix with nonnegative factors holds finite numbers of at least 0; mend the cell or put the column into `ignore`"
    )]
    NotNonnegative {
        /// The file.
        file: String,
        /// The line.
        line: u64,
        /// The column.
        column: String,
        /// The cell.
        cell: String,
    },
    /// A part of the split would hold no rows.
    #[error(
        "{file}: {rows} usable rows leave the {part} part empty; add rows or give that part a larger share"
    )]
    TooFewRows {
        /// The file.
        file: String,
        /// Rows with a target.
        rows: usize,
        /// The part.
        part: &'static str,
    },
    /// The shares of a split do not make a whole.
    #[error(
        "the split {train}/{valid}/{test} must be shares of at least 0 that add up to 1, with training and validation above 0"
    )]
    BadShares {
        /// The training share.
        train: String,
        /// The validation share.
        valid: String,
        /// The test share.
        test: String,
    },
    /// A fold that does not exist.
    #[error(
        "there is no fold {index} of {of}; give fold = [I, K] with K from 2 to 1000 and I from 1 to K"
    )]
    BadFold {
        /// Which.
        index: usize,
        /// Of how many.
        of: usize,
    },
    /// Two rules for one split that do not go together.
    #[error("`{first}` and `{second}` are both given, but {why}; leave one of them out")]
    RulesClash {
        /// One.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// Why not.
        why: &'static str,
    },
    /// Fewer groups than parts.
    #[error(
        "{file}: `{column}` has {groups} different values, but {needed} are needed so that each part has one; group by another column"
    )]
    TooFewGroups {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// How many there are.
        groups: usize,
        /// How many there must be.
        needed: usize,
    },
    /// Fewer different times than parts.
    #[error(
        "{file}: `{column}` has {times} different times, but {needed} are needed so that each part has one; order by another column"
    )]
    TooFewTimes {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// How many there are.
        times: usize,
        /// How many there must be.
        needed: usize,
    },
    /// A row whose place in a split cannot be told.
    #[error(
        "{file}:{line}: `{column}` is `{cell}`, but the rows are split by it, so it must be {expected}; mend the cell or remove the row"
    )]
    NoPlace {
        /// The file.
        file: String,
        /// The line.
        line: u64,
        /// The column.
        column: String,
        /// What stands there.
        cell: String,
        /// What should.
        expected: &'static str,
    },
    /// A row that belongs to none of the groups that metrics compare.
    #[error(
        "{file}:{line}: `{column}` is `{cell}`, but metrics compare the groups that it names; give such rows a group of their own, such as `unknown`, or remove them"
    )]
    NoGroup {
        /// The file.
        file: String,
        /// The line.
        line: u64,
        /// The column.
        column: String,
        /// What stands there.
        cell: String,
    },
    /// One group, or many, where metrics are to compare them.
    #[error(
        "{file}: the number of different values in `{column}` is {groups}, but metrics compare 2 to {most} groups; name another column, or put its values together into a few"
    )]
    UncomparableGroups {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// How many there are.
        groups: usize,
        /// How many there may be.
        most: usize,
    },
    /// A part that lacks a group.
    #[error(
        "{file}: no row of the {part} part has `{group}` in `{column}`, so its groups cannot be compared there; give that part a larger share, or put rare groups together"
    )]
    AbsentGroup {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The group.
        group: String,
        /// The part.
        part: &'static str,
    },
    /// A file of a known kind that is not whole, or not what can be read of this kind.
    #[error("{file}: {fault}; {remedy}")]
    Unfit {
        /// The file.
        file: String,
        /// What is wrong, and where.
        fault: String,
        /// What to do.
        remedy: String,
    },
    /// A cell that is no number, where a picture has a point.
    #[error(
        "{file}:{line}: `{column}` is `{cell}`, but a point of a picture is a number; mend the cell"
    )]
    NoPoint {
        /// The file.
        file: String,
        /// The line.
        line: u64,
        /// The column.
        column: String,
        /// What stands there.
        cell: String,
    },
}

impl DataError {
    /// A file or folder that the system does not give.
    pub(super) fn unreadable(path: &std::path::Path, error: &std::io::Error) -> Self {
        DataError::Unreadable {
            file: path.display().to_string(),
            reason: error.to_string(),
        }
    }
}
