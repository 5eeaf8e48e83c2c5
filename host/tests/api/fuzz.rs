//! Thousands of requests that make little sense. None may be answered as the daemon's own mistake,
//! none may be left without an answer, and the daemon must be the same afterwards.

use crate::draw::Draw;
use crate::support::{Home, small_study, wait_until};
use crate::wire::{self, Answer, break_off, exchange, request};
use attune_protocol::endpoint::{ALL, Answers, Method, Route, Takes};
use attune_protocol::{Problem, ProblemCode, openapi};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use serde_json::Value;

fn number(variable: &str, usual: u64) -> u64 {
    let told = std::env::var(variable).ok();
    told.map_or(usual, |told| told.parse().expect("a number"))
}

/// A home whose daemon has an ended, a paused, an imported and a running study.
fn inhabited() -> Home {
    let home = Home::new();
    home.configure("workers = 2\nlease_timeout = \"2s\"\nlog_level = \"warn\"\n");
    let ended = small_study(&home, "trials = 4");
    home.run(&["run", &ended, "--embedded"]).ok();
    let endless = home.file("endless.toml", endless());
    let endless = endless.to_string_lossy();
    let paused = home.start_detached(&endless);
    wait_for_epoch(&home, &paused);
    home.run(&["pause", &paused]).ok();
    let lines = home.path().join("s1.jsonl");
    let lines = lines.to_string_lossy();
    home.run(&["export", "s1", "--to", &lines]).ok();
    home.run(&["import", &lines]).ok();
    let running = home.start_detached(&endless);
    wait_for_epoch(&home, &running);
    home
}

/// A study that goes on for as long as a test may take, without filling the disk.
pub fn endless() -> &'static str {
    "seed = 1\ntrials = 1000\nparallel = 1\n[data]\npath = \"wine.csv\"\ntarget = \"cultivar\"\n\
     [fidelity]\nmethod = \"none\"\nmax_epochs = 100000\n\
     [space]\nscheduler = [\"greedy\", \"cosine\"]\nlr = \"search\"\nwidth = 256\nbatch_size = 64\n"
}

/// The same with thousands of epochs in little time.
pub fn quick() -> String {
    endless().replace(
        "width = 256\nbatch_size = 64",
        "width = 2\nbatch_size = 512",
    )
}

/// Hands such a study to the daemon, and gives its id once it trains.
#[track_caller]
pub fn start(home: &Home, text: &str) -> String {
    small_study(home, "");
    let file = home.file("endless.toml", text);
    let id = home.start_detached(&file.to_string_lossy());
    wait_for_epoch(home, &id);
    id
}

#[track_caller]
fn wait_for_epoch(home: &Home, id: &str) {
    let trained = || {
        let detail = home.json(&["ls", id, "--json"]);
        let trials = detail["trials"].as_array().cloned().unwrap_or_default();
        trials.iter().any(|trial| trial["epochs"] != 0)
    };
    wait_until(trained, "the study trains");
}

#[test]
fn nothing_that_is_asked_is_answered_as_the_daemons_mistake() {
    let (seed, requests) = (
        number("ATTUNE_API_SEED", 1),
        number("ATTUNE_API_REQUESTS", 1500),
    );
    let home = inhabited();
    let daemon = home.daemon_pid().expect("a daemon");
    let document = openapi();
    let words = words(&home);
    let mut answered = std::collections::BTreeMap::<u16, u32>::new();
    for number in 0..requests {
        // Each has a stream of its own, so that one can be asked alone.
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ number << 20);
        let mut draw = Draw {
            document: &document,
            words: &words,
            random: &mut random,
        };
        let asked = Asked::draw(&mut draw, &home);
        let shown = asked.shown();
        let answer = match asked.is_broken {
            true => break_off(&home, &asked.bytes),
            false => exchange(&home, &asked.bytes),
        };
        let at = || format!("seed {seed}, request {number}: {shown}");
        let Some(answer) = answer else {
            assert!(asked.is_broken, "no answer to {}", at());
            continue;
        };
        *answered.entry(answer.status).or_default() += 1;
        if let Some(wrong) = wrong(&asked, &answer) {
            panic!("{wrong} in {answer:?}\nto {}", at());
        }
    }
    eprintln!("seed {seed}: answers by status: {answered:?}");
    // Enough of it made sense to reach what lies behind the first look.
    for status in [200, 400, 404, 405, 409, 415] {
        assert!(answered.contains_key(&status), "{answered:?}");
    }
    assert_eq!(home.daemon_pid(), Some(daemon), "seed {seed}");
    home.json(&["status", "--json"]);
    home.run(&["store", "verify"]).ok();
    let log = home.run(&["daemon", "logs", "-n", "10000"]).ok();
    assert!(!log.contains("panicked"), "seed {seed}:\n{log}");
    assert!(!log.contains("ERROR"), "seed {seed}:\n{log}");
    // A study that is asked for properly runs as ever, once it need not wait for endless ones.
    for study in home.json(&["ls", "--json"]).as_array().unwrap() {
        if study["state"] == "running" {
            let id = study["id"].as_str().unwrap();
            // One that was made of a single trial may end by itself before it is told to.
            home.run(&["stop", id]);
            assert_ne!(home.study(id)["state"], "running", "seed {seed}");
        }
    }
    let file = small_study(&home, "trials = 2");
    home.run(&["run", &file]).ok();
}

/// What is named in requests: things that there are, and places in this home alone.
fn words(home: &Home) -> Vec<String> {
    let in_home = |name: &str| home.path().join(name).to_string_lossy().into_owned();
    let study = std::fs::read_to_string(home.path().join("study.toml")).unwrap();
    let mut words: Vec<String> = [
        "s1",
        "s2",
        "s3",
        "s4",
        "s1.0",
        "s2.0",
        "s4.0",
        "greedy",
        "wsd",
        "none",
        "loss",
        "lr",
        "10m",
        "1e300h",
        "-1s",
        "relative.toml",
        "wine.csv",
    ]
    .map(String::from)
    .to_vec();
    words.push(in_home("study.toml"));
    words.push(in_home("backup"));
    words.push(in_home("wine.csv"));
    words.push(home.state().to_string_lossy().into_owned());
    for (old, new) in [
        ("", ""),
        ("trials = 4", "trials = 4294967295"),
        ("seed = 5", "seed = nan"),
        ("wine.csv", "/dev/null"),
        ("wine.csv", "study.toml"),
        ("max_epochs = 9", "max_epochs = 1"),
        ("[space]", "[space"),
        ("dropout = 0.2", "dropout = inf"),
    ] {
        words.push(study.replacen(old, new, 1));
    }
    words
}

/// A request, and what may be expected of its answer.
struct Asked {
    bytes: Vec<u8>,
    route: Option<&'static Route>,
    is_head: bool,
    /// It is no whole request, so that it need not be answered.
    is_broken: bool,
}

impl Asked {
    fn draw(draw: &mut Draw<'_>, home: &Home) -> Self {
        let route = loop {
            let route = draw.one(ALL);
            // The one would end the fuzz, the others have no end.
            if route.name != "SHUTDOWN" && !matches!(route.answer, Answers::Events(_)) {
                break *route;
            }
        };
        let mut method = route.method.as_str();
        let mut path = path(draw, route);
        let mut known = Some(route);
        if draw.often(0.05) {
            method = *draw.one(&["PUT", "PATCH", "HEAD", "OPTIONS", "BREW", "get"]);
            known = None;
        } else if draw.often(0.05) {
            path = (*draw.one(&["/", "//", "/v1", "/v1/studies/", "/v2/status", "*", "/%"])).into();
            known = None;
        }
        let schema =
            draw.document["paths"][route.path][route.method.as_str().to_lowercase()]["requestBody"]
                ["content"]["application/json"]["schema"]
                .clone();
        let mut body = match route.request {
            Takes::Json(_) | Takes::Work(_) => draw.body(Some(&schema)),
            _ if draw.often(0.1) => draw.body(None),
            _ => Vec::new(),
        };
        if route.name == "BACKUP_STORE" && !draw.often(0.3) {
            let to = home.path().join(format!("backup-{}", draw.number()));
            body = serde_json::json!({ "path": to }).to_string().into_bytes();
        }
        let headers = headers(draw);
        let mut bytes = request(method, &path, &headers, &body);
        let is_broken = draw.often(0.08);
        if is_broken {
            spoil(draw, &mut bytes);
        }
        Asked {
            bytes,
            route: known.filter(|_| !is_broken),
            is_head: method == "HEAD",
            is_broken,
        }
    }

    fn shown(&self) -> String {
        let end = self.bytes.len().min(1500);
        String::from_utf8_lossy(&self.bytes[..end]).into_owned()
    }
}

fn path(draw: &mut Draw<'_>, route: &Route) -> String {
    const WEIRD: [&str; 10] = [
        "s0",
        "s18446744073709551616",
        "s1.4294967296",
        "-1",
        "%00",
        "%ff",
        "s1.0.0",
        "%2e%2e",
        "0",
        "s1%2F0",
    ];
    let mut path = route.path.to_owned();
    for name in route.path_parameters() {
        let known: &[&str] = match name {
            // What is deleted must leave something to ask for.
            "study" if route.method == Method::Delete => &["s3", "s5", "s6"],
            "study" => &["s1", "s2", "s3", "s4", "2"],
            "trial" => &["s1.0", "s1.3", "s2.0", "s3.1", "s4.0", "4.0"],
            "worker" => &["1", "2", "18446744073709551615"],
            _ => &["greedy", "00000000"],
        };
        let id = match draw.often(0.85) {
            true => (*draw.one(known)).to_owned(),
            false if draw.often(0.1) => "s".repeat(20_000),
            false => (*draw.one(&WEIRD)).to_owned(),
        };
        path = path.replace(&format!("{{{name}}}"), &id);
    }
    if let Takes::Query(parameters) = route.request {
        let mut separator = '?';
        for parameter in parameters() {
            if draw.often(0.7) {
                let value = match draw.often(0.3) {
                    true => (*draw.one(&["loss", "lr", "NaN", "%F0%9F", "", "1e3"])).to_owned(),
                    false => draw.number().to_string(),
                };
                path += &format!("{separator}{}={value}", parameter.name);
                separator = '&';
            }
        }
    }
    path
}

fn headers(draw: &mut Draw<'_>) -> String {
    let kind = match draw.often(0.85) {
        true => "application/json",
        false => *draw.one(&[
            "application/vnd.attune.postcard",
            "text/plain",
            "application/json; charset=utf-8",
            "application/x-www-form-urlencoded",
            "",
        ]),
    };
    let mut headers = format!("content-type: {kind}\r\n");
    if draw.often(0.03) {
        headers += "content-encoding: gzip\r\n";
    }
    if draw.often(0.05) {
        headers += &format!(
            "accept: {}\r\n",
            draw.one(&["text/html", "*/*", "é", "application/vnd.attune.postcard"])
        );
    }
    if draw.often(0.02) {
        headers += &format!("x-long: {}\r\n", "y".repeat(30_000));
    }
    headers
}

/// Makes a request one that ends too early, says two things at once, or is none.
fn spoil(draw: &mut Draw<'_>, bytes: &mut Vec<u8>) {
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    match draw.number().as_u64().unwrap_or(9) % 6 {
        0 => bytes.truncate(bytes.len() / 2),
        1 => {
            let twice = "content-length: 3\r\ncontent-length: 7\r\n\r\n";
            *bytes = text(bytes)
                .replacen("\r\n\r\n", &format!("\r\n{twice}"), 1)
                .into();
        }
        2 => {
            let chunked = "transfer-encoding: chunked\r\n\r\nzz\r\n";
            *bytes = text(bytes)
                .replacen("\r\n\r\n", &format!("\r\n{chunked}"), 1)
                .into();
        }
        3 => {
            *bytes = text(bytes)
                .replacen("content-length: ", "content-length: 9", 1)
                .into()
        }
        4 => *bytes = text(bytes).replacen("HTTP/1.1", "HTTP/9.9", 1).into(),
        _ => bytes.splice(0..4, [0x16, 0x03, 0x01, 0x00]).for_each(drop),
    }
}

/// What is wrong with an answer.
fn wrong(asked: &Asked, answer: &Answer) -> Option<String> {
    let status = answer.status;
    if status >= 500 {
        return Some(format!("status {status}"));
    }
    // What is no HTTP at all, the library answers in its own way, without a body.
    if status < 400 || asked.is_head || (answer.body.is_empty() && matches!(status, 400 | 431)) {
        return None;
    }
    if !answer.head.contains("content-type: application/json") {
        return Some("a refusal that is not JSON".into());
    }
    let problem: Problem = match serde_json::from_slice(&answer.body) {
        Ok(problem) => problem,
        Err(error) => return Some(format!("a refusal that is no problem: {error}")),
    };
    let said = asked.route.map(Route::problems);
    if problem.code.status() != status || problem.message.trim().is_empty() {
        return Some("a problem that does not fit its status".into());
    }
    // Of a path that was damaged into another one there is no saying.
    let elsewhere = matches!(
        problem.code,
        ProblemCode::NotFound | ProblemCode::MethodNotAllowed
    );
    match said {
        Some(said) if !said.contains(&problem.code) && !elsewhere => {
            Some("a refusal that the description does not have".into())
        }
        _ => None,
    }
}

#[test]
fn what_is_asked_for_too_much_is_named_and_nothing_of_it_is_done() {
    let home = Home::new();
    let file = small_study(&home, "trials = 2");
    let spec = std::fs::read_to_string(&file).unwrap();
    home.run(&["daemon", "start"]).ok();
    let post = |path: &str, headers: &str, body: &Value| {
        let body = body.to_string();
        exchange(&home, &request("POST", path, headers, body.as_bytes())).expect("an answer")
    };
    for parallel in [0, 1025, 65_535] {
        let study = serde_json::json!({"spec": spec, "file": file, "parallel": parallel});
        let refused = post("/v1/studies", "", &study);
        assert_eq!(refused.status, 400, "{refused:?}");
        let told = refused.json()["message"].take();
        assert_eq!(
            told,
            format!("`parallel` is {parallel}, but must be a whole number from 1 to 1024")
        );
    }
    let refused = post(
        "/v1/studies",
        "content-type: text/plain\r\n",
        &serde_json::json!({"spec": spec, "file": file}),
    );
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (415, &"unsupported_media".into())
    );
    assert_eq!(
        wire::get(&home, "/v1/studies").json(),
        Value::Array(Vec::new())
    );
}
