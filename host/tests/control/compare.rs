//! Trials of several studies side by side: only what differs.

use crate::ground::study;
use crate::support::{Home, one_line, says};

#[test]
fn across_studies_only_what_differs_is_shown() {
    let home = Home::new();
    home.run(&["run", &study(&home, 2, 3)]).ok();
    let text = std::fs::read_to_string(home.path().join("study.toml")).expect("the study file");
    let other = text
        .replace("width = [8, 16]", "width = 24")
        .replace("dropout = 0.2", "dropout = 0.3");
    let other = home
        .file("other.toml", other)
        .to_string_lossy()
        .into_owned();
    home.run(&["run", &other]).ok();

    let page = home.run(&["compare", "s1", "s2", "s1.1", "s1.0"]);
    one_line(&page.failed(1), &["already compared"]);
    let page = home.run(&["compare", "s1.0", "s2.1"]).ok();
    says(
        &page,
        &["s1.0", "s2.1", "width", "24", "dropout", "0.2", "0.3"],
    );
    for same in ["batch_size", "optimizer", "momentum", "layers"] {
        assert!(!page.contains(same), "{same} is shown:\n{page}");
    }

    for (args, parts) in [
        (["compare", "s1", "s9"], &["s9"][..]),
        (["compare", "s1.0", "s1.9"], &["s1.9"]),
        (["compare", "s1.0", "s1.0"], &["s1.0", "already compared"]),
        (["compare", "s1.0", "nonsense"], &["nonsense"]),
    ] {
        one_line(&home.run(&args).failed(1), parts);
    }
}

#[test]
fn what_is_judged_by_different_things_is_not_compared() {
    let home = Home::new();
    home.run(&["run", &study(&home, 1, 2)]).ok();
    let text = std::fs::read_to_string(home.path().join("study.toml")).expect("the study file");
    let other = text.replace("[space]", "[objective]\nmetric = \"loss\"\n[space]");
    let other = home
        .file("other.toml", other)
        .to_string_lossy()
        .into_owned();
    home.run(&["run", &other]).ok();
    one_line(
        &home.run(&["compare", "s1", "s2"]).failed(1),
        &["s1.0", "accuracy", "s2.0", "loss"],
    );
}
