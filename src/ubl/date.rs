//! Which day is meant?

use jiff::civil::Date;

/// Returns the day that UBL writes as `2026-03-14`, without the time zone that XML Schema allows behind
/// it, nor the time of day that some write there; a day that no calendar has is none.
pub(super) fn iso_date(written: &str) -> Option<String> {
    let written = written.trim();
    let (day, behind) = written.split_at_checked(10)?;
    let mut parts = day.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let is_whole = parts.next().is_none() && (is_zone(behind) || is_time(behind));
    is_whole.then(|| calendar_day(year, month, day))?
}

/// Returns the day that CII writes as `20260314` (format 102).
pub(super) fn compact_date(written: &str) -> Option<String> {
    let (year, rest) = written.trim().split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    calendar_day(year, month, day)
}

fn calendar_day(year: &str, month: &str, day: &str) -> Option<String> {
    let shape = (year.len(), month.len(), day.len()) == (4, 2, 2);
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !shape || ![year, month, day].into_iter().all(digits) {
        return None;
    }
    let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    Some(date.to_string())
}

/// Whether `time` looks like `T23:59:59.9Z`; what it says does not matter.
fn is_time(time: &str) -> bool {
    let part = |c: char| c.is_ascii_digit() || matches!(c, ':' | '.' | '+' | '-' | 'Z');
    let digits = time.strip_prefix('T');
    digits.is_some_and(|time| {
        time.starts_with(|c: char| c.is_ascii_digit()) && time.chars().all(part)
    })
}

/// Whether `zone` is nothing, `Z` or an offset such as `+01:00`.
fn is_zone(zone: &str) -> bool {
    let shape: String = zone
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    matches!(shape.as_str(), "" | "Z" | "+00:00" | "-00:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_iso_whatever_zone_stands_behind_it() {
        for zone in [
            "",
            "Z",
            "+01:00",
            "-05:00",
            " ",
            "T00:00:00",
            "T23:59:59.999+01:00",
        ] {
            let written = format!("2026-03-14{zone}");
            assert_eq!(
                iso_date(&written).as_deref(),
                Some("2026-03-14"),
                "{written}"
            );
        }
        assert_eq!(compact_date("20260314").as_deref(), Some("2026-03-14"));
    }

    #[test]
    fn what_no_calendar_has_is_no_date() {
        for written in [
            "",
            "14/03/2026",
            "2026-02-30",
            "2026-3-14",
            "2026-03-14T",
            "2026-03-14Today",
            "2026-02-30T00:00:00",
            "26-03-14",
            "20260314",
            "2026-03é14",
            "202é-03-14",
            "-001-01-01",
            "2026-13-01",
            "2026-03-1 ",
            "+026-03-14",
        ] {
            assert_eq!(iso_date(written), None, "{written}");
        }
        for written in ["2026-03-14", "20260230", "2026031", "202603145", "2026é3"] {
            assert_eq!(compact_date(written), None, "{written}");
        }
    }
}
