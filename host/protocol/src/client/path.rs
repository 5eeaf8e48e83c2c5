//! Paths with ids in them.

use crate::problem::{Problem, ProblemCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// No id is longer.
const LONGEST: usize = 4096;

/// The template with each `{name}` replaced by its id, percent-encoded.
///
/// An id that would be another path, as nothing or `..`, is refused before anything is sent.
pub(super) fn filled(template: &str, ids: &[&str]) -> Result<String, Problem> {
    let mut ids = ids.iter();
    let mut path = String::with_capacity(template.len() + 32);
    for segment in template.split('/').skip(1) {
        path.push('/');
        let Some(name) = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) else {
            path.push_str(segment);
            continue;
        };
        let id = ids.next().copied().unwrap_or_default();
        if matches!(id, "" | "." | "..") || id.len() > LONGEST {
            let shown: String = id.chars().take(40).collect();
            return Err(Problem::new(
                ProblemCode::Invalid,
                format_args!(
                    "{shown:?} names no {name}: `attune ls` lists studies and trials, \
                     `attune plugin ls` plugins"
                ),
            ));
        }
        path.extend(utf8_percent_encode(id, RESERVED));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_encoded() {
        let table = [
            ("s12", "/v1/studies/s12/pause"),
            ("s12.3", "/v1/studies/s12.3/pause"),
            ("a/b", "/v1/studies/a%2Fb/pause"),
            ("a?b#c", "/v1/studies/a%3Fb%23c/pause"),
            ("a b\r\n%", "/v1/studies/a%20b%0D%0A%25/pause"),
            ("größe", "/v1/studies/gr%C3%B6%C3%9Fe/pause"),
            ("...", "/v1/studies/.../pause"),
        ];
        for (id, path) in table {
            assert_eq!(filled("/v1/studies/{study}/pause", &[id]).unwrap(), path);
        }
        assert_eq!(filled("/metrics", &[]).unwrap(), "/metrics");
    }

    #[test]
    fn an_id_that_is_another_path_is_refused() {
        for id in ["", ".", "..", &"x".repeat(5000)] {
            let problem = filled("/v1/trials/{trial}", &[id]).unwrap_err();
            assert_eq!(problem.code, ProblemCode::Invalid);
            assert!(problem.message.contains("names no trial"), "{problem}");
        }
        assert!(filled("/v1/trials/{trial}", &[]).is_err());
    }
}
