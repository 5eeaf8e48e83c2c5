//! Studies of what is no network on data: test functions and factorisations.

use crate::asking::Asking;
use crate::daemon::kill_daemon_under;
use crate::fork::paused_at;
use crate::support::{Home, outcome, says};
use serde_json::Value;
use std::path::Path;

const SCHEDULERS: &str = "scheduler = ['greedy', 'cosine', 'hypergradient']";

/// A matrix of rank 2 with a column of words.
const MATRIX: &str = "who,a,b,c\nx,1,2,3\ny,2,4,6\nz,0,1,1\nu,3,0,3\n";

fn best(home: &Home, study: &str) -> Value {
    home.json(&["show", study, "--json"])["trials"][0].take()
}

fn example(name: &str) -> String {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    examples.join(name).to_string_lossy().into_owned()
}

/// Four numbers that start 2.2 and more from the minimum.
#[test]
fn the_valley_of_the_examples_is_walked_to_its_end() {
    let home = Home::new();
    home.run(&["run", &example("rosenbrock.toml")]).ok();
    let best = best(&home, "s1");
    let value = best["value"].as_f64().expect("a distance");
    assert!(value < 0.1, "{best:#}");
    assert_eq!(best["config"]["model"]["text"], "function");
}

/// scikit-learn 1.8 comes to 0.256 (coordinate descent, 561 iterations) and 0.264 (multiplicative
/// updates, 500) from the same kind of start; W and H all zero to 1.
#[test]
fn the_digits_of_the_examples_are_factored_into_numbers_that_any_program_reads() {
    let home = Home::new();
    home.run(&["run", &example("nmf.toml")]).ok();
    let best = best(&home, "s1");
    let value = best["value"].as_f64().expect("an error");
    assert!(value < 0.285, "{best:#}");

    let file = home.path().join("nmf.safetensors");
    let bytes = std::fs::read(&file).expect("what was saved");
    let (w, h) = (tensor(&bytes, "w"), tensor(&bytes, "h"));
    assert_eq!((w.len(), h.len()), (1797 * 16, 16 * 64));
    let digits = std::fs::read_to_string(example("data/digits.csv")).unwrap();
    let rows = digits.lines().skip(1).map(|line| {
        let (cells, _) = line.rsplit_once(',').unwrap();
        cells.split(',').map(|cell| cell.parse::<f64>().unwrap())
    });
    let (mut off, mut all) = (0.0, 0.0);
    for (row, w) in rows.zip(w.chunks(16)) {
        for (column, v) in row.enumerate() {
            let parts = w.iter().zip(h.iter().skip(column).step_by(64));
            let product: f64 = parts.map(|(w, h)| w * h).sum();
            off += (v - product).powi(2);
            all += v * v;
        }
    }
    assert!(w.iter().chain(&h).all(|number| *number >= 0.0));
    let recomputed = (off / all).sqrt();
    assert!(
        (recomputed - value).abs() < 1e-4,
        "{recomputed} and {value}"
    );

    let refused = home.run(&["predict", "nmf.safetensors", &example("data/digits.csv")]);
    says(
        &refused.failed(1),
        &["nmf.safetensors has the numbers that a task was trained to"],
    );
    home.run(&["store", "verify"]).ok();
}

/// The numbers of a tensor of f32, by the format's own words: eight bytes say how long the header
/// is, which says in JSON where each tensor's bytes are behind it.
fn tensor(file: &[u8], name: &str) -> Vec<f64> {
    let length = u64::from_le_bytes(file[..8].try_into().unwrap());
    let data = 8 + usize::try_from(length).unwrap();
    let header: Value = serde_json::from_slice(&file[8..data]).unwrap();
    let ends = header[name]["data_offsets"].as_array().unwrap().iter();
    let ends: Vec<usize> = ends.map(|end| end.as_u64().unwrap() as usize).collect();
    let bytes = file[data + ends[0]..data + ends[1]].as_chunks::<4>().0;
    let numbers = bytes.iter().map(|bytes| f32::from_le_bytes(*bytes).into());
    numbers.collect()
}

#[test]
fn a_study_of_a_task_that_is_killed_goes_on_as_if_it_had_not_been() {
    let home = Home::new();
    home.file("m.csv", MATRIX);
    for task in [
        "[function]\ndimensions = 6\nnoise = 0.5\nrows = 2048".to_owned(),
        "[factorisation]\nrows = 96\ncolumns = 24".to_owned(),
    ] {
        let text = format!(
            "trials = 6\n{task}\n[fidelity]\nmin_epochs = 100\nmax_epochs = 400\n[space]\n\
             {SCHEDULERS}\nlr = {{ low = 1e-3, high = 0.03, log = true }}\nbatch_size = 8\n\
             ema = 0.9\n"
        );
        let file = home.file("study.toml", text);
        let file = file.to_string_lossy();
        let undisturbed = home.start_detached(&file);
        home.wait_for_state(&undisturbed, "done");
        let mut client = home.follow(&["run", &file, "--json"]);
        kill_daemon_under(&home, &mut client);
        client.finish().ok();
        let studies = home.json(&["ls", "--json"]);
        let killed = studies.as_array().and_then(|all| all.last()).unwrap();
        let killed = killed["id"].as_str().unwrap();
        assert_ne!(killed, undisturbed);
        assert_eq!(outcome(&home, killed), outcome(&home, &undisturbed));
    }
}

#[test]
fn factors_have_the_rank_of_their_trial() {
    let home = Home::new();
    home.file("m.csv", MATRIX);
    let text = format!(
        "trials = 6\n[factorisation]\npath = 'm.csv'\nignore = ['who']\n[objective]\n\
         metric = 'relative_error'\n[fidelity]\nmethod = 'none'\nmax_epochs = 40\n[space]\n\
         {SCHEDULERS}\nrank = [1, 2, 3]\nlr = 0.02\nbatch_size = 2\n"
    );
    let file = home.file("study.toml", text);
    let file = file.to_string_lossy();
    home.run(&["run", &file]).ok();
    let detail = home.json(&["show", "s1", "--json"]);
    let trials = detail["trials"].as_array().unwrap();
    let ranks: std::collections::BTreeSet<i64> = trials
        .iter()
        .map(|trial| trial["config"]["rank"]["int"].as_i64().unwrap())
        .collect();
    assert!(ranks.len() > 1, "{ranks:?}");
    std::fs::write(home.path().join("m.csv"), "who,a\nx,1\ny,2\n").unwrap();
    let refused = home.run(&["run", &file]).failed(1);
    says(
        &refused,
        &["study.toml:12: `rank` goes up to 3", "is 1; lower it"],
    );
}

#[test]
fn a_trial_of_a_task_is_forked_with_another_scheduler_but_not_with_another_rank() {
    let home = Home::new();
    let text = "trials = 1\n[factorisation]\n[fidelity]\nmethod = 'none'\nmax_epochs = 4000\n\
                [space]\nscheduler = 'constant'\nlr = 0.01\n";
    home.start_detached(&home.file("study.toml", text).to_string_lossy());
    let step = paused_at(&home, "s1");
    let refused = home.run(&["fork", "s1.0", "--set", "rank=3"]).failed(1);
    says(
        &refused,
        &["a fork cannot have `rank` 3", "is of one with 8"],
    );
    home.run(&["fork", "s1.0", "--scheduler", "cosine", "--set", "lr=0.02"])
        .ok();
    home.wait_for_state("s2", "done");
    let fork = best(&home, "s2");
    assert_eq!(fork["scheduler"], "cosine");
    assert!(fork["steps"].as_u64().unwrap() > step, "{fork:#}");
}

#[test]
fn what_is_wrong_with_a_task_is_told_with_its_key() {
    let home = Home::new();
    home.file("m.csv", MATRIX);
    let asking = Asking::of(&home);
    let table = [
        (
            "[function]\ndimensions = 0",
            2,
            "function.dimensions",
            "from 1 to",
        ),
        (
            "[function]\nshape = 'rosenbrock'\ndimensions = 1",
            3,
            "function.dimensions",
            "it must be from 2 to",
        ),
        (
            "[function]\n[space]\nmodel = 'mlp'",
            3,
            "space.model",
            "`mlp` is not trained on [function]; it takes function",
        ),
        (
            "[function]\n[space]\nwidth = 8",
            3,
            "space.width",
            "`width` is a setting of mlp, tabular-resnet, cnn, transformer, but",
        ),
        (
            "[function]\n[objective]\nmetric = 'distanse'",
            3,
            "objective.metric",
            "does not fit a function; it can be loss, distance; did you mean `distance`?",
        ),
        (
            "[factorisation]\npath = 'm.csv'",
            2,
            "factorisation.path",
            "m.csv:2: column `who` is `x`, but a matrix",
        ),
        (
            "[factorisation]\npath = 'm.csv'\nignore = ['hwo']",
            3,
            "factorisation.ignore",
            "no column `hwo`; did you mean `who`?",
        ),
        (
            "[factorisation]\npath = 'n.csv'",
            2,
            "factorisation.path",
            "cannot read",
        ),
        (
            "[factorisation]\nrows = 4\nplanted = 9",
            3,
            "factorisation.planted",
            "`planted` is 9",
        ),
        (
            "[factorisation]\n[space]\nrank = 'search'\n",
            3,
            "space.rank",
            "",
        ),
        (
            "[data]\npath = 'm.csv'\ntarget = 'a'\ntest = 0\n[space]\nmodel = 'factorisation'",
            6,
            "space.model",
            "`factorisation` is not trained on [data]; it takes linear, mlp",
        ),
    ];
    for (text, line, key, expected) in table {
        let checked = asking.check(&home, text);
        if expected.is_empty() {
            assert_eq!(checked.problems, [], "{text}");
            continue;
        }
        let told: Vec<_> = checked.problems.iter().collect();
        let [problem] = told[..] else {
            panic!("{text}\n{told:#?}");
        };
        let place = (problem.line, problem.key.as_deref());
        assert_eq!(place, (Some(line), Some(key)), "{text}\n{problem:?}");
        assert!(problem.message.contains(expected), "{text}\n{problem:?}");
    }
}
