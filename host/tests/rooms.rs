//! The house has the rooms of ARCHITECTURE.md, and dependencies between them point one way.
#![allow(clippy::expect_used)]

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Who may know whom, in the product itself. A plugin may know the plugin API, whichever it is.
const MAY_KNOW: &[(&str, &[&str])] = &[
    (
        "attune",
        &[
            "attune-loader",
            "attune-plugin-api",
            "attune-protocol",
            "attune-search",
            "attune-store",
            "attune-trainer",
            "attune-tui",
        ],
    ),
    ("attune-loader", &["attune-plugin-api"]),
    ("attune-plugin-api", &[]),
    ("attune-protocol", &[]),
    ("attune-search", &[]),
    ("attune-store", &[]),
    ("attune-trainer", &["attune-plugin-api"]),
    ("attune-tui", &["attune-protocol"]),
    ("custom-task", &["attune-loader", "attune-trainer"]),
];

/// Libraries that stay behind one room, so that each can be replaced without touching another.
/// What listens is the host's alone, what calls is the protocol's client too, and the rooms that
/// train, search or draw speak with nobody and write no log.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("abi_stable", &["attune-plugin-api", "attune-loader"]),
    ("axum", &["attune"]),
    ("clap", &["attune"]),
    ("dfdx", &["attune-trainer"]),
    ("hyper", &["attune", "attune-protocol"]),
    ("hyper-util", &["attune", "attune-protocol"]),
    ("libloading", &["attune-loader"]),
    ("ratatui", &["attune-tui"]),
    ("ratatui-textarea", &["attune-tui"]),
    ("rcgen", &["attune"]),
    ("rustix", &["attune", "attune-store"]),
    ("sled", &["attune-store"]),
    ("tokio", &["attune", "attune-protocol", "attune-tui"]),
    ("toml_edit", &["attune-tui"]),
    ("tokio-rustls", &["attune", "attune-protocol"]),
    ("tracing", &["attune"]),
    ("tracing-appender", &["attune"]),
    ("tracing-subscriber", &["attune"]),
    ("utoipa", &["attune-protocol"]),
];

/// Words that only some modules of the host may say, and those modules: so that only the daemon
/// opens the database and answers requests, and never trains or loads a plugin.
const ONLY_SAID_IN: &[(&str, &[&str])] = &[
    ("axum::", &["daemon/routes/", "daemon/listen/"]),
    ("hyper::", &["daemon/listen/"]),
    ("hyper_util::", &["daemon/listen/"]),
    ("tokio_rustls::", &["daemon/listen/"]),
    ("Store::open", &["daemon/mod.rs"]),
    ("Plugins::load", &["commands/", "worker/"]),
    ("tracing_subscriber", &["daemon/log.rs"]),
];

/// What the daemon must not name, but for those files: training is the workers' task. Whether the
/// files that they left are whole is a question to whoever knows their form.
const NOT_IN_THE_DAEMON: &[(&str, &[&str])] = &[
    ("attune_trainer", &["daemon/checkpoints.rs"]),
    ("Plugins::", &[]),
    ("attune_tui", &[]),
];

/// Everything that may stand at the top, apart from hidden and customary files.
const TOP: [&str; 6] = ["examples", "host", "plugin-api", "plugins", "store", "tui"];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata")
}

/// What a package needs to be built, tests and benches left out.
fn needs(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind == DependencyKind::Normal)
        .map(|dependency| dependency.name.as_str())
}

fn is_plugin(package: &Package) -> bool {
    let folder = package.manifest_path.parent().and_then(|own| own.parent());
    folder.and_then(|above| above.file_name()) == Some("plugins")
}

#[test]
fn dependencies_point_one_way() {
    let metadata = metadata();
    let rooms: BTreeSet<&str> = metadata.packages.iter().map(|p| p.name.as_str()).collect();
    let may_know: BTreeMap<&str, &[&str]> = MAY_KNOW.iter().copied().collect();
    for package in &metadata.packages {
        let allowed: &[&str] = if is_plugin(package) {
            &["attune-plugin-api"]
        } else {
            may_know
                .get(package.name.as_str())
                .unwrap_or_else(|| panic!("{} is in no plan of the house", package.name))
        };
        for needed in needs(package).filter(|name| rooms.contains(name)) {
            assert!(
                allowed.contains(&needed),
                "{} must not know {needed}",
                package.name
            );
        }
    }
    for (room, _) in MAY_KNOW {
        assert!(rooms.contains(room), "the room {room} is missing");
    }
}

#[test]
fn each_quiet_library_stays_behind_its_room() {
    for package in &metadata().packages {
        for needed in needs(package) {
            let rooms = ONLY_IN.iter().find(|(library, _)| *library == needed);
            if let Some((library, rooms)) = rooms {
                assert!(
                    rooms.contains(&package.name.as_str()),
                    "{} names {library}, which belongs to {rooms:?}",
                    package.name
                );
            }
        }
    }
}

/// The host's source files by their path below `src`, what comes before the tests of each.
fn host_sources() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    rust_files(&src)
        .into_iter()
        .map(|file| {
            let text = std::fs::read_to_string(&file).expect("a source file");
            let code = text
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or_default();
            let name = file.strip_prefix(&src).expect("below src");
            (name.to_string_lossy().into_owned(), code.to_owned())
        })
        .filter(|(name, _)| !name.ends_with("tests.rs"))
        .collect()
}

#[test]
fn inside_the_host_each_module_keeps_to_its_task() {
    let sources = host_sources();
    for (word, modules) in ONLY_SAID_IN {
        let mut is_said = false;
        for (name, _) in sources.iter().filter(|(_, code)| code.contains(word)) {
            is_said = true;
            assert!(
                modules.iter().any(|module| name.starts_with(module)),
                "host/src/{name} says {word}, which belongs to {modules:?}"
            );
        }
        assert!(is_said, "nobody says {word} any more; mend this test");
    }
    for (name, code) in sources
        .iter()
        .filter(|(name, _)| name.starts_with("daemon/"))
    {
        for (word, except) in NOT_IN_THE_DAEMON {
            assert!(
                except.contains(&name.as_str()) || !code.contains(word),
                "host/src/{name} says {word}, but the daemon neither trains nor loads nor draws"
            );
        }
    }
}

#[test]
fn unsafe_code_lives_in_the_plugin_api_the_loader_and_two_files_of_the_trainer_alone() {
    /// Where prepared datasets are mapped into memory, and where matrices are multiplied.
    const DOORS: [&str; 2] = [
        "host/trainer/src/data/cache.rs",
        "host/trainer/src/kernel/product.rs",
    ];
    let metadata = metadata();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let may = [
            "attune-plugin-api",
            "attune-loader",
            "attune-misbehave",
            "attune-other-abi",
        ];
        let manifest = std::fs::read_to_string(&package.manifest_path).expect("a manifest");
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{name} does not take the workspace's lints"
        );
        if may.contains(&name) {
            continue;
        }
        let folder = package
            .manifest_path
            .parent()
            .expect("a manifest lies in a folder");
        for file in rust_files(&folder.join("src").into_std_path_buf()) {
            if DOORS.iter().any(|door| file.ends_with(door)) {
                continue;
            }
            let text = std::fs::read_to_string(&file).expect("a source file");
            assert!(
                !text.contains("unsafe_code"),
                "{} speaks of unsafe code",
                file.display()
            );
        }
    }
}

#[test]
fn the_top_level_holds_what_the_plan_says() {
    let root = metadata().workspace_root.into_std_path_buf();
    let folders: BTreeSet<String> = std::fs::read_dir(root)
        .expect("the workspace root")
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    let planned: BTreeSet<String> = TOP.into_iter().map(String::from).collect();
    assert_eq!(folders, planned);
}

fn rust_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a source folder");
    entries
        .filter_map(Result::ok)
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => rust_files(&path),
            path if path.extension().is_some_and(|e| e == "rs") => vec![path],
            _ => Vec::new(),
        })
        .collect()
}
