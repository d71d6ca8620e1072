//! Are the names and attributes of a tag well-formed, and which of them matter?

use std::borrow::Cow;
use std::collections::BTreeSet;

use quick_xml::events::BytesStart;
use quick_xml::name::{NamespaceResolver, QName, ResolveResult};

use crate::ubl::RemarkCode;
use crate::ubl::lexis::{attributes_are_apart, is_name, resolve};
use crate::ubl::limits::{XML_ATTRIBUTE_BYTES_MAX, XML_ATTRIBUTES_MAX, XML_NAME_BYTES_MAX};
use crate::ubl::remarks::{Fault, shown};
use crate::ubl::xml::malformed;

/// The attributes of the tag read last that some reader asks for.
#[derive(Debug, Default)]
pub(super) struct Attributes(Vec<(&'static str, String)>);

impl Attributes {
    /// Checks the whole tag, and keeps those attributes that matter.
    ///
    /// # Errors
    ///
    /// When a name or an attribute is malformed, doubled, or past a limit.
    pub(super) fn read(
        &mut self,
        tag: &BytesStart<'_>,
        names: &NamespaceResolver,
        at: usize,
    ) -> Result<(), Fault> {
        self.0.clear();
        check_name(tag.name().into_inner(), at)?;
        if !attributes_are_apart(tag.attributes_raw()) {
            return Err(malformed(
                "two attributes stand without a space between",
                at,
            ));
        }
        let mut seen = BTreeSet::new();
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| malformed(shown(&error.to_string()), at))?;
            let name = attribute.key.into_inner();
            if seen.len() >= XML_ATTRIBUTES_MAX {
                let told = format!("an element has more than {XML_ATTRIBUTES_MAX} attributes");
                return Err(Fault::new(RemarkCode::TooManyAttributes, told, at));
            }
            if !seen.insert(name) {
                let told = format!("the attribute `{}` stands twice in one tag", shown(name));
                return Err(malformed(told, at));
            }
            check_name(name, at)?;
            check_declared(attribute.key, names, at)?;
            check_length(name, &attribute.value, at)?;
            self.keep(attribute.key, &attribute.value, at)?;
        }
        Ok(())
    }

    /// Returns the trimmed value of the attribute `name`, unless it is empty.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(kept, _)| *kept == name)?;
        Some(value.trim()).filter(|value| !value.is_empty())
    }

    fn keep(&mut self, name: QName<'_>, raw: &str, at: usize) -> Result<(), Fault> {
        let local = name.local_name().into_inner();
        let kept = KEPT.iter().find(|kept| **kept == local);
        match kept {
            Some(kept) => self.0.push((kept, unescaped(raw, at)?.into_owned())),
            None => drop(unescaped(raw, at)?), // it must be sound all the same
        }
        Ok(())
    }
}

/// Identifiers have a scheme, attachments a type and a name, dates of CII a format, amounts a currency.
const KEPT: [&str; 6] = [
    "schemeID",
    "mimeCode",
    "filename",
    "format",
    "Authority",
    "currencyID",
];

fn check_name(name: &str, at: usize) -> Result<(), Fault> {
    if name.len() > XML_NAME_BYTES_MAX {
        let told = format!("a name is longer than {XML_NAME_BYTES_MAX} bytes");
        return Err(Fault::new(RemarkCode::TooLarge, told, at));
    }
    if is_name(name) {
        return Ok(());
    }
    Err(malformed(format!("`{}` is no name", shown(name)), at))
}

fn check_declared(name: QName<'_>, names: &NamespaceResolver, at: usize) -> Result<(), Fault> {
    if name.prefix().is_none() {
        return Ok(());
    }
    match names.resolve_attribute(name).0 {
        ResolveResult::Unknown(prefix) => {
            let told = format!("the prefix `{}` is not declared", shown(&prefix));
            Err(malformed(told, at))
        }
        _ => Ok(()),
    }
}

fn check_length(name: &str, value: &str, at: usize) -> Result<(), Fault> {
    if value.len() > XML_ATTRIBUTE_BYTES_MAX {
        let name = shown(name);
        let told = format!("the attribute `{name}` is longer than {XML_ATTRIBUTE_BYTES_MAX} bytes");
        return Err(Fault::new(RemarkCode::TooLarge, told, at));
    }
    Ok(())
}

/// Returns an attribute's value with its references resolved.
fn unescaped(raw: &str, at: usize) -> Result<Cow<'_, str>, Fault> {
    if raw.contains('<') {
        return Err(malformed("a `<` stands in an attribute", at));
    }
    if !raw.contains('&') {
        return Ok(Cow::Borrowed(raw));
    }
    let mut parts = raw.split('&');
    let mut value = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let Some((name, rest)) = part.split_once(';') else {
            return Err(malformed("a `&` begins no reference", at));
        };
        value.push(resolve(name, at)?);
        value.push_str(rest);
    }
    Ok(Cow::Owned(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_in_an_attribute_are_resolved_or_refused() {
        assert_eq!(unescaped("a &amp; &#x42;&#67;", 0).unwrap(), "a & BC");
        assert_eq!(
            unescaped("&x;", 7).unwrap_err().code,
            RemarkCode::DtdOrEntity
        );
        assert_eq!(
            unescaped("a & b", 7).unwrap_err().code,
            RemarkCode::BrokenXml
        );
        assert_eq!(
            unescaped("&#0;", 7).unwrap_err().code,
            RemarkCode::BrokenXml
        );
    }
}
