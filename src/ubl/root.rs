//! What does the root element say that this is?

use crate::ubl::remarks::shown;
use crate::ubl::xml::Root;

/// What is read in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Invoice,
    CreditNote,
    SelfBilledInvoice,
    SelfBilledCreditNote,
    Response,
    /// Another message of UBL, such as an order.
    OtherUbl,
    Cii,
    Envelope,
    Unknown,
}

/// Returns the form of a document with this root. The namespace must be right: by the name alone, a
/// program that imports it would not know it either.
pub(super) fn form(root: &Root) -> Form {
    let local = root.local.as_str();
    match root.namespace.strip_prefix(UBL_SCHEMA) {
        Some(schema) if schema.strip_suffix("-2") == Some(local) => ubl_form(local),
        Some(_) => Form::Unknown,
        None if is_cii(root) => Form::Cii,
        None if root.namespace == SBDH && local == "StandardBusinessDocument" => Form::Envelope,
        None => Form::Unknown,
    }
}

/// Returns what to say about a root that is not read.
pub(super) fn told(root: &Root) -> String {
    let local = shown(&root.local);
    match root.namespace.as_str() {
        "" => format!("the root `{local}` is in no namespace, so it is no document known here"),
        namespace => {
            let namespace = shown(namespace);
            format!("the root `{local}` in `{namespace}` is no document known here")
        }
    }
}

fn ubl_form(local: &str) -> Form {
    match local {
        "Invoice" => Form::Invoice,
        "CreditNote" => Form::CreditNote,
        "SelfBilledInvoice" => Form::SelfBilledInvoice,
        "SelfBilledCreditNote" => Form::SelfBilledCreditNote,
        "ApplicationResponse" => Form::Response,
        _ => Form::OtherUbl,
    }
}

fn is_cii(root: &Root) -> bool {
    match root.local.as_str() {
        "CrossIndustryInvoice" => root.namespace.starts_with(UNCEFACT),
        "CrossIndustryDocument" => {
            root.namespace.starts_with(UNCEFACT) || root.namespace.starts_with("urn:ferd:")
        }
        _ => false,
    }
}

const UBL_SCHEMA: &str = "urn:oasis:names:specification:ubl:schema:xsd:";
const UNCEFACT: &str = "urn:un:unece:uncefact:data:";
const SBDH: &str = "http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_namespace_must_agree() {
        let ubl = |schema: &str| format!("{UBL_SCHEMA}{schema}");
        #[rustfmt::skip]
        let cases = [
            (ubl("Invoice-2"),              "Invoice",                  Form::Invoice),
            (ubl("CreditNote-2"),           "CreditNote",               Form::CreditNote),
            (ubl("SelfBilledInvoice-2"),    "SelfBilledInvoice",        Form::SelfBilledInvoice),
            (ubl("SelfBilledCreditNote-2"), "SelfBilledCreditNote",     Form::SelfBilledCreditNote),
            (ubl("ApplicationResponse-2"),  "ApplicationResponse",      Form::Response),
            (ubl("Order-2"),                "Order",                    Form::OtherUbl),
            (ubl("Invoice-2"),              "SomethingElse",            Form::Unknown),
            (ubl("CreditNote-2"),           "Invoice",                  Form::Unknown),
            (ubl("Invoice-3"),              "Invoice",                  Form::Unknown),
            (String::new(),                 "Invoice",                  Form::Unknown),
            ("http://www.w3.org/1999/xhtml".to_owned(), "html",         Form::Unknown),
            ("urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100".to_owned(), "CrossIndustryInvoice", Form::Cii),
            ("urn:ferd:CrossIndustryDocument:invoice:1p0".to_owned(), "CrossIndustryDocument", Form::Cii),
            (SBDH.to_owned(),               "StandardBusinessDocument", Form::Envelope),
        ];
        for (namespace, local, expected) in cases {
            let root = Root {
                namespace,
                local: local.to_owned(),
            };
            assert_eq!(form(&root), expected, "{root:?}");
        }
    }
}
