use super::*;

struct Case<'c> {
    file: &'c str,
    variables: &'c [(&'c str, &'c str)],
    flags: &'c [(&'c str, &'c [&'c str])],
}

const NOTHING: Case<'static> = Case {
    file: "",
    variables: &[],
    flags: &[],
};

fn load(case: &Case<'_>) -> Result<(Config, Vec<Origin>), ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, case.file).unwrap();
    let flags: Vec<(&str, Vec<String>)> = case
        .flags
        .iter()
        .map(|(key, words)| (*key, words.iter().map(ToString::to_string).collect()))
        .collect();
    let variable = |name: &str| {
        let found = case
            .variables
            .iter()
            .find(|(variable, _)| *variable == name);
        found.map(|(_, value)| OsString::from(value))
    };
    let (mut config, origins) = Config::load(&path, variable, &flags)?;
    // So that tables need not know where the test runs.
    for path in &mut config.plugins {
        if let Ok(inside) = path.strip_prefix(dir.path()) {
            *path = Path::new("CONFIG").join(inside);
        }
    }
    Ok((config, origins))
}

#[test]
fn without_anything_the_defaults_hold() {
    let missing = Path::new("/nowhere/at/all.toml");
    let (config, origins) = Config::load(missing, |_| None, &[]).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(
        config.listen, None,
        "the network is listened on only when asked for"
    );
    assert!(config.worker_memory >= GIB);
    assert!(origins.iter().all(|origin| origin.layer == Layer::Default));
    assert_eq!(origins.len(), KEYS.len());
}

#[test]
fn the_later_layer_wins_and_each_is_told() {
    let case = Case {
        file: "workers = 1\n\ncheckpoint_every = '20s'\nretention = 5\n",
        variables: &[
            ("ATTUNE_CHECKPOINT_EVERY", "30s"),
            ("ATTUNE_RETENTION", "6"),
        ],
        flags: &[("retention", &["7"])],
    };
    let (config, origins) = load(&case).unwrap();
    assert_eq!(config.workers, Some(1));
    assert_eq!(config.checkpoint_every, 30 * SECOND);
    assert_eq!(config.retention, Some(7));
    let layer = |key| {
        let origin = origins.iter().find(|origin| origin.key == key).unwrap();
        (origin.value.as_str(), &origin.layer)
    };
    assert!(matches!(
        layer("workers"),
        ("1", Layer::File { line: 1, .. })
    ));
    let variable = "ATTUNE_CHECKPOINT_EVERY".to_owned();
    assert_eq!(
        layer("checkpoint_every"),
        ("30s", &Layer::Environment { variable })
    );
    assert_eq!(layer("retention"), ("7", &Layer::Flag));
    assert_eq!(layer("log_level"), ("info", &Layer::Default));
}

#[test]
fn every_setting_can_be_given_in_the_file_the_environment_and_as_a_flag() {
    let table: &[(&str, &str, &str)] = &[
        ("workers", "3", "3"),
        ("threads", "7", "7"),
        ("worker_memory", "1.5GiB", "1536MiB"),
        ("checkpoint_every", "90s", "90s"),
        ("checkpoint_budget", "2000MiB", "2000MiB"),
        ("step_timeout", "1.5h", "90m"),
        ("load_timeout", "45s", "45s"),
        ("lease_timeout", "2s", "2s"),
        ("idle_exit", "never", "never"),
        ("log_level", "debug", "debug"),
        ("retention", "0", "0"),
        ("plugins", "/p", "/p"),
        ("listen.address", "[::1]:80", "[::1]:80"),
        ("listen.certificate", "/c", "/c"),
        ("listen.key", "/k", "/k"),
        ("listen.token_file", "/t", "/t"),
    ];
    let named: Vec<&str> = table.iter().map(|(key, ..)| *key).collect();
    let all: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    assert_eq!(named, all, "the table names every key");
    for (key, given, shown) in table {
        let file = format!("{key} = '{given}'");
        let variable = variable_name(key);
        let cases = [
            Case {
                file: &file,
                ..NOTHING
            },
            Case {
                variables: &[(&variable, given)],
                ..NOTHING
            },
            Case {
                flags: &[(key, &[given])],
                ..NOTHING
            },
        ];
        let configs = cases.map(|case| {
            let (config, origins) = load(&case).unwrap();
            let origin = origins.iter().find(|origin| origin.key == *key).unwrap();
            assert_eq!(origin.value, *shown, "{key}");
            assert_ne!(origin.layer, Layer::Default, "{key}");
            // What is shown can be given again.
            let again = Case {
                flags: &[(key, &[&origin.value])],
                ..NOTHING
            };
            assert_eq!(load(&again).unwrap().0, config, "{key}");
            config
        });
        assert_ne!(configs[0], Config::default(), "{key}");
        assert!(configs.iter().all(|config| *config == configs[0]), "{key}");
    }
}

#[test]
fn a_word_takes_a_setting_back_to_its_default() {
    for (key, set, word) in [
        ("workers", "3", "auto"),
        ("threads", "7", "auto"),
        ("worker_memory", "64MiB", "auto"),
        ("retention", "3", "all"),
    ] {
        let file = format!("{key} = '{set}'");
        let flags: &[(&str, &[&str])] = &[(key, &[word])];
        let (config, _) = load(&Case {
            file: &file,
            flags,
            ..NOTHING
        })
        .unwrap();
        assert_eq!(config, Config::default(), "{key}");
    }
}

#[test]
fn relative_paths_start_where_they_are_written() {
    let file = "plugins = ['a.so', '/b']";
    let (config, _) = load(&Case { file, ..NOTHING }).unwrap();
    assert_eq!(config.plugins, [Path::new("CONFIG/a.so"), Path::new("/b")]);
    let variables = &[("ATTUNE_PLUGINS", "a.so:/b")];
    let (config, _) = load(&Case {
        variables,
        ..NOTHING
    })
    .unwrap();
    let here = std::env::current_dir().unwrap();
    assert_eq!(config.plugins, [here.join("a.so"), "/b".into()]);
}

#[test]
fn the_network_is_asked_for_by_any_key_of_its_section() {
    for file in [
        "[listen]",
        "[listen]\nkey = 'k'",
        "listen.address = 'localhost:7878'",
    ] {
        let (config, _) = load(&Case { file, ..NOTHING }).unwrap();
        let address = config.listen.unwrap().address;
        assert_eq!(address.to_string(), "127.0.0.1:7878", "{file}");
    }
}

#[test]
fn every_mistake_is_placed_and_has_a_remedy() {
    let files: &[(&str, &str)] = &[
        (
            "\nworker = 3",
            "config.toml:2: unknown key `worker` at the top of the file; did you mean \
             `workers`?",
        ),
        (
            "[listen]\naddres = ''",
            "config.toml:2: unknown key `addres` in [listen]; did you mean `address`?",
        ),
        (
            "[network]",
            "unknown key `network` at the top of the file; known here: ",
        ),
        (
            "workers = 0",
            "config.toml:1: `workers` is `0`, but must be a whole number from 1 to 1024, or \
             \"auto\"",
        ),
        ("workers = 1.5", "`workers` is `1.5`"),
        (
            "workers = [1, 2]",
            "`workers` takes one value, not a list of 2",
        ),
        ("retention = -1", "from 0 to 1000000000, or \"all\""),
        (
            "worker_memory = '4 gigs'",
            "not a size; write 500MB, 4GiB or 1.5TiB",
        ),
        ("worker_memory = '1e300TB'", "not a size"),
        ("worker_memory = '-1GiB'", "not a size"),
        ("checkpoint_budget = 4", "is `4`, but must be at least 1MiB"),
        (
            "step_timeout = '3 days'",
            "must be from 1s to 24h: `3 days` is not a duration",
        ),
        (
            "lease_timeout = '1s'",
            "`lease_timeout` is `1s`, but must be from 2s to 1h",
        ),
        ("idle_exit = 'nver'", "or \"never\""),
        ("log_level = 'wran'", "did you mean `warn`?"),
        ("plugins = ['']", "empty path"),
        ("plugins = [['a']]", "may list numbers, texts"),
        ("listen.address = '7878'", "such as 127.0.0.1:7878"),
        ("listen = 3", "`listen` is 3, but must be a table"),
        ("workers =", "config.toml:1: not valid TOML"),
    ];
    let check = |case: &Case<'_>, expected: &str| {
        let error = load(case).unwrap_err().to_string();
        assert!(error.contains(expected), "gave {error}\n not {expected}");
    };
    for (file, expected) in files {
        check(&Case { file, ..NOTHING }, expected);
    }
    let variables = &[("ATTUNE_WORKERS", "many")];
    check(
        &Case {
            variables,
            ..NOTHING
        },
        "the environment variable ATTUNE_WORKERS: `workers` is `many`",
    );
    let flags: &[(&str, &[&str])] = &[("listen.adress", &["x"])];
    check(&Case { flags, ..NOTHING }, "did you mean `listen.address`?");
    let flags: &[(&str, &[&str])] = &[("idle_exit", &["0s"])];
    check(&Case { flags, ..NOTHING }, "the command line: `idle_exit`");
}

#[test]
fn a_file_that_is_too_long_or_no_text_is_refused() {
    let long = format!("#{}", "x".repeat(MAX_FILE_BYTES as usize));
    let error = load(&Case {
        file: &long,
        ..NOTHING
    })
    .unwrap_err();
    assert!(
        error.to_string().contains("longer than 1048576 bytes"),
        "{error}"
    );

    let folder = tempfile::tempdir().unwrap();
    let error = Config::load(folder.path(), |_| None, &[]).unwrap_err();
    assert!(
        error.to_string().contains("mend it or move it away"),
        "{error}"
    );
}

#[test]
fn sizes_and_times_are_shown_as_they_can_be_given() {
    for bytes in [0, 1, 999, 1024, 5 * MIB, 5 * MIB + 1, 3 * GIB, 1500 * GIB] {
        assert_eq!(parse_size(&show_size(bytes)), Ok(bytes), "{bytes}");
    }
    for millis in [
        1, 1500, 60_000, 90_000, 120_000, 3_600_000, 5_400_000, 86_400_000,
    ] {
        let time = Duration::from_millis(millis);
        assert_eq!(parse_duration(&show_time(time)), Ok(time), "{millis}");
    }
    assert_eq!(parse_size("1kB"), Ok(1000));
    assert_eq!(parse_size("1 KiB"), Ok(1024));
}
