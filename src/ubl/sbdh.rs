//! What does an envelope say, and which bytes of it are the document?
//!
//! The document is cut out as it was written. Where it relies on a namespace that the envelope declares,
//! that declaration is written into its root tag, so it stands alone; always in the same way, so that
//! its digest is the same each time.

use std::collections::BTreeMap;

use quick_xml::events::BytesStart;
use quick_xml::name::{NamespaceResolver, Prefix, PrefixDeclaration, QName, ResolveResult};

use crate::ubl::remarks::{Fault, Remarks};
use crate::ubl::xml::{Leaf, Opened, Text, Visitor, walk};
use crate::ubl::{RemarkCode, Sbdh};

/// An envelope, opened.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) sbdh: Sbdh,
    /// The document, where there is exactly one that is XML.
    pub(super) inner: Option<String>,
}

/// Opens a Standard Business Document.
///
/// # Errors
///
/// When it is not sound to its very end.
pub(super) fn open(text: &str, remarks: &mut Remarks) -> Result<Opening, Fault> {
    let mut envelope = Envelope::new(remarks);
    walk(text, &mut envelope)?;
    Ok(envelope.finish(text))
}

struct Envelope<'r> {
    remarks: &'r mut Remarks,
    sbdh: Sbdh,
    has_header: bool,
    scope_type: Option<String>,
    scope_value: Option<String>,
    payloads: usize,
    payload: Option<Payload>,
    /// How many elements of the payload are open.
    depth: usize,
}

/// The first element beside the header.
struct Payload {
    start: usize,
    /// Just behind the name in its tag, where declarations can be added.
    name_end: usize,
    end: usize,
    /// Whether Peppol's wrapper for what is not XML.
    opaque: bool,
    /// Prefixes declared within, with the depth at which.
    declared: Vec<(usize, String)>,
    /// Prefixes that it uses and the envelope declares; the default namespace is the empty one.
    borrowed: BTreeMap<String, String>,
}

impl Visitor for Envelope<'_> {
    fn opened(&mut self, element: &Opened<'_>) -> Text {
        let below_root = !element.path.is_empty() && !element.path.contains('/');
        if below_root && element.path == HEADER {
            self.has_header = true;
        } else if below_root {
            self.payloads += 1;
            if self.payloads == 1 {
                self.payload = Some(Payload::begin(element));
                self.depth = 0;
            }
        }
        if let Some(payload) = self.payload.as_mut().filter(|payload| payload.end == 0) {
            self.depth += 1;
            payload.note_names(self.depth, element.tag, element.names);
        }
        Text::Gather
    }

    fn leaf(&mut self, leaf: &Leaf<'_>) {
        let Some(below) = leaf.path.strip_prefix(HEADER) else {
            return;
        };
        let slot = match below {
            "/DocumentIdentification/InstanceIdentifier" => &mut self.sbdh.instance,
            "/Sender/Identifier" => &mut self.sbdh.sender,
            "/Receiver/Identifier" => &mut self.sbdh.receiver,
            "/BusinessScope/Scope/Type" => &mut self.scope_type,
            "/BusinessScope/Scope/InstanceIdentifier" => &mut self.scope_value,
            _ => return,
        };
        leaf.fill(slot, self.remarks);
    }

    fn closed(&mut self, path: &str, end: usize) {
        if path.strip_prefix(HEADER) == Some("/BusinessScope/Scope") {
            self.close_scope();
        }
        if let Some(payload) = self.payload.as_mut().filter(|payload| payload.end == 0) {
            payload.declared.retain(|(depth, _)| *depth < self.depth);
            self.depth -= 1;
            if self.depth == 0 {
                payload.end = end;
            }
        }
    }
}

impl<'r> Envelope<'r> {
    fn new(remarks: &'r mut Remarks) -> Self {
        Self {
            remarks,
            sbdh: Sbdh::default(),
            has_header: false,
            scope_type: None,
            scope_value: None,
            payloads: 0,
            payload: None,
            depth: 0,
        }
    }

    fn close_scope(&mut self) {
        let value = self.scope_value.take();
        let slot = match self.scope_type.take().as_deref() {
            Some("DOCUMENTID") => &mut self.sbdh.document_id,
            Some("PROCESSID") => &mut self.sbdh.process_id,
            _ => return,
        };
        if slot.is_none() {
            *slot = value;
        }
    }

    fn finish(self, text: &str) -> Opening {
        if !self.has_header {
            self.remarks
                .add(RemarkCode::Missing, "the envelope has no header");
        }
        let mut fault = |code, told: String| {
            self.remarks.add(code, told);
            None
        };
        let inner = match self.payload {
            None => {
                let told = "the envelope holds no document as XML: nothing, or only text";
                fault(RemarkCode::Missing, told.to_owned())
            }
            Some(_) if self.payloads > 1 => {
                let told = format!(
                    "the envelope holds {} documents; one was expected",
                    self.payloads
                );
                fault(RemarkCode::Odd, told)
            }
            Some(payload) if payload.opaque => {
                let told = "the envelope holds something that is not XML";
                fault(RemarkCode::NotUbl, told.to_owned())
            }
            Some(payload) => payload.standing_alone(text),
        };
        Opening {
            sbdh: self.sbdh,
            inner,
        }
    }
}

impl Payload {
    fn begin(element: &Opened<'_>) -> Self {
        let local = element.tag.local_name().into_inner();
        Self {
            start: element.start,
            name_end: element.start + 1 + element.tag.name().into_inner().len(),
            end: 0,
            opaque: matches!(local, "BinaryContent" | "TextContent"),
            declared: Vec::new(),
            borrowed: BTreeMap::new(),
        }
    }

    fn note_names(&mut self, depth: usize, tag: &BytesStart<'_>, names: &NamespaceResolver) {
        let attributes = || {
            tag.attributes()
                .with_checks(false)
                .flatten()
                .collect::<Vec<_>>()
        };
        let attributes = attributes();
        for attribute in &attributes {
            if let Some(declaration) = attribute.key.as_namespace_binding() {
                let prefix = match declaration {
                    PrefixDeclaration::Default => String::new(),
                    PrefixDeclaration::Named(prefix) => prefix.to_owned(),
                };
                self.declared.push((depth, prefix));
            }
        }
        self.note(tag.name().prefix(), names);
        for attribute in &attributes {
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            if attribute.key.prefix().is_some() {
                self.note(attribute.key.prefix(), names);
            }
            // The value of `xsi:type` is a name too.
            if attribute.key.local_name().into_inner() == "type" {
                self.note(QName(&attribute.value).prefix(), names);
            }
        }
    }

    /// Notes a prefix as borrowed, when it is bound, and not within the payload.
    fn note(&mut self, prefix: Option<Prefix<'_>>, names: &NamespaceResolver) {
        let name = prefix.map_or("", Prefix::into_inner);
        if matches!(name, "xml" | "xmlns") || self.declared.iter().any(|(_, known)| known == name) {
            return;
        }
        if let ResolveResult::Bound(namespace) = names.resolve_prefix(prefix, true)
            && !self.borrowed.contains_key(name)
        {
            let namespace = namespace.into_inner().to_owned();
            self.borrowed.insert(name.to_owned(), namespace);
        }
    }

    fn standing_alone(&self, text: &str) -> Option<String> {
        let opening = text.get(self.start..self.name_end)?;
        let rest = text.get(self.name_end..self.end)?;
        let declarations: String = self.borrowed.iter().map(declaration).collect();
        Some(format!("{DECLARATION}{opening}{declarations}{rest}"))
    }
}

/// A namespace is kept as it was written, so only the other kind of quote can stand in it.
fn declaration((prefix, namespace): (&String, &String)) -> String {
    let namespace = namespace.replace('"', "&quot;");
    match prefix.as_str() {
        "" => format!(" xmlns=\"{namespace}\""),
        prefix => format!(" xmlns:{prefix}=\"{namespace}\""),
    }
}

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const HEADER: &str = "StandardBusinessDocumentHeader";
