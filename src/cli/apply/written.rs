//! How is a firm written as its file would say it?

use super::Present;
use super::file::{
    KeyUntil, Wanted, WantedDevice, WantedDossier, WantedFirm, WantedKey, WantedLink,
};
use crate::catalog::{Device, DeviceKey, Dossier, Link};
use crate::cli::call::device_name;
use crate::model::{DeviceId, Networks};

/// Says of a firm what its file would say.
pub(super) fn written(present: &Present) -> Wanted {
    let Present {
        firm,
        devices,
        dossiers,
        links,
    } = present;
    let named = |id: Option<DeviceId>| {
        let name = device_name(devices, id);
        (!name.is_empty()).then_some(name)
    };
    let link = |link: &Link| WantedLink {
        profile: link.profile.clone(),
        code: link.code.clone(),
        device: named(link.device),
        transfer: link.sends.transfer,
        approval: link.sends.approval,
        from: link.sends.from,
        language: Some(link.language),
    };
    let dossier = |own: &Dossier| WantedDossier {
        name: own.name.clone(),
        ids: own.identifiers.iter().map(|id| id.raw.clone()).collect(),
        links: links
            .iter()
            .filter(|one| one.dossier == own.id)
            .map(link)
            .collect(),
    };
    Wanted {
        firm: WantedFirm {
            slug: firm.slug.clone(),
            name: Some(firm.name.clone()),
            language: Some(firm.language),
            transfer: Some(firm.sends.transfer),
            approval: Some(firm.sends.approval),
            night: Some(firm.sends.night_hour),
            time_zone: firm.sends.time_zone.clone(),
            keep_in_view: Some(firm.keeps.in_view()),
            keep_documents: Some(firm.keeps.documents()),
            keep_events: Some(firm.keeps.events()),
            duplicates: Some(firm.sends.duplicates),
            default_device: named(firm.default_device),
            alarm_uncollected: Some(firm.alarms.uncollected),
            alarm_unseen: Some(firm.alarms.unseen),
        },
        devices: devices.iter().map(device_written).collect(),
        dossiers: dossiers.iter().map(dossier).collect(),
    }
}

fn device_written(device: &Device) -> WantedDevice {
    let key = |own: &DeviceKey| {
        let line = format!("{} {}", own.public_key, own.comment);
        let key = line.trim().to_owned();
        match own.expires_at.map(|at| at.to_string()) {
            None => WantedKey::Line(key),
            Some(expires) => WantedKey::Until(KeyUntil { key, expires }),
        }
    };
    let is_narrow = |networks: &&Networks| !networks.are_all();
    WantedDevice {
        name: device.name.clone(),
        kind: device.kind,
        uploads: Some(device.uploads),
        login: Some(device.means),
        from: Some(&device.networks).filter(is_narrow).cloned(),
        disabled: device.disabled.as_ref().map(|own| own.why.clone()),
        keys: device.keys.iter().map(key).collect(),
    }
}
