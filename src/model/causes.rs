//! Why did it fail, all the way down?

use std::error::Error;

/// Returns an error and its causes on one line: `what: cause: cause`.
pub fn with_causes(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let text = source.to_string();
        // Some libraries say their cause themselves; once is enough.
        if !told.ends_with(&text) {
            told.push_str(": ");
            told.push_str(text.trim_end());
        }
        cause = source.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{said}")]
    struct Failed {
        said: &'static str,
        #[source]
        cause: Option<Box<Self>>,
    }

    fn failed(said: &'static str, cause: Option<Failed>) -> Failed {
        let cause = cause.map(Box::new);
        Failed { said, cause }
    }

    #[test]
    fn each_cause_is_told_once() {
        let deep = failed("permission denied", None);
        let middle = failed("could not open: permission denied", Some(deep));
        let top = failed("could not begin", Some(middle));

        assert_eq!(
            with_causes(&top),
            "could not begin: could not open: permission denied"
        );
        assert_eq!(with_causes(&failed("gone", None)), "gone");
    }
}
