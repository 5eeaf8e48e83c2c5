//! Finding data, looking at them, and the study file that suits them.

use crate::asking::Asking;
use crate::support::{Home, says, small_study};
use attune_protocol::{DataLook, Draft, LookAtData, NewStudy};

fn look(asking: &Asking, path: &str) -> DataLook {
    let look = LookAtData { path: path.into() };
    asking.to(|client| async move { client.look_at_data(&look).await })
}

#[test]
fn a_table_is_found_and_looked_at() {
    let home = Home::new();
    small_study(&home, "");
    home.file("broken.csv", "a,b\n1\n");
    let asking = Asking::of(&home);
    let folder = home.path().to_string_lossy().into_owned();
    let names = |look: &DataLook| {
        let names = look.entries.iter().map(|entry| {
            let name = entry.path.rsplit('/').next().unwrap().to_owned();
            (name, entry.folder)
        });
        names.collect::<Vec<_>>()
    };
    let all = look(&asking, &folder);
    let expected = [("home", true), ("broken.csv", false), ("wine.csv", false)];
    assert_eq!(names(&all), expected.map(|(name, is)| (name.into(), is)));
    assert_eq!(
        names(&look(&asking, &format!("{folder}/wi"))),
        [("wine.csv".into(), false)]
    );

    let table = look(&asking, &format!("{folder}/wine.csv")).table.unwrap();
    assert_eq!((table.rows, table.columns.len()), (178, 14));
    let target = table.columns.iter().find(|c| c.name == "cultivar").unwrap();
    assert_eq!((target.distinct, target.missing), (3, 0));
    assert_eq!(target.examples.len(), 3);
    assert!(table.columns.iter().any(|column| column.kind == "numbers"));

    let broken = look(&asking, &format!("{folder}/broken.csv"));
    assert_eq!(broken.table, None);
    says(&broken.problem.unwrap(), &["broken.csv:2", "1 cells"]);
    let study = look(&asking, &format!("{folder}/none/x"));
    says(&study.problem.unwrap(), &["none: No such file"]);
    for (path, why) in [("", "is empty"), ("wine.csv", "is not absolute")] {
        let look = LookAtData { path: path.into() };
        let (code, told) = asking.refused(|client| async move { client.look_at_data(&look).await });
        assert_eq!(code, 400);
        says(&told, &[why]);
    }
}

#[test]
fn a_draft_is_a_study_that_is_well_and_what_fit_writes() {
    let home = Home::new();
    small_study(&home, "");
    let asking = Asking::of(&home);
    let data = home.path().join("wine.csv").to_string_lossy().into_owned();
    let draft = Draft {
        data,
        target: "cultivar".into(),
        schedulers: vec!["greedy".into()],
        trials: Some(2),
        ..Draft::default()
    };
    let drafted = asking.to(|client| {
        let draft = draft.clone();
        async move { client.draft(&draft).await }
    });
    let study = NewStudy {
        spec: drafted.spec.clone(),
        file: String::new(),
        plugins: Vec::new(),
        parallel: None,
    };
    let checked = asking.to(|client| async move { client.check(&study).await });
    assert_eq!(checked.problems, []);
    assert_eq!((checked.name.as_str(), checked.trials), ("wine", Some(2)));
    home.run(&[
        "fit",
        "wine.csv",
        "--target",
        "cultivar",
        "--schedulers",
        "greedy",
        "--trials",
        "2",
        "--save-study",
        "fit.toml",
    ])
    .ok();
    let written = std::fs::read_to_string(home.path().join("fit.toml")).unwrap();
    assert_eq!(written, drafted.spec);

    for (wrong, why) in [
        (
            Draft {
                target: "cultivr".into(),
                ..draft.clone()
            },
            "did you mean `cultivar`?",
        ),
        (
            Draft {
                data: "/none.csv".into(),
                ..draft.clone()
            },
            "cannot read /none.csv",
        ),
        (
            Draft {
                budget: Some("soon".into()),
                ..draft.clone()
            },
            "write 90s, 5m or 1.5h",
        ),
        (
            Draft {
                trials: Some(0),
                ..draft.clone()
            },
            "`trials` is 0",
        ),
        (
            Draft {
                task: Some("magic".into()),
                ..draft
            },
            "must be one of auto",
        ),
    ] {
        let (code, told) = asking.refused(|client| async move { client.draft(&wrong).await });
        assert_eq!(code, 400);
        says(&told, &[why]);
    }
}
