//! Does a document that is four times as long take much more than four times as long to read?
//!
//! The time is that of this thread alone, as the kernel counts it, and only its growth is judged: work that
//! grows with the square would take sixteen times as long.

use sluis::ubl;

/// How much longer four times as much may take. What grows as it should takes some four times as long.
const GROWTH_MAX: u64 = 10;

/// What is shorter than this is not measured, in microseconds: it would be noise.
const NOISE_US: u64 = 5_000;

/// How often one is measured that seems to grow: what the machine does beside it may make one slow, but not each time.
const TRIES: usize = 5;

/// What is read so fast that even so many parts are noise has ended at its beginning.
const PARTS_MAX: usize = 256 * 1024;

#[test]
fn no_document_costs_more_than_its_length() {
    let root = "<Invoice xmlns='urn:oasis:names:specification:ubl:schema:xsd:Invoice-2'>";
    let inside = |part: &str, times: usize| format!("{root}{}</Invoice>", part.repeat(times));
    let attachment = "<AdditionalDocumentReference><ID>1</ID><Attachment><EmbeddedDocumentBinaryObject \
                      mimeCode='application/pdf' filename='a'>JV BE\nRi0*</EmbeddedDocumentBinaryObject>\
                      </Attachment></AdditionalDocumentReference>";
    let sbdh = "http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader";
    type Shape<'a> = (&'a str, Box<dyn Fn(usize) -> String + 'a>);
    #[rustfmt::skip]
    let shapes: Vec<Shape<'_>> = vec![
        ("elements",      Box::new(|n| inside("<a/>", n))),
        ("brackets",      Box::new(|n| inside("]] ]", n))),
        ("references",    Box::new(|n| inside("&#65;", n))),
        ("comments",      Box::new(|n| inside("<!---->", n))),
        ("instructions",  Box::new(|n| inside("<?a?>", n))),
        ("CDATA",         Box::new(|n| inside("<![CDATA[]]>", n))),
        ("quotes",        Box::new(|n| format!("{root}<a b=\"{}\"/></Invoice>", "'".repeat(n)))),
        ("attributes",    Box::new(|n| format!("{root}<a{}/></Invoice>", (0..n / 4).map(|nth| format!(" a{nth}=''")).collect::<String>()))),
        ("prefixes",      Box::new(|n| inside("<a xmlns:b='u' b:c=''><b:d/></a>", n / 4))),
        ("openings",      Box::new(|n| "<".repeat(n))),
        ("open tags",     Box::new(|n| format!("{root}{}", "<a".repeat(n)))),
        ("attachments",   Box::new(|n| inside(attachment, n / 16))),
        ("remarks",       Box::new(|n| inside("<ID>1</ID><ID>2</ID>", n / 4))),
        ("long fields",   Box::new(|n| inside(&format!("<ID>{}</ID>", "x".repeat(5000)), n / 256))),
        ("envelope",      Box::new(|n| format!("<s:StandardBusinessDocument xmlns:s='{sbdh}' xmlns:t='u'><t:a>{}</t:a></s:StandardBusinessDocument>", "<t:b t:c='t:d'/>".repeat(n / 4)))),
        ("lines",         Box::new(|n| format!("{root}{}<", "\n".repeat(n)))),
        ("marks",         Box::new(|n| inside("<ID>e\u{301}\u{301}</ID>", n / 4))),
        ("no UTF-8",      Box::new(|n| format!("é{}", "<a/>".repeat(n)))),
        ("a PDF",         Box::new(|n| format!("%PDF-{}", "factur-".repeat(n)))),
    ];
    let mut faults = Vec::new();
    for (name, shape) in shapes {
        let mut n = 4_000;
        // Long enough to be measured, whatever the machine.
        while n < PARTS_MAX && took_us(shape(n).as_bytes()) < NOISE_US {
            n *= 2;
        }
        let (one, four) = (shape(n), shape(4 * n));
        let best = |text: &str| (0..3).map(|_| took_us(text.as_bytes())).min().unwrap();
        let grows = |(short, long): (u64, u64)| long > GROWTH_MAX * short.max(NOISE_US);
        let mut measured = (best(&one), best(&four));
        for _ in 1..TRIES {
            if !grows(measured) {
                break;
            }
            measured = (best(&one), best(&four));
        }
        if grows(measured) {
            let (short, long) = measured;
            faults.push(format!(
                "{name}: {short} µs, and four times as much takes {long} µs"
            ));
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

/// How long this thread works on it, in microseconds.
fn took_us(bytes: &[u8]) -> u64 {
    let before = worked_ns();
    drop(ubl::read(bytes));
    (worked_ns() - before) / 1000
}

/// How long this thread has worked, as the kernel counts it.
fn worked_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}
