//! Which alarms are up, by the events alone?

use std::collections::BTreeMap;

use super::difference::{AlarmFault, Difference};
use crate::alarm::{AlarmKind, Subject, Told, Up};
use crate::evidence::EventRow;
use crate::model::{EventKind, Timestamp};

/// The alarms that are up, and since when their reasons last and they were raised.
#[derive(Debug, Default)]
pub(super) struct Alarms(BTreeMap<Subject, (Timestamp, Timestamp)>);

impl Alarms {
    /// Plays an event that raises or clears an alarm.
    pub(super) fn play(&mut self, row: &EventRow) -> Result<(), Difference> {
        let event = &row.event;
        let told = Told::parse(&event.detail);
        let subject = match (told.map(|told| told.kind), event.delivery, event.device) {
            (Some(AlarmKind::Uncollected), Some(id), _) => Subject::Delivery(id),
            (Some(AlarmKind::Unseen), None, Some(id)) => Subject::Device(id),
            (Some(AlarmKind::Untaken), None, None) => Subject::Dropped,
            _ => Subject::DropFolder,
        };
        let fault = |wrong| Err(Difference::Alarm { subject, wrong });
        let Some(told) = told.filter(|told| told.kind == subject.kind()) else {
            return fault(AlarmFault::Unclear(row.seq));
        };
        if event.kind == EventKind::AlarmCleared {
            return match self.0.remove(&subject) {
                Some(_) => Ok(()),
                None => fault(AlarmFault::NotUp(row.seq)),
            };
        }
        if self.0.contains_key(&subject) {
            return fault(AlarmFault::Twice(row.seq));
        }
        self.0.insert(subject, (told.since, row.at));
        Ok(())
    }

    /// Compares all with those of the table.
    pub(super) fn compare(mut self, found: &[Up]) -> Vec<Difference> {
        let mut differences = Vec::new();
        let mut add = |subject, wrong| differences.push(Difference::Alarm { subject, wrong });
        for up in found {
            match self.0.remove(&up.subject) {
                None => add(up.subject, AlarmFault::Untold),
                Some(told) if told != (up.since, up.raised_at) => {
                    add(up.subject, AlarmFault::Since);
                }
                Some(_) => {}
            }
        }
        for subject in self.0.into_keys() {
            add(subject, AlarmFault::Lacking);
        }
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Event;
    use crate::model::{DeliveryId, DeviceId, DocumentId, EventSeq};

    fn event(seq: i64, kind: EventKind, subject: Subject) -> EventRow {
        let since = Timestamp(5);
        let kind_told = subject.kind();
        let mut event = Event::new(
            kind,
            Told {
                kind: kind_told,
                since,
            }
            .to_string(),
        );
        match subject {
            Subject::Delivery(id) => {
                event.delivery = Some(id);
                event.document = Some(DocumentId(1));
                event.device = Some(DeviceId(1));
            }
            Subject::Device(id) => event.device = Some(id),
            Subject::DropFolder | Subject::Dropped => {}
        }
        EventRow {
            seq: EventSeq(seq),
            at: Timestamp(seq),
            event,
            hash: String::new(),
        }
    }

    #[test]
    fn the_events_lead_to_the_alarms_that_are_up() {
        use EventKind::{AlarmCleared, AlarmRaised};
        let (delivery, device) = (
            Subject::Delivery(DeliveryId(7)),
            Subject::Device(DeviceId(7)),
        );
        let mut alarms = Alarms::default();
        let events = [
            event(1, AlarmRaised, delivery),
            event(2, AlarmRaised, device),
            event(3, AlarmRaised, Subject::DropFolder),
            event(4, AlarmCleared, delivery),
            event(5, AlarmRaised, delivery),
            event(6, AlarmCleared, Subject::DropFolder),
        ];

        for event in &events {
            alarms.play(event).unwrap();
        }

        let up = |subject, raised| Up {
            subject,
            since: Timestamp(5),
            raised_at: Timestamp(raised),
        };
        let found = [up(delivery, 5), up(Subject::DropFolder, 3)];
        let wrong: Vec<_> = alarms
            .compare(&found)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            wrong,
            [
                "the alarm `rejected` of the drop folder is in the table, and no event raises it",
                "the alarm `unseen` of device 7 is up by the events, and is not in the table",
            ]
        );
    }

    #[test]
    fn an_alarm_is_raised_once_and_cleared_once() {
        use EventKind::{AlarmCleared, AlarmRaised};
        let device = Subject::Device(DeviceId(7));
        let mut alarms = Alarms::default();
        let mut play = |seq, kind| {
            let played = alarms.play(&event(seq, kind, device));
            played.map_err(|wrong| wrong.to_string())
        };

        assert!(
            play(1, AlarmCleared)
                .unwrap_err()
                .contains("while it is not up")
        );
        play(2, AlarmRaised).unwrap();
        assert!(play(3, AlarmRaised).unwrap_err().contains("while it is up"));
        let up = Up {
            subject: device,
            since: Timestamp(6),
            raised_at: Timestamp(2),
        };
        let wrong = alarms.compare(&[up]).remove(0);
        assert!(wrong.to_string().contains("another beginning"));
        let mut unclear = event(4, AlarmRaised, device);
        unclear.event.detail = "lost".to_owned();
        assert!(Alarms::default().play(&unclear).is_err());
    }
}
