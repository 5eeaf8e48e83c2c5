//! How a study file has its settings searched, for whoever draws them.

use super::document::Document;
use super::typed::Said;

/// What a study file says of its settings.
pub(crate) struct Searched(Document);

impl Searched {
    pub(crate) fn new(spec: &str) -> Searched {
        Searched(Document::new(spec))
    }

    /// Whether a setting, such as `lr` or `greedy.patience`, is searched by its logarithm, as in
    /// `lr = { low = 0.01, high = 0.2, log = true }`.
    pub(crate) fn is_log(&self, name: &str) -> bool {
        let value = self.0.get(&format!("space.{name}"));
        matches!(
            value.and_then(Said::of),
            Some(Said::Between { log: true, .. })
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_study_file_says_what_is_searched_by_its_logarithm() {
        let spec = "[space]\nlr = { low = 1e-3, high = 0.1, log = true }\nwidth = [32, 64]\n\
                    decay = { low = 0, high = 1 } # not log = true\n\
                    [space.greedy]\npatience = { low = 1, high = 20, log = true }\n\
                    [space.rex]\nlr = { low = 1, high = 2 }\n\
                    width = { low = 1, high = 2, log = true }\n";
        let searched = Searched::new(spec);
        for (name, expected) in [
            ("lr", true),
            ("width", false),
            ("decay", false),
            ("greedy.patience", true),
            ("rex.lr", false),
            ("rex.width", true),
            ("nothing", false),
        ] {
            assert_eq!(searched.is_log(name), expected, "{name}");
        }
        assert!(!Searched::new("no TOML =").is_log("lr"));
    }
}
