//! Which exchanges a query asks for, and what asks for the next ones.

use gateway_domain::{ChannelId, ExchangeOutcome, KeyId, UnixMillis, UserId};
use gateway_storage::{ExchangeFilter, MAX_EXCHANGES_PER_QUERY};

use crate::clock::parse_rfc3339;
use crate::error::ApiError;
use crate::query::Query;

/// The parameters of the list, and what they mean.
pub(crate) const PARAMETERS: [(&str, &str); 13] = [
    ("limit", "At most this many, from 1 to 500; absent: 100."),
    ("before", "Only those with a lower id: the last id of the page before. The Link header has it."),
    ("user_id", "Only of this user."),
    ("key_id", "Only with this key."),
    ("channel_id", "Only those that tried this channel."),
    ("model", "Only for this public model name."),
    ("endpoint", "Only at this endpoint, by its template, e.g. /v1/chat/completions."),
    ("outcome", "Only those that ended so."),
    ("status", "Only those that answered with this HTTP status."),
    ("request_id", "Only with this x-request-id."),
    ("streamed", "true: only streams; false: only others."),
    ("since", "Only those that began at this moment or later: RFC 3339, or milliseconds since 1970."),
    ("until", "Only those that began before this moment: RFC 3339, or milliseconds since 1970."),
];

/// Reads the query of the list.
pub(super) fn read(query: Option<&str>) -> Result<ExchangeFilter, ApiError> {
    let query = Query::read(query, &PARAMETERS.map(|(name, _)| name))?;
    let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
    let limit = query.parsed("limit", "a number from 1 to 500", |text| {
        text.parse().ok().filter(|limit| (1..=MAX_EXCHANGES_PER_QUERY).contains(limit))
    })?;
    let wanted = format!("one of {}", ExchangeOutcome::WORDS.join(", "));
    let moment = "a moment like 2030-01-31T10:00:00Z, or milliseconds since 1970";
    Ok(ExchangeFilter {
        limit: limit.unwrap_or_else(|| ExchangeFilter::default().limit),
        after: None,
        before: query.parsed("before", "the id of an exchange", number)?,
        user: query.parsed("user_id", "a number", number)?.map(UserId),
        key: query.parsed("key_id", "a number", number)?.map(KeyId),
        model: query.text("model").map(str::to_owned),
        endpoint: query.text("endpoint").map(str::to_owned),
        channel: query.parsed("channel_id", "a number", number)?.map(ChannelId),
        outcome: query.parsed("outcome", &wanted, ExchangeOutcome::from_word)?,
        status: query.parsed("status", "an HTTP status", |text| text.parse().ok())?,
        request_id: query.text("request_id").map(str::to_owned),
        streamed: query.parsed("streamed", "true or false", |text| text.parse().ok())?,
        since: query.parsed("since", moment, moment_of)?,
        until: query.parsed("until", moment, moment_of)?,
    })
}

fn moment_of(text: &str) -> Option<UnixMillis> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(UnixMillis);
    }
    // The `+` of an offset means a space in a query, and few people write it as an escape.
    parse_rfc3339(text).or_else(|| parse_rfc3339(&text.replace(' ', "+")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_and_programs_write_them() {
        let moment = Some(UnixMillis(1_769_853_600_000));
        for text in [
            "1769853600000",
            "2026-01-31T10:00:00Z",
            "2026-01-31T11:00:00+01:00",
            // As it arrives where the plus was not escaped.
            "2026-01-31T11:00:00 01:00",
        ] {
            assert_eq!(moment_of(text), moment, "{text}");
        }
        for text in ["", "yesterday", "-5", "2026-01-31", "99999999999999999999"] {
            assert_eq!(moment_of(text), None, "{text}");
        }
    }
}
