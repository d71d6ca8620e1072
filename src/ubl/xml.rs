//! Is this well-formed XML within our limits, and what stands where in it?
//!
//! [`walk`] goes through a document once and tells a [`Visitor`] what it meets, by the path of local
//! names below the root: `AccountingSupplierParty/Party/EndpointID`. Prefixes never matter; an element
//! in a namespace that is none of ours has `*` in the path, so nothing takes it for something else.
//!
//! No document type and no entity but the five is ever read, so nothing can expand.

use std::borrow::Cow;

use quick_xml::NsReader;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{NamespaceResolver, ResolveResult};

use crate::ubl::RemarkCode;
use crate::ubl::lexis::{is_declaration, is_name, resolve};
use crate::ubl::limits::{TEXT_BYTES_MAX, XML_DEPTH_MAX, XML_NAMESPACES_MAX};
use crate::ubl::remarks::{Fault, Remarks, shown};
use crate::ubl::tag::Attributes;

/// Hears what a walk meets.
pub(super) trait Visitor {
    /// An element opens; the answer says what becomes of its text.
    fn opened(&mut self, _element: &Opened<'_>) -> Text {
        Text::Gather
    }

    /// Hears a part of the text of an element that asked for [`Text::Stream`].
    fn streamed(&mut self, _part: &str) {}

    /// An element without children closes.
    fn leaf(&mut self, _leaf: &Leaf<'_>) {}

    /// An element closes, and ends at `end`.
    fn closed(&mut self, _path: &str, _end: usize) {}
}

/// What becomes of the text of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// It is gathered, up to [`TEXT_BYTES_MAX`], for [`Visitor::leaf`].
    Gather,
    /// It goes to [`Visitor::streamed`] part by part, however long it is.
    Stream,
}

/// An element that opens.
pub(super) struct Opened<'a> {
    /// Local names from below the root to this element; the root's own path is empty.
    pub(super) path: &'a str,
    pub(super) attributes: &'a Attributes,
    /// The tag as written.
    pub(super) tag: &'a BytesStart<'a>,
    /// The namespaces in scope, with its own.
    pub(super) names: &'a NamespaceResolver,
    /// Where its `<` stands.
    pub(super) start: usize,
}

/// An element without children, at its close.
pub(super) struct Leaf<'a> {
    pub(super) path: &'a str,
    /// Whether it is in a namespace of ours; else it is in none.
    pub(super) in_namespace: bool,
    pub(super) attributes: &'a Attributes,
    /// Its text, cut where it is not `whole`.
    pub(super) text: &'a str,
    pub(super) whole: bool,
}

impl Leaf<'_> {
    /// Returns the text, trimmed and on one line; nothing when it is empty, or too long to be true.
    pub(super) fn value(&self, remarks: &mut Remarks) -> Option<String> {
        if !self.whole {
            let path = shown(self.path);
            let told = format!("`{path}` is longer than {TEXT_BYTES_MAX} bytes; it is left out");
            remarks.add(RemarkCode::Odd, told);
            return None;
        }
        let text = self.text.trim();
        if text.contains(['\n', '\r', '\t']) {
            // As `xs:normalizedString` has it: each break is one space.
            let line = text.replace("\r\n", " ").replace(['\n', '\r', '\t'], " ");
            return Some(line);
        }
        Some(text.to_owned()).filter(|text| !text.is_empty())
    }

    /// Keeps the value in `slot`; where an element stands twice, the first counts.
    pub(super) fn fill(&self, slot: &mut Option<String>, remarks: &mut Remarks) {
        let Some(value) = self.value(remarks) else {
            return;
        };
        match slot {
            None => *slot = Some(value),
            Some(first) if *first == value => {}
            Some(_) => {
                let path = shown(self.path);
                let told = format!("`{path}` stands in it twice; the first is read");
                remarks.add(RemarkCode::Odd, told);
            }
        }
    }
}

/// The namespace and local name of a root element.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Root {
    pub(super) namespace: String,
    pub(super) local: String,
}

/// Returns the root of a document that may yet turn out to be broken.
pub(super) fn root(text: &str) -> Option<Root> {
    let mut reader = NsReader::from_str(text);
    loop {
        match reader.read_resolved_event() {
            Ok((namespace, Event::Start(tag) | Event::Empty(tag))) => {
                let namespace = match namespace {
                    ResolveResult::Bound(namespace) => namespace.into_inner().to_owned(),
                    _ => String::new(),
                };
                let local = tag.local_name().into_inner().to_owned();
                return Some(Root { namespace, local });
            }
            Ok((_, Event::Eof)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

/// Goes through the whole of `text`.
///
/// # Errors
///
/// When it is not well-formed, declares a document type or an entity, or goes past a limit. What
/// `visitor` has heard until then is to be forgotten.
pub(super) fn walk(text: &str, visitor: &mut impl Visitor) -> Result<(), Fault> {
    refuse_control_characters(text)?;
    let mut reader = NsReader::from_str(text);
    let config = reader.config_mut();
    config.expand_empty_elements = true;
    config.check_comments = true;
    reader
        .resolver_mut()
        .set_max_namespace_bindings(XML_NAMESPACES_MAX);
    let mut walk = Walk::new(visitor);
    loop {
        let start = offset(reader.buffer_position());
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) => return Err(broken(&error, offset(reader.error_position()))),
        };
        walk.end = offset(reader.buffer_position());
        if let Event::Eof = event {
            return walk.finish(start);
        }
        walk.step(event, reader.resolver(), start)?;
    }
}

struct Walk<'v, V> {
    visitor: &'v mut V,
    path: String,
    /// The length of `path` before each open element's name was added.
    stems: Vec<usize>,
    attributes: Attributes,
    text: String,
    whole: bool,
    /// Whether the element opened last is still open, so that it is a leaf until now.
    leaf: bool,
    /// Whether that element is in a namespace.
    in_namespace: bool,
    becomes: Text,
    root_seen: bool,
    /// Where the present event ends.
    end: usize,
}

impl<'v, V: Visitor> Walk<'v, V> {
    fn new(visitor: &'v mut V) -> Self {
        Self {
            visitor,
            path: String::new(),
            stems: Vec::new(),
            attributes: Attributes::default(),
            text: String::new(),
            whole: true,
            leaf: false,
            in_namespace: false,
            becomes: Text::Gather,
            root_seen: false,
            end: 0,
        }
    }

    fn step(
        &mut self,
        event: Event<'_>,
        names: &NamespaceResolver,
        start: usize,
    ) -> Result<(), Fault> {
        match event {
            Event::Start(tag) | Event::Empty(tag) => self.open(&tag, names, start),
            Event::End(_) => {
                self.close();
                Ok(())
            }
            Event::Text(text) => self.text(&text.into_inner(), start),
            Event::CData(text) => self.cdata(&text.into_inner(), start),
            Event::GeneralRef(name) => self.reference(&name, start),
            Event::DocType(_) => Err(dtd(
                "it declares a document type, which is never read",
                start,
            )),
            Event::Decl(_) if start > 0 && !self.root_seen => Err(Fault::new(
                RemarkCode::BeforeDeclaration,
                "something stands before the XML declaration, mostly a space or an empty line",
                start,
            )),
            Event::Decl(_) if start > 0 => {
                Err(malformed("an XML declaration stands inside", start))
            }
            Event::Decl(declaration) if !is_declaration(&declaration) => {
                Err(malformed("the XML declaration is odd", start))
            }
            Event::PI(instruction) if !is_name(instruction.target()) => {
                Err(malformed("an instruction has no name", start))
            }
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::Eof => Ok(()),
        }
    }

    fn open(
        &mut self,
        tag: &BytesStart<'_>,
        names: &NamespaceResolver,
        start: usize,
    ) -> Result<(), Fault> {
        if self.stems.is_empty() && self.root_seen {
            return Err(malformed("a second root element begins", start));
        }
        if self.stems.len() >= XML_DEPTH_MAX {
            let told = format!("elements are nested more than {XML_DEPTH_MAX} deep");
            return Err(Fault::new(RemarkCode::TooDeep, told, start));
        }
        self.attributes.read(tag, names, start)?;
        let (segment, in_namespace) = segment(tag, names, start)?;
        self.enter(segment);
        self.in_namespace = in_namespace;
        self.text.clear();
        self.whole = true;
        self.leaf = true;
        self.becomes = self.visitor.opened(&Opened {
            path: &self.path,
            attributes: &self.attributes,
            tag,
            names,
            start,
        });
        Ok(())
    }

    fn enter(&mut self, segment: &str) {
        self.stems.push(self.path.len());
        if self.root_seen {
            if !self.path.is_empty() {
                self.path.push('/');
            }
            self.path.push_str(segment);
        }
        self.root_seen = true;
    }

    /// That the names agree is the reader's own check.
    fn close(&mut self) {
        if self.leaf {
            self.visitor.leaf(&Leaf {
                path: &self.path,
                in_namespace: self.in_namespace,
                attributes: &self.attributes,
                text: &self.text,
                whole: self.whole,
            });
        }
        self.leaf = false;
        self.becomes = Text::Gather;
        self.text.clear();
        self.visitor.closed(&self.path, self.end);
        self.path.truncate(self.stems.pop().unwrap_or(0));
    }

    fn text(&mut self, text: &str, start: usize) -> Result<(), Fault> {
        if self.stems.is_empty() {
            return match text.trim_matches(is_space) {
                "" => Ok(()),
                _ => Err(malformed("text stands outside the root element", start)),
            };
        }
        // Seldom is there even one bracket, and one character is found faster than three.
        let brackets = text.match_indices(']').map(|(at, _)| at);
        if let Some(at) = brackets
            .into_iter()
            .find(|at| text[*at..].starts_with("]]>"))
        {
            return Err(malformed("`]]>` stands in text", start + at));
        }
        self.hear(text);
        Ok(())
    }

    fn cdata(&mut self, text: &str, start: usize) -> Result<(), Fault> {
        if self.stems.is_empty() {
            return Err(malformed("text stands outside the root element", start));
        }
        self.hear(text);
        Ok(())
    }

    fn reference(&mut self, name: &BytesRef<'_>, start: usize) -> Result<(), Fault> {
        if self.stems.is_empty() {
            return Err(malformed(
                "a reference stands outside the root element",
                start,
            ));
        }
        let character = resolve(name, start)?;
        self.hear(character.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    /// Text between or after children is layout, and nobody's.
    fn hear(&mut self, part: &str) {
        if !self.leaf {
            return;
        }
        match self.becomes {
            Text::Stream => self.visitor.streamed(part),
            Text::Gather if self.text.len() + part.len() <= TEXT_BYTES_MAX => {
                self.text.push_str(part);
            }
            Text::Gather => self.whole = false,
        }
    }

    fn finish(&self, at: usize) -> Result<(), Fault> {
        if !self.root_seen {
            return Err(Fault::new(RemarkCode::NotXml, "it has no root element", at));
        }
        if !self.stems.is_empty() {
            return Err(malformed("it ends before every element is closed", at));
        }
        Ok(())
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn refuse_control_characters(text: &str) -> Result<(), Fault> {
    let control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    match text.as_bytes().iter().position(control) {
        Some(at) => Err(malformed("a control character stands in it", at)),
        None => Ok(()),
    }
}

/// Returns the local name, or `*` for an element in a foreign namespace; and whether it is in any.
fn segment<'t>(
    tag: &'t BytesStart<'_>,
    names: &NamespaceResolver,
    start: usize,
) -> Result<(&'t str, bool), Fault> {
    let (namespace, local) = names.resolve_element(tag.name());
    match namespace {
        ResolveResult::Bound(namespace) if !is_ours(namespace.into_inner()) => Ok(("*", true)),
        ResolveResult::Unknown(prefix) => {
            let told = format!("the prefix `{}` is not declared", shown(&prefix));
            Err(malformed(told, start))
        }
        namespace => {
            let in_namespace = matches!(namespace, ResolveResult::Bound(_));
            Ok((local.into_inner(), in_namespace))
        }
    }
}

/// Namespaces in which an element may be one that is read. Exporters mix up those of UBL's versions
/// and parts, and forget them, so a family is enough.
fn is_ours(namespace: &str) -> bool {
    OURS.iter().any(|family| namespace.starts_with(family))
}

const OURS: [&str; 4] = [
    "urn:oasis:names:specification:ubl:",
    "urn:un:unece:uncefact:",
    "urn:ferd:",
    "http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader",
];

fn broken(error: &quick_xml::Error, at: usize) -> Fault {
    use quick_xml::errors::IllFormedError;
    use quick_xml::name::NamespaceError;
    match error {
        quick_xml::Error::Namespace(NamespaceError::TooManyBindings(_)) => {
            let told = format!("more than {XML_NAMESPACES_MAX} namespaces are declared at once");
            Fault::new(RemarkCode::TooManyAttributes, told, at)
        }
        quick_xml::Error::IllFormed(IllFormedError::MismatchedEndTag { expected, found }) => {
            let (expected, found) = (shown(expected), shown(found));
            malformed(
                format!("`</{found}>` stands where `</{expected}>` should"),
                at,
            )
        }
        quick_xml::Error::IllFormed(IllFormedError::UnmatchedEndTag(found)) => {
            malformed(format!("`</{}>` closes nothing", shown(found)), at)
        }
        quick_xml::Error::IllFormed(IllFormedError::UnclosedReference) => {
            malformed("a `&` begins no reference", at)
        }
        _ => malformed(shown(&error.to_string()), at),
    }
}

/// Returns the fault of a text that declares or uses what is never read.
pub(super) fn dtd(what: impl Into<Cow<'static, str>>, at: usize) -> Fault {
    Fault::new(RemarkCode::DtdOrEntity, what.into(), at)
}

/// Returns the fault of a text that is not well-formed at `at`.
pub(super) fn malformed(what: impl Into<Cow<'static, str>>, at: usize) -> Fault {
    Fault::new(RemarkCode::BrokenXml, what.into(), at)
}

/// Offsets in a text that is in memory always fit.
fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}
