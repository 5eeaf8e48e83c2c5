//! Which folders Attune uses.
//!
//! `ATTUNE_HOME` puts everything under one folder; otherwise the XDG base directories are followed
//! (<https://specifications.freedesktop.org/basedir/latest/>).

use anyhow::Context;
use attune_loader::Place;
use rustix::process::geteuid;
use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The longest path of a Unix socket in bytes: the kernel keeps 108 with the final zero.
const MAX_SOCKET_PATH: usize = 107;

/// The folders of one user or one `ATTUNE_HOME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    /// Histories and all else that must not be lost.
    pub(crate) state: PathBuf,
    /// What can be made again: private copies of plugins, prepared datasets.
    pub(crate) cache: PathBuf,
    /// The user's own plugins.
    pub(crate) plugins: PathBuf,
    /// The configuration file, which need not exist.
    pub(crate) config: PathBuf,
    /// What lives as long as the daemon: its socket. Only its owner may look inside.
    pub(crate) run: PathBuf,
    /// Where another machine's daemon listens that is meant instead.
    pub(crate) connect: Option<String>,
}

impl Places {
    /// From the environment.
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
        Self::from_variables(|name| env::var_os(name).filter(|value| !value.is_empty()))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> anyhow::Result<Self> {
        if let Some(home) = variable("ATTUNE_HOME") {
            // The daemon and its workers run in another folder.
            let home = std::path::absolute(&home).context("cannot tell where ATTUNE_HOME lies")?;
            return Ok(Places {
                state: home.join("state"),
                cache: home.join("cache"),
                plugins: home.join("plugins"),
                config: home.join("config.toml"),
                run: home.join("run"),
                connect: connect(&variable),
            });
        }
        let absolute = |name: &str| -> Option<PathBuf> {
            // The specification tells to ignore relative paths.
            variable(name)
                .map(PathBuf::from)
                .filter(|p| p.is_absolute())
        };
        let base = |name: &str, below_home: &str| -> anyhow::Result<PathBuf> {
            let folder = match absolute(name) {
                Some(folder) => folder,
                None => PathBuf::from(
                    variable("HOME").context("neither ATTUNE_HOME nor HOME is set; set one")?,
                )
                .join(below_home),
            };
            Ok(folder.join("attune"))
        };
        let state = base("XDG_STATE_HOME", ".local/state")?;
        Ok(Places {
            cache: base("XDG_CACHE_HOME", ".cache")?,
            plugins: base("XDG_DATA_HOME", ".local/share")?.join("plugins"),
            config: base("XDG_CONFIG_HOME", ".config")?.join("config.toml"),
            // As the specification tells to, one that is another user's is not used: they could put
            // a socket of theirs in there.
            run: match absolute("XDG_RUNTIME_DIR").filter(|folder| !is_anothers(folder)) {
                Some(folder) => folder.join("attune"),
                None => state.join("run"),
            },
            state,
            connect: connect(&variable),
        })
    }

    /// Where the database lies.
    pub(crate) fn store(&self) -> PathBuf {
        self.state.join("store")
    }

    /// Where the daemon writes its log.
    pub(crate) fn logs(&self) -> PathBuf {
        self.state.join("logs")
    }

    /// Where checkpoints lie.
    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.state.join("checkpoints")
    }

    /// The file whose lock makes one process the daemon of the state folder.
    pub(crate) fn lock(&self) -> PathBuf {
        self.state.join("daemon.lock")
    }

    /// The daemon's socket: in the run folder, or, where its path would be longer than a socket's
    /// may be, in a short folder under the system's temporary one whose name follows from the user
    /// and the state folder.
    pub(crate) fn socket(&self) -> PathBuf {
        let fits = |path: &Path| path.as_os_str().len() <= MAX_SOCKET_PATH;
        let usual = self.run.join("attune.sock");
        if fits(&usual) {
            return usual;
        }
        let state = std::path::absolute(&self.state).unwrap_or_else(|_| self.state.clone());
        let hash = blake3::hash(state.as_os_str().as_bytes()).to_hex();
        let folder = format!("attune-{}-{}", geteuid().as_raw(), &hash[..16]);
        let short = env::temp_dir().join(&folder).join("attune.sock");
        if fits(&short) {
            return short;
        }
        Path::new("/tmp").join(folder).join("attune.sock")
    }

    /// Makes the folders that a daemon needs, and sees to it that nobody else can reach its socket.
    ///
    /// # Errors
    /// Where one cannot be made, or where the socket's folder belongs to somebody else.
    pub(crate) fn make_for_daemon(&self) -> anyhow::Result<()> {
        for folder in [self.state.clone(), self.logs(), self.checkpoints()] {
            fs::create_dir_all(&folder).with_context(|| {
                format!(
                    "cannot make the folder {}; check who may write there, or set ATTUNE_HOME",
                    folder.display()
                )
            })?;
        }
        let socket = self.socket();
        make_private_folder(socket.parent().unwrap_or(&self.run))
    }

    /// Where prepared datasets lie that workers share.
    pub(crate) fn datasets(&self) -> anyhow::Result<PathBuf> {
        let folder = self.cache.join("datasets");
        make_private_folder(&folder)?;
        Ok(folder)
    }

    /// Where private copies of plugins lie.
    pub(crate) fn plugin_copies(&self) -> PathBuf {
        self.cache.join("plugins")
    }

    /// Where plugins are looked for: what the command line names, the user's own, then those that
    /// come with the program.
    pub(crate) fn plugin_places(&self, named: &[PathBuf]) -> Vec<Place> {
        let mut places: Vec<Place> = named.iter().map(Place::named).collect();
        places.push(Place::own(&self.plugins));
        if let Ok(program) = env::current_exe() {
            // Beside the program as cargo builds it, and where an installation puts libraries.
            let folder = program.parent().unwrap_or(Path::new(""));
            places.push(Place::shared(folder));
            places.push(Place::shared(folder.join("../lib/attune")));
        }
        places
    }
}

/// Whether a folder is there and belongs to another user.
fn is_anothers(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|meta| meta.uid() != geteuid().as_raw())
}

/// Makes a folder that only its owner may enter, or makes one that exists so.
///
/// # Errors
/// Where it belongs to somebody else, is no folder but, say, a link to one, or cannot be closed to
/// others: whoever owns the folder of a socket can put a socket of theirs in its place.
fn make_private_folder(folder: &Path) -> anyhow::Result<()> {
    let remedy = "remove it, or set ATTUNE_HOME to a folder of yours";
    let shown = folder.display();
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)
            .with_context(|| format!("cannot make the folder {}; {remedy}", parent.display()))?;
    }
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => {
            return Err(error).with_context(|| format!("cannot make the folder {shown}; {remedy}"));
        }
    }
    // Not followed: in a temporary folder a link may be anybody's.
    let found = || {
        fs::symlink_metadata(folder)
            .with_context(|| format!("cannot look at the folder {shown}; {remedy}"))
    };
    let meta = found()?;
    anyhow::ensure!(
        meta.is_dir(),
        "{shown} is not a folder, but must be one for the daemon's socket; {remedy}"
    );
    let (owner, own) = (meta.uid(), geteuid().as_raw());
    anyhow::ensure!(
        owner == own,
        "the folder {shown} belongs to user {owner}, not to you (user {own}), so they could read \
         and steer your studies; {remedy}"
    );
    if meta.mode() & 0o777 != 0o700 {
        let closed = fs::set_permissions(folder, Permissions::from_mode(0o700));
        let mode = found()?.mode() & 0o777;
        anyhow::ensure!(
            closed.is_ok() && mode == 0o700,
            "the folder {shown} has mode {mode:o} and cannot be closed to others; {remedy}"
        );
    }
    Ok(())
}

fn connect(variable: impl Fn(&str) -> Option<OsString>) -> Option<String> {
    variable("ATTUNE_CONNECT").map(|address| address.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn places(variables: &[(&str, &str)]) -> anyhow::Result<Places> {
        Places::from_variables(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn one_folder_or_the_xdg_ones() {
        let one = places(&[("ATTUNE_HOME", "/a"), ("HOME", "/h")]).unwrap();
        assert_eq!(one.state, Path::new("/a/state"));
        assert_eq!(one.plugins, Path::new("/a/plugins"));
        assert_eq!(one.config, Path::new("/a/config.toml"));
        assert_eq!(one.run, Path::new("/a/run"));

        let xdg = places(&[
            ("HOME", "/h"),
            ("XDG_STATE_HOME", "/s"),
            ("XDG_CACHE_HOME", "rel"),
        ]);
        let xdg = xdg.unwrap();
        assert_eq!(xdg.state, Path::new("/s/attune"));
        assert_eq!(xdg.cache, Path::new("/h/.cache/attune"));
        assert_eq!(xdg.plugins, Path::new("/h/.local/share/attune/plugins"));
        assert_eq!(xdg.config, Path::new("/h/.config/attune/config.toml"));
        assert_eq!(xdg.run, Path::new("/s/attune/run"));
        assert_eq!(xdg.lock(), Path::new("/s/attune/daemon.lock"));

        let session = places(&[
            ("HOME", "/h"),
            ("XDG_RUNTIME_DIR", "/run/user/1"),
            ("XDG_CONFIG_HOME", "/c"),
        ]);
        let session = session.unwrap();
        assert_eq!(session.run, Path::new("/run/user/1/attune"));
        assert_eq!(session.config, Path::new("/c/attune/config.toml"));

        assert!(places(&[]).unwrap_err().to_string().contains("set one"));
    }

    #[test]
    fn a_socket_path_always_fits() {
        let at = |home: String| places(&[("ATTUNE_HOME", &home)]).unwrap().socket();
        for length in [1, 80, 90, 91, 92, 107, 300, 4000] {
            let home = format!("/{}", "d".repeat(length));
            let socket = at(home.clone());
            assert!(socket.as_os_str().len() <= MAX_SOCKET_PATH, "{length}");
            assert_eq!(socket, at(home.clone()), "the same for every process");
            assert_ne!(
                socket,
                at(format!("{home}x")),
                "another for each state folder"
            );
            let usual = Path::new(&home).join("run/attune.sock");
            let fits = usual.as_os_str().len() <= MAX_SOCKET_PATH;
            assert_eq!(socket == usual, fits, "{length}");
        }
    }

    #[test]
    fn the_socket_folder_is_private_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        let places = places(&[("ATTUNE_HOME", home.to_str().unwrap())]).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;

        places.make_for_daemon().unwrap();
        assert_eq!(mode(&places.run), 0o700);
        assert!(places.logs().is_dir() && places.checkpoints().is_dir());

        fs::set_permissions(&places.run, Permissions::from_mode(0o755)).unwrap();
        places.make_for_daemon().unwrap();
        assert_eq!(mode(&places.run), 0o700, "an open one is closed");

        fs::remove_dir(&places.run).unwrap();
        symlink(dir.path(), &places.run).unwrap();
        let error = places.make_for_daemon().unwrap_err().to_string();
        assert!(error.contains("is not a folder"), "{error}");
        assert!(error.contains("set ATTUNE_HOME"), "{error}");
    }

    #[test]
    fn a_folder_of_another_user_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        // Only the system's administrator can give a folder away, so another's folder is looked
        // for: `/` belongs to the administrator.
        let others = if geteuid().is_root() {
            std::os::unix::fs::chown(dir.path(), Some(12_345), None).unwrap();
            dir.path()
        } else {
            Path::new("/")
        };
        let error = make_private_folder(others).unwrap_err().to_string();
        assert!(error.contains("belongs to user"), "{error}");
        let session = places(&[
            ("HOME", "/h"),
            ("XDG_RUNTIME_DIR", others.to_str().unwrap()),
        ]);
        assert_eq!(
            session.unwrap().run,
            Path::new("/h/.local/state/attune/run")
        );
    }
}
