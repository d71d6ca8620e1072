//! Where does each syntax write what is read?
//!
//! UBL and CII say the same things in other places, so one collector reads both by these tables.

use crate::model::PartyIdSource;
use crate::ubl::date::{compact_date, iso_date};
use crate::ubl::party::Part;

/// A fact about a document as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Number,
    Issued,
    TypeCode,
    Due,
    /// Said once for each way of paying; the first counts where the document itself says nothing.
    DueOfPayment,
    Currency,
    Payable,
    /// Said once for each way of paying, and every one counts.
    Account,
    Customization,
    Profile,
}

/// Where a syntax writes things.
pub(super) struct Vocabulary {
    /// Paths below the root.
    pub(super) fields: &'static [(&'static str, Field)],
    /// Paths of parties: the first that stands in a document counts.
    pub(super) sellers: &'static [&'static str],
    pub(super) buyers: &'static [&'static str],
    /// Paths below a party.
    pub(super) parts: &'static [(&'static str, Part)],
    /// Where, below a party, one tax registration ends.
    pub(super) tax_registration: &'static str,
    /// How a date is read.
    pub(super) date: fn(&str) -> Option<String>,
}

/// UBL 2.0 to 2.4. Orders and their like write their parties a little otherwise; a response has a
/// sender and a receiver, who are neither seller nor buyer by that.
#[rustfmt::skip]
pub(super) const UBL: Vocabulary = Vocabulary {
    fields: &[
        ("ID",                              Field::Number),
        ("IssueDate",                       Field::Issued),
        ("InvoiceTypeCode",                 Field::TypeCode),
        ("CreditNoteTypeCode",              Field::TypeCode),
        ("OrderTypeCode",                   Field::TypeCode),
        ("DueDate",                         Field::Due),
        ("PaymentMeans/PaymentDueDate",     Field::DueOfPayment),
        ("DocumentCurrencyCode",            Field::Currency),
        ("LegalMonetaryTotal/PayableAmount", Field::Payable),
        ("PaymentMeans/PayeeFinancialAccount/ID", Field::Account),
        ("CustomizationID",                 Field::Customization),
        ("ProfileID",                       Field::Profile),
    ],
    sellers: &["AccountingSupplierParty/Party", "SellerSupplierParty/Party"],
    buyers: &["AccountingCustomerParty/Party", "BuyerCustomerParty/Party"],
    parts: &[
        ("PartyName/Name",                      Part::Name),
        ("PartyLegalEntity/RegistrationName",   Part::OtherName),
        ("PartyLegalEntity/CompanyID",          Part::Id(PartyIdSource::LegalEntity)),
        ("PartyTaxScheme/CompanyID",            Part::TaxNumber),
        ("PartyTaxScheme/TaxScheme/ID",         Part::TaxScheme),
        ("EndpointID",                          Part::Id(PartyIdSource::Endpoint)),
        ("PartyIdentification/ID",              Part::Id(PartyIdSource::Identification)),
    ],
    tax_registration: "PartyTaxScheme",
    date: iso_date,
};

/// CII D16B, as EN 16931 uses it, and the older names of `ZUGFeRD` 1.
#[rustfmt::skip]
pub(super) const CII: Vocabulary = Vocabulary {
    fields: &[
        ("ExchangedDocument/ID",                                    Field::Number),
        ("ExchangedDocument/IssueDateTime/DateTimeString",          Field::Issued),
        ("ExchangedDocument/TypeCode",                              Field::TypeCode),
        ("ExchangedDocumentContext/GuidelineSpecifiedDocumentContextParameter/ID",       Field::Customization),
        ("ExchangedDocumentContext/BusinessProcessSpecifiedDocumentContextParameter/ID", Field::Profile),
        ("SupplyChainTradeTransaction/ApplicableHeaderTradeSettlement/InvoiceCurrencyCode", Field::Currency),
        ("SupplyChainTradeTransaction/ApplicableHeaderTradeSettlement/SpecifiedTradePaymentTerms/DueDateDateTime/DateTimeString", Field::DueOfPayment),
        ("SupplyChainTradeTransaction/ApplicableHeaderTradeSettlement/SpecifiedTradeSettlementHeaderMonetarySummation/DuePayableAmount", Field::Payable),
        ("SupplyChainTradeTransaction/ApplicableHeaderTradeSettlement/SpecifiedTradeSettlementPaymentMeans/PayeePartyCreditorFinancialAccount/IBANID", Field::Account),
        ("SupplyChainTradeTransaction/ApplicableHeaderTradeSettlement/SpecifiedTradeSettlementPaymentMeans/PayeePartyCreditorFinancialAccount/ProprietaryID", Field::Account),
        ("HeaderExchangedDocument/ID",                              Field::Number),
        ("HeaderExchangedDocument/IssueDateTime/DateTimeString",    Field::Issued),
        ("HeaderExchangedDocument/TypeCode",                        Field::TypeCode),
        ("SpecifiedExchangedDocumentContext/GuidelineSpecifiedDocumentContextParameter/ID", Field::Customization),
        ("SpecifiedSupplyChainTradeTransaction/ApplicableSupplyChainTradeSettlement/InvoiceCurrencyCode", Field::Currency),
        ("SpecifiedSupplyChainTradeTransaction/ApplicableSupplyChainTradeSettlement/SpecifiedTradePaymentTerms/DueDateDateTime/DateTimeString", Field::DueOfPayment),
        ("SpecifiedSupplyChainTradeTransaction/ApplicableSupplyChainTradeSettlement/SpecifiedTradeSettlementMonetarySummation/DuePayableAmount", Field::Payable),
        ("SpecifiedSupplyChainTradeTransaction/ApplicableSupplyChainTradeSettlement/SpecifiedTradeSettlementPaymentMeans/PayeePartyCreditorFinancialAccount/IBANID", Field::Account),
        ("SpecifiedSupplyChainTradeTransaction/ApplicableSupplyChainTradeSettlement/SpecifiedTradeSettlementPaymentMeans/PayeePartyCreditorFinancialAccount/ProprietaryID", Field::Account),
    ],
    sellers: &[
        "SupplyChainTradeTransaction/ApplicableHeaderTradeAgreement/SellerTradeParty",
        "SpecifiedSupplyChainTradeTransaction/ApplicableSupplyChainTradeAgreement/SellerTradeParty",
    ],
    buyers: &[
        "SupplyChainTradeTransaction/ApplicableHeaderTradeAgreement/BuyerTradeParty",
        "SpecifiedSupplyChainTradeTransaction/ApplicableSupplyChainTradeAgreement/BuyerTradeParty",
    ],
    parts: &[
        ("Name",                                            Part::Name),
        ("SpecifiedLegalOrganization/TradingBusinessName",  Part::OtherName),
        ("SpecifiedLegalOrganization/ID",                   Part::Id(PartyIdSource::LegalEntity)),
        ("SpecifiedTaxRegistration/ID",                     Part::TaxNumber),
        ("URIUniversalCommunication/URIID",                 Part::Id(PartyIdSource::Endpoint)),
        ("GlobalID",                                        Part::Id(PartyIdSource::Identification)),
        ("ID",                                              Part::Id(PartyIdSource::Identification)),
    ],
    tax_registration: "SpecifiedTaxRegistration",
    date: compact_date,
};
