//! Who sells and who buys, and by which numbers are they known?

use crate::model::{PartyId, PartyIdSource};
use crate::ubl::limits::IDS_PER_PARTY_MAX;
use crate::ubl::remarks::Remarks;
use crate::ubl::xml::Leaf;
use crate::ubl::{Party, RemarkCode};

/// What an element below a party says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The name it goes by.
    Name,
    /// The name to fall back on.
    OtherName,
    /// An identifier.
    Id(PartyIdSource),
    /// A number with a tax authority; which tax it is may stand beside it.
    TaxNumber,
    /// Which tax the number beside it is for.
    TaxScheme,
}

/// A party while its elements pass by.
#[derive(Debug, Default)]
pub(super) struct PartyInProgress {
    name: Option<String>,
    other_name: Option<String>,
    ids: Vec<PartyId>,
    dropped: usize,
    tax_number: Option<(Option<String>, String)>,
    tax_scheme: Option<String>,
}

impl PartyInProgress {
    pub(super) fn leaf(&mut self, part: Part, leaf: &Leaf<'_>, remarks: &mut Remarks) {
        let Some(value) = leaf.value(remarks) else {
            return;
        };
        let scheme = leaf.attributes.value("schemeID");
        match part {
            Part::Name => keep_first(&mut self.name, value),
            Part::OtherName => keep_first(&mut self.other_name, value),
            Part::Id(source) => self.add(PartyId::new(source, scheme, &value)),
            Part::TaxNumber => {
                self.close_tax();
                self.tax_number = Some((scheme.map(ToOwned::to_owned), value));
            }
            Part::TaxScheme => self.tax_scheme = Some(value),
        }
    }

    /// Ends a tax registration: only now is it known which tax its number is for.
    pub(super) fn close_tax(&mut self) {
        let tax = self.tax_scheme.take();
        let Some((scheme, number)) = self.tax_number.take() else {
            return;
        };
        let tax = tax.or_else(|| scheme.clone()).unwrap_or_default();
        let local = LOCAL_TAXES
            .iter()
            .any(|name| tax.eq_ignore_ascii_case(name));
        let source = if local {
            PartyIdSource::Identification
        } else {
            PartyIdSource::Vat
        };
        self.add(PartyId::new(source, scheme.as_deref(), &number));
    }

    /// Returns the party, its identifiers in order of trust.
    pub(super) fn finish(mut self, role: &str, remarks: &mut Remarks) -> Party {
        self.close_tax();
        if self.dropped > 0 {
            let told = format!(
                "the {role} has {} identifiers; {IDS_PER_PARTY_MAX} are kept",
                self.ids.len() + self.dropped
            );
            remarks.add(RemarkCode::TooMany, told);
        }
        self.ids.sort_by_key(|id| id.source);
        Party {
            name: self.name.or(self.other_name),
            ids: self.ids,
        }
    }

    fn add(&mut self, id: PartyId) {
        if self.ids.contains(&id) {
            return;
        }
        if self.ids.len() >= IDS_PER_PARTY_MAX {
            self.dropped += 1;
            // Else whoever writes many of those that nobody trusts would decide by which one is known.
            let least = self
                .ids
                .iter()
                .enumerate()
                .max_by_key(|(_, kept)| kept.source);
            match least.map(|(at, kept)| (at, kept.source)) {
                Some((at, source)) if source > id.source => self.ids.remove(at),
                _ => return,
            };
        }
        self.ids.push(id);
    }
}

fn keep_first(slot: &mut Option<String>, value: String) {
    slot.get_or_insert(value);
}

/// Registrations with a tax office that are no VAT number (BT-32), as UBL, CII and Norway name them.
const LOCAL_TAXES: [&str; 4] = ["TAX", "LOC", "FC", "Foretaksregisteret"];
