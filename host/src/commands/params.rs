//! Parameters as commands print them: a scheduler's, and the settings of a kind of model.

use attune_plugin_api::Param;
use attune_plugin_api::param::Search;
use std::io::Write;

/// Each parameter with its default, type, range, the range worth searching, and what it means.
pub(super) fn write(params: &[Param], out: &mut impl Write) -> std::io::Result<()> {
    for param in params {
        writeln!(out, "\n  {} = {}", param.name, param.default)?;
        writeln!(out, "      {}; {}", param.kind, searched(param))?;
        writeln!(out, "      {}", param.doc)?;
    }
    Ok(())
}

fn searched(param: &Param) -> String {
    match param.search {
        None => "not searched unless a study says so".into(),
        Some(Search::All) => "searched over all values".into(),
        Some(Search::Linear(low, high)) => format!("searched from {low} to {high}"),
        Some(Search::Log(low, high)) => {
            format!("searched from {low} to {high}, evenly in the logarithm")
        }
    }
}
