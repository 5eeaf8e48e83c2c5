//! What the program says, looked at as its users would.

/// A page for people as one line, however it was wrapped.
pub fn unwrapped(page: &str) -> String {
    page.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// All of these are in the text.
#[track_caller]
pub fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

/// The text is one line of error, and says all of these.
#[track_caller]
pub fn one_line(error: &str, parts: &[&str]) {
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 1, "more than a line:\n{error}");
    assert!(error.starts_with("error: "), "{error}");
    says(error, parts);
}
