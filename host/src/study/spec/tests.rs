use super::*;
use crate::study::choice::Choice;
use attune_plugin_api::param::Value;

const DATA: &str = "[data]\npath = 'd.csv'\ntarget = 'y'\n";

fn parse(text: &str) -> Result<StudySpec, SpecError> {
    StudySpec::parse(Path::new("studies/demo.toml"), text)
}

#[test]
fn what_is_left_out_has_a_sensible_value() {
    let spec = parse(DATA).unwrap();
    assert_eq!(spec.name, "demo");
    assert_eq!((spec.planned_trials(), spec.most_trials()), (32, 32));
    assert!(spec.reproducible && spec.fidelity.asha);
    assert_eq!(spec.task.data().path, Path::new("studies/d.csv"));
    assert_eq!(
        (spec.fidelity.min_epochs, spec.fidelity.max_epochs),
        (4, 40)
    );
    assert_eq!(spec.steering.cadence, Cadence::default());
}

#[test]
fn the_space_takes_values_lists_ranges_and_schedulers() {
    let text = format!(
        "{DATA}[space]\nscheduler = ['greedy', 'cosine']\nlr = {{ low = 1e-3, high = 1, log = true }}\n\
         width = 64\ndropout = 'search'\ngreedy.patience = 3\n"
    );
    let spec = parse(&text).unwrap();
    let choice = |scheduler, key| &spec.entry(scheduler, key).unwrap().choice;
    assert!(matches!(choice(None, "scheduler"), Choice::Among(names) if names.len() == 2));
    assert_eq!(
        choice(None, "lr"),
        &Choice::Between {
            low: 1e-3,
            high: 1.0,
            log: true
        }
    );
    assert_eq!(choice(None, "width"), &Choice::Fixed(Value::Int(64)));
    assert_eq!(choice(None, "dropout"), &Choice::Proposed);
    assert_eq!(
        choice(Some("greedy"), "patience"),
        &Choice::Fixed(Value::Int(3))
    );
}

#[test]
fn every_mistake_is_placed_and_has_a_remedy() {
    let table: &[(&str, &str)] = &[
        (
            "trails = 3",
            "demo.toml:1: unknown key `trails` at the top of the file; did you mean `trials`?",
        ),
        (
            "trials = 0",
            "demo.toml:1: `trials` is 0, but must be a whole number from 1 to 1000000",
        ),
        (
            "seed = 'x'",
            "demo.toml:1: `seed` is the text \"x\", but must be a whole number",
        ),
        ("name = 'x", "demo.toml:1: not valid TOML"),
        (
            "budget = '3 days'",
            "`3 days` is not a duration; write 90s, 5m or 1.5h",
        ),
        (
            "\n[fidelity]\nmax_epoch = 3",
            "demo.toml:3: unknown key `max_epoch` in [fidelity]; did you mean `max_epochs`?",
        ),
        (
            "[search]\nmethod = 'sobl'",
            "`method` is `sobl`, but must be one of sobol, random; did you mean `sobol`?",
        ),
        ("[steering]\nevery = '3 weeks'", "`every` must be"),
        ("[space]\nlr = { low = 1 }", "needs both `low` and `high`"),
        (
            "[space]\nlr = { low = 0, high = 1, log = true }",
            "above 0 with log = true",
        ),
        (
            "[space]\nlr = { low = 0.1, high = 1, logg = true }",
            "did you mean `log`?",
        ),
        ("[space]\nlr = []", "lists nothing"),
        (
            "[space]\nlr = { lo = 0.1 }",
            "unknown key `lo` in [lr]; did you mean `low`?",
        ),
        ("name = 'a/b'", "without slashes"),
        (
            "[data]\npath = 'd.csv'\ntarget = 'y'\nfold = [6, 5]",
            "demo.toml:4: `fold` is [6, 5], but must be [I, K]",
        ),
        (
            "[data]\npath = 'd.csv'\ntarget = 'y'\nfold = 3",
            "`fold` is 3, but must be two whole numbers from 1 to 1000",
        ),
        (
            "[data]\npath = 'd.csv'\ntarget = 'y'\nsize = [28, 0]",
            "`size` is a list, but must be two whole numbers from 1 to 4096",
        ),
        (
            "[data]\npath = 'd.csv'\ntarget = 'y'\ngroup = 'g'\ntime = 't'",
            "demo.toml:5: `time` and `group` are both given",
        ),
        (
            "[data]\npath = 'd.csv'\ntarget = 'y'\n[data.class_weights]\nrare = 0",
            "demo.toml:5: `rare` is 0, but must be a number from 0.000001 to 1000000",
        ),
        (
            "[data]\npath = 'd.csv'\ntarget = 'y'\nclass_weights = { rare = inf }",
            "demo.toml:4: `rare` is inf, but must be a number from",
        ),
        (
            "[data]\npath = 'd.csv'\ntarget = 'y'\nclass_weights = {}",
            "demo.toml:4: `class_weights` names no class; write { CLASS = 5.0 }",
        ),
        (
            "[data]\npath = 'd.csv'\ntarget = 'y'\nclass_weights = 'balanced'",
            "`class_weights` is the text \"balanced\", but must be a table",
        ),
        (
            "[data]\npath = 'a.txt'\ntask = 'text'\nclass_weights = { a = 2 }",
            "demo.toml:4: `class_weights` is given, but a text has none; leave it out",
        ),
        ("[data]\npath = 'a.csv'", "`target` is missing from [data]"),
        (
            "[data]\npath = 'a.txt'\ntask = 'text'\ntarget = 'y'",
            "demo.toml:4: `target` is given, but a text has none; leave it out",
        ),
        (
            "[data]\npath = 'a.txt'\ntask = 'text'\nprotected = 'who'",
            "demo.toml:4: `protected` is given, but a text has none; leave it out",
        ),
        (
            "[data]\npath = 'a.csv'\ntarget = 'y'\ncontext = 8",
            "`context` is given, but only a text has that; add task = \"text\"",
        ),
        (
            "[data]\npath = 'a.csv'\ntarget = 'y'\nimage = [8, 8]",
            "`image` is a list, but must be 3 whole numbers",
        ),
        ("data = 3", "`data` is 3, but must be a table"),
        (
            "[function]\nshape = 'rosenbrok'",
            "demo.toml:2: `shape` is `rosenbrok`, but must be one of quadratic, rosenbrock; did",
        ),
        (
            "[function]\nshape = 'rosenbrock'\ncondition = 9",
            "demo.toml:3: `condition` is given, but only shape = \"quadratic\" has one",
        ),
        (
            "[function]\nnoise = -1",
            "demo.toml:2: `noise` is -1, but must be a number from 0",
        ),
        (
            "[factorisation]\npath = 'm.csv'\nrows = 3",
            "demo.toml:3: unknown key `rows` in [factorisation]; known here: ignore, path",
        ),
        (
            "[factorisation]\n[data]\npath = 'm.csv'\ntarget = 'y'",
            "demo.toml:2: [factorisation] and [data] both say what is trained; leave one of",
        ),
    ];
    for (text, expected) in table {
        let has_task = ["data", "function", "factorisation"];
        let text = if has_task.iter().any(|task| text.contains(task)) {
            text.to_string()
        } else {
            format!("{text}\n{DATA}")
        };
        let error = parse(&text).unwrap_err().to_string();
        assert!(
            error.contains(expected),
            "{text}\n gave {error}\n not {expected}"
        );
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_the_rest_is_taken() {
    let text = "trials = 0\nseed = 3\n[data]\npath = 'd.csv'\n[fidelity]\nmax_epochs = 5\n\
                eta = 1\n[space]\nlr = []\nwidth = 64\ngreedy.x = {low = 1}\n[serch]\n";
    let (spec, problems) = StudySpec::check(Path::new("studies/demo.toml"), text);
    let told: Vec<(usize, &str)> = problems.iter().map(|p| (p.line, p.key.as_str())).collect();
    assert_eq!(
        told,
        [
            (1, "trials"),
            (3, "data.target"),
            (7, "fidelity.eta"),
            (9, "space.lr"),
            (11, "space.greedy.x"),
            (12, "serch"),
        ],
        "{problems:#?}"
    );
    let spec = spec.unwrap();
    assert_eq!((spec.seed, spec.fidelity.max_epochs), (3, 5));
    assert_eq!(spec.space.len(), 1);
    let (spec, problems) = StudySpec::check(Path::new("demo.toml"), "name = 'x\n");
    assert!(spec.is_none() && problems[0].line == 1);
}

#[test]
fn a_budget_alone_leaves_the_number_of_trials_open() {
    let spec = parse(&format!("budget = '5m'\n{DATA}")).unwrap();
    assert_eq!((spec.planned_trials(), spec.most_trials()), (0, MAX_TRIALS));
    let spec = parse(&format!("budget = '5m'\ntrials = 7\n{DATA}")).unwrap();
    assert_eq!((spec.planned_trials(), spec.most_trials()), (7, 7));
}

#[test]
fn a_split_that_leaves_nothing_to_train_on_is_refused() {
    let error = parse(&format!("{DATA}valid = 0.6\ntest = 0.4\n")).unwrap_err();
    assert!(error.to_string().contains("leave at least 0.05"), "{error}");
}

#[test]
fn what_concerns_the_task_is_kept_and_nothing_else() {
    let tables = [
        "[data]\npath = '/a \"b\".csv'\ntarget = 'größe'\ntask = 'regression'\nvalid = 0.25\n\
         ignore = ['a', 'b']\nfold = [2, 5]\ngroup = 'who'\nprotected = 'sex'\nimage = [4, 5, 3]\n\
         class_weights = { a = 3, \"b c\" = 0.5 }\n",
        "[data]\npath = '/a.txt'\ntask = 'text'\nlevel = 'byte'\ncontext = 9\n",
        "[function]\nshape = 'rosenbrock'\ndimensions = 5\nnoise = 0.5\n",
        "[factorisation]\npath = '/m.npy'\nignore = ['who']\n",
        "[factorisation]\nrows = 5\nseed = 3\n",
    ];
    for table in tables {
        let text = format!(
            "seed = 7\ntrials = 9\n{table}[objective]\nmetric = 'mae'\n[space]\nlr = 'x'\n"
        );
        let spec = parse(&text).unwrap();
        let alone = parse(&spec.of_task_alone()).unwrap();
        assert_eq!(alone.task, spec.task);
        assert_eq!((alone.seed, &alone.metric), (7, &spec.metric));
        assert!(alone.space.is_empty() && alone.trials.is_none());
    }
}

/// As a file does that a program wrote anew, with its keys in another order.
#[test]
fn where_a_space_is_written_is_no_part_of_it() {
    let parse = |text: &str| {
        let data = "[data]\npath = \"d.csv\"\ntarget = \"y\"\n";
        StudySpec::parse(Path::new("study.toml"), &format!("{text}{data}")).unwrap()
    };
    let spec = parse("[space]\nlr = \"search\"\nwidth = 8\n");
    let moved = parse("trials = 70\n\n[space]\nwidth = 8\nlr = \"search\"\n");
    let other = parse("[space]\nlr = \"search\"\nwidth = 9\n");
    let method = parse("[search]\nmethod = \"random\"\n[space]\nlr = \"search\"\nwidth = 8\n");
    assert!(spec.searches_the_same(&moved));
    assert!(!spec.searches_the_same(&other));
    assert!(!spec.searches_the_same(&method));
}

#[test]
fn durations() {
    assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
    assert_eq!(parse_duration("1.5h"), Ok(Duration::from_secs(5400)));
    assert_eq!(parse_duration("5 m"), Ok(Duration::from_secs(300)));
    assert!(parse_duration("-3s").is_err());
    assert!(parse_duration("NaN").is_err());
}
