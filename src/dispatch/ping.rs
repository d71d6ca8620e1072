//! Does a receiver take what we send, when a person tries?

use super::answer::{Verdict, judge};
use super::body;
use super::post::{Answer, Error, Message, Sends};
use super::signature::{SECRET_BYTES, Secret};
use super::target::Target;
use crate::catalog::Webhook;
use crate::model::Timestamp;

/// Sends a test to a webhook, and returns what its receiver answered.
///
/// # Errors
///
/// When there was no answer.
pub async fn ping(
    sends: &impl Sends,
    webhook: &Webhook,
    (target, secret): (&Target, &Secret),
    now: Timestamp,
) -> Result<Answer, Error> {
    let what = (
        body::ping_id(webhook.id, now),
        body::ping_body(webhook, now),
    );
    sends.send(&message(target, secret, what, now)).await
}

/// Says whether an answer means that the receiver has what it was told.
pub fn is_taken(answer: &Answer, now: Timestamp) -> bool {
    judge(answer.status, None, now) == Verdict::Told
}

/// Makes a secret, as it is shown.
///
/// # Errors
///
/// When the system has no randomness.
pub fn make_secret() -> Result<String, std::io::Error> {
    let mut bytes = [0; SECRET_BYTES];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| std::io::Error::other("the system has no randomness"))?;
    Ok(Secret::shown(bytes))
}

/// Writes and signs a message.
pub(super) fn message(
    target: &Target,
    secret: &Secret,
    (id, body): (String, String),
    now: Timestamp,
) -> Message {
    let seconds = now.0.div_euclid(1000);
    Message {
        target: target.clone(),
        seconds,
        signature: secret.sign(&id, seconds, &body),
        id,
        body,
    }
}
