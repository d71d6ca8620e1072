//! Which agreement was this document written for?
//!
//! A customization only ever earns a remark: what a document is, its structure says.

/// An agreement that documents name in their `CustomizationID` (BT-24).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Customization {
    /// A part of the identifier that only this agreement's have, in lower case.
    part: &'static str,
    /// What people call it.
    pub(super) name: &'static str,
    pub(super) status: Status,
}

/// Whether an agreement is still used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Current,
    Old,
}

/// Returns the agreement that `customization` names; case is ignored, for UBL.BE's own files vary it.
///
/// The first e-FFF says so in its profile, and its customization is a bare version.
pub(super) fn known(customization: &str, profile: Option<&str>) -> Option<&'static Customization> {
    let id = customization.to_lowercase();
    if id == EN_16931.part {
        return Some(&EN_16931);
    }
    let by_profile = profile.filter(|_| BARE_VERSIONS.contains(&id.as_str()));
    let by_profile = by_profile.unwrap_or_default().to_lowercase();
    TABLE
        .iter()
        .find(|row| id.contains(row.part) || by_profile.contains(row.part))
}

/// The core invoice itself: other identifiers begin with it, so it must stand alone.
static EN_16931: Customization = Customization {
    part: "urn:cen.eu:en16931:2017",
    name: "EN 16931",
    status: Status::Current,
};

/// Customizations that mean something only together with the profile.
const BARE_VERSIONS: [&str; 3] = ["1.0", "2.0", "3.0"];

/// The first that fits counts: e-FFF 3.0 builds on an identifier of the old Peppol.
#[rustfmt::skip]
static TABLE: &[Customization] = &[
    row("urn:fdc:peppol.eu:2017:poacc:selfbilling:",    "Peppol BIS Self-Billing 3",    Status::Current),
    row("urn:fdc:peppol.eu:2017:poacc:billing:",        "Peppol BIS Billing 3",         Status::Current),
    row("urn:peppol:pint:",                             "Peppol PINT",                  Status::Current),
    row("urn:peppol:eb2b:",                             "Peppol eB2B",                  Status::Current),
    row("urn:peppol:france:",                           "French CIUS",                  Status::Current),
    row("cpro.gouv.fr:",                                "French CIUS",                  Status::Current),
    row("urn:ubl.be:",                                  "UBL.BE 3.0",                   Status::Current),
    row("e-fff",                                        "e-FFF",                        Status::Current),
    row("efff",                                         "e-FFF",                        Status::Current),
    row("fff.be",                                       "e-FFF",                        Status::Current),
    row("urn:fdc:nen.nl:nlcius:",                       "NLCIUS (SI-UBL 2.0)",          Status::Current),
    row("urn:fdc:nen.nl:gaccount:",                     "NLCIUS with G-account",        Status::Current),
    row("urn:xeinkauf.de:kosit:",                       "XRechnung 3",                  Status::Current),
    row("urn:efactura.mfinante.ro:cius-ro:",            "CIUS-RO",                      Status::Current),
    row("urn:feap.gov.pt:cius-pt:",                     "CIUS-PT",                      Status::Current),
    row("urn:fatturapa.gov.it:cius-it:",                "CIUS-IT",                      Status::Current),
    row("urn:factur-x.eu:",                             "Factur-X",                     Status::Current),
    row("urn:zugferd.de:2p",                            "ZUGFeRD 2",                    Status::Current),
    row("urn:ferd:crossindustrydocument:",              "ZUGFeRD 1",                    Status::Old),
    row("urn:xoev-de:kosit:standard:xrechnung",         "XRechnung 1 or 2",             Status::Old),
    row("urn:www.simplerinvoicing.org:",                "SI-UBL 1",                     Status::Old),
    row("urn:www.cenbii.eu:",                           "Peppol BIS 4A or 5A",          Status::Old),
    row("urn:www.peppol.eu:bis:",                       "Peppol BIS 4A or 5A",          Status::Old),
];

const fn row(part: &'static str, name: &'static str, status: Status) -> Customization {
    Customization { part, name, status }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agreements_of_the_trade_are_known() {
        let cases = [
            (
                "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0",
                None,
                "Peppol BIS Billing 3",
                Status::Current,
            ),
            (
                "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:selfbilling:3.0",
                None,
                "Peppol BIS Self-Billing 3",
                Status::Current,
            ),
            ("urn:cen.eu:en16931:2017", None, "EN 16931", Status::Current),
            (
                "urn:cen.eu:en16931:2017#conformant#urn:peppol:eb2b:1.0",
                None,
                "Peppol eB2B",
                Status::Current,
            ),
            (
                "urn:cen.eu:en16931:2017#Conformant#urn:UBL.BE:1.0.0.20180214",
                None,
                "UBL.BE 3.0",
                Status::Current,
            ),
            ("1.0", Some("E-FFF"), "e-FFF", Status::Current),
            (
                "1.0",
                Some("FFF.BE PROGRAM 1.0.0"),
                "e-FFF",
                Status::Current,
            ),
            (
                "urn:cen.eu:en16931:2017#compliant#urn:fdc:nen.nl:nlcius:v1.0",
                None,
                "NLCIUS (SI-UBL 2.0)",
                Status::Current,
            ),
            (
                "urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0",
                None,
                "XRechnung 3",
                Status::Current,
            ),
            (
                "urn:cen.eu:en16931:2017#conformant#urn.cpro.gouv.fr:1p0:extended-ctc-fr",
                None,
                "French CIUS",
                Status::Current,
            ),
            (
                "urn:www.cenbii.eu:transaction:biicoretrdm010:ver1.0:#urn:www.peppol.eu:bis:peppol4a:ver1.0",
                None,
                "Peppol BIS 4A or 5A",
                Status::Old,
            ),
        ];
        for (id, profile, name, status) in cases {
            let found = known(id, profile).unwrap_or_else(|| panic!("{id}"));
            assert_eq!((found.name, found.status), (name, status), "{id}");
        }
    }

    #[test]
    fn a_stranger_is_unknown_even_when_it_builds_on_the_core() {
        assert_eq!(
            known("urn:cen.eu:en16931:2017#conformant#urn:example:mine", None),
            None
        );
        assert_eq!(known("1.0", Some("mine")), None);
        assert_eq!(known("1.0", None), None);
    }
}
