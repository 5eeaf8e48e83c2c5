//! Parameters as commands print them: a scheduler's, and the settings of a kind of model.

use attune_plugin_api::Param;
use attune_plugin_api::param::Search;
use std::io::Write;

/// Each parameter with its default, type, range, the range worth searching, and what it means.
/// `searched` are the words for that it is, or for when.
pub(super) fn write(params: &[Param], searched: &str, out: &mut impl Write) -> std::io::Result<()> {
    for param in params {
        writeln!(out, "\n  {} = {}", param.name, param.default)?;
        writeln!(out, "      {}; {}", param.kind, range(param, searched))?;
        writeln!(out, "      {}", param.doc)?;
    }
    Ok(())
}

fn range(param: &Param, searched: &str) -> String {
    match param.search {
        None => "not searched unless a study says so".into(),
        Some(Search::All) => format!("{searched} over all values"),
        Some(Search::Linear(low, high)) => format!("{searched} from {low} to {high}"),
        Some(Search::Log(low, high)) => {
            format!("{searched} from {low} to {high}, evenly in the logarithm")
        }
    }
}
