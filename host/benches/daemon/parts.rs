//! The parts of a bench, each of which can be asked for alone.

/// A part, and how it is measured; in short where cargo only wants to know that it runs.
pub type Part = (&'static str, fn(bool));

/// Measures the parts that the command line asks for, or all of them; at the top stands the machine
/// that this was measured on.
pub fn run(parts: &[Part], heading: &str) {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let is_short = !args.iter().any(|arg| arg == "--bench");
    let asked = |name: &str| args.iter().any(|arg| arg == name);
    let all = !parts.iter().any(|(name, _)| asked(name));
    println!("{}{heading}", machine());
    for (name, measure) in parts {
        if all || asked(name) {
            println!("\n{name}");
            measure(is_short);
        }
    }
}

fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown", |line| line.trim_start_matches(['\t', ' ', ':']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} cores, {model}")
}
