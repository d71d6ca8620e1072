//! What does a word that nobody knows look like?

/// The text is none of the words that stand for a value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is unknown here: use one of {known}")]
pub struct UnknownWord {
    word: String,
    known: &'static str,
}

impl UnknownWord {
    /// Names the word, and those that would have done.
    pub(crate) fn new(word: &str, known: &'static str) -> Self {
        Self {
            word: word.to_owned(),
            known,
        }
    }
}
