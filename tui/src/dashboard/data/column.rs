//! One setting or metric of all trials of a study.

/// Values by row. Most settings are the same in all trials of a study: such a value is kept once.
#[derive(Debug)]
pub(super) struct Column<T> {
    pub(super) name: String,
    /// What a row has that nothing is known of.
    missing: T,
    /// Rows that something is known of; those after them have nothing.
    len: usize,
    /// What all of them have; nothing where they differ, and stand one by one in `values`.
    same: Option<T>,
    values: Vec<T>,
}

impl<T: Copy + PartialEq> Column<T> {
    pub(super) fn new(name: &str, missing: T) -> Self {
        Column {
            name: name.to_owned(),
            missing,
            len: 0,
            same: None,
            values: Vec::new(),
        }
    }

    pub(super) fn get(&self, index: usize) -> T {
        match self.same {
            Some(same) if index < self.len => same,
            _ => self.values.get(index).copied().unwrap_or(self.missing),
        }
    }

    pub(super) fn put(&mut self, index: usize, value: T) {
        if self.len == 0 && index == 0 {
            self.same = Some(value);
        }
        if self.same == Some(value) && index <= self.len {
            self.len = self.len.max(index + 1);
            return;
        }
        self.part();
        if self.values.len() <= index {
            self.values.resize(index + 1, self.missing);
        }
        self.values[index] = value;
        self.len = self.values.len();
    }

    /// A row comes in before others, and has nothing yet.
    pub(super) fn insert(&mut self, index: usize) {
        if index < self.len {
            self.part();
            self.values.insert(index, self.missing);
            self.len = self.values.len();
        }
    }

    /// So many rows are about to come after the others: room for just these is made.
    pub(super) fn expect(&mut self, more: usize) {
        if self.same.is_none() {
            self.values.reserve_exact(more);
        }
    }

    /// From here on each row has a value of its own.
    fn part(&mut self) {
        if let Some(same) = self.same.take() {
            self.values = vec![same; self.len];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Column;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is done to it, it holds what a plain list would.
        #[test]
        fn a_column_is_a_list(
            deeds in prop::collection::vec((0..3u8, 0..12usize, 0..3i64), 0..60),
        ) {
            let mut column = Column::new("lr", -1);
            let mut list: Vec<i64> = Vec::new();
            for (deed, index, value) in deeds {
                match deed {
                    0 => {
                        column.put(index, value);
                        list.resize(list.len().max(index + 1), -1);
                        list[index] = value;
                    }
                    1 => {
                        column.insert(index);
                        if index < list.len() {
                            list.insert(index, -1);
                        }
                    }
                    _ => column.expect(index),
                }
                for index in 0..list.len() + 2 {
                    let wanted = list.get(index).copied().unwrap_or(-1);
                    prop_assert_eq!(column.get(index), wanted);
                }
            }
        }
    }

    #[test]
    fn what_is_the_same_in_all_rows_is_kept_once() {
        let mut column = Column::new("width", 0);
        (0..1_000).for_each(|index| column.put(index, 64));
        assert_eq!((column.get(999), column.get(1_000)), (64, 0));
        assert_eq!(column.values.capacity(), 0);
        column.put(500, 32);
        assert_eq!([499, 500, 999].map(|index| column.get(index)), [64, 32, 64]);
    }
}
