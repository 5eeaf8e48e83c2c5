//! The daemon's log, asked of the daemon.

use crate::asking::Asking;
use crate::support::{Home, says, wait_for};
use attune_protocol::{LogLine, LogQuery};

fn log(asking: &Asking, lines: Option<u32>, level: Option<&str>) -> Vec<LogLine> {
    let level = level.map(str::to_owned);
    asking.to(|client| async move { client.log(&LogQuery { lines, level }).await })
}

#[test]
fn its_end_is_told_by_level() {
    let home = Home::new();
    // A second daemon goes on in the log of the first.
    home.run(&["daemon", "start"]).ok();
    home.run(&["daemon", "stop"]).ok();
    let asking = Asking::of(&home);
    // It is written by a thread of its own.
    let all = wait_for(
        || {
            let all = log(&asking, None, None);
            let ready = |line: &&LogLine| line.text.contains("the daemon is ready");
            (all.iter().filter(ready).count() == 2).then_some(all)
        },
        "both daemons have said that they are ready",
    );
    assert!(
        all.iter()
            .any(|line| line.text.contains("the daemon has ended"))
    );
    assert!(
        all.iter()
            .all(|line| line.level == "info" && line.time.ends_with('Z')),
        "{all:?}"
    );
    let last = log(&asking, Some(1), None);
    assert_eq!(last, all[all.len() - 1..]);
    assert_eq!(log(&asking, None, Some("warn")), []);
    assert_eq!(log(&asking, None, Some("info")), all);
    for (lines, level, why) in [
        (Some(0), None, "`lines` is 0"),
        (Some(5_001), None, "from 1 to 5000"),
        (None, Some("loud"), "one of error, warn, info, debug"),
    ] {
        let level = level.map(str::to_owned);
        let query = LogQuery { lines, level };
        let (code, told) = asking.refused(|client| async move { client.log(&query).await });
        assert_eq!(code, 400);
        says(&told, &[why]);
    }
}
