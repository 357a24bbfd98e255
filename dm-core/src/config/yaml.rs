//! YAML text as a tree in which every key and every scalar knows its line.
//!
//! This is the only file that touches the YAML library. That library tells positions in its errors
//! only, and typed reading stops at the first error, while a user wants all of them with their
//! lines. So a text is read twice. The first pass learns its *shape*: what is a mapping, a list, a
//! scalar. The second walks along that shape and asks for every scalar as text; having taken the
//! text, the visitor fails on purpose, and the error that the library wraps this in names the line
//! and column. The library's reader has stepped over the scalar by then, so reading goes on behind
//! it. Containers never fail, for the library would not step over their end.
//!
//! Typing scalars is left to whoever knows which type a key has, for two reasons: DM's YAML library
//! follows YAML 1.1 (`yes`, `on` are true) and turns `password: 0123` into the text `0123`, which a
//! reader that types scalars first could not give back.

use std::cell::RefCell;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error as _, IgnoredAny, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};

use super::problem::Span;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// Where it begins; a container begins at its key.
    pub at: Span,
    /// What it is.
    pub data: Data,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    /// A scalar's text, and whether it was written without quotes.
    Scalar {
        text: String,
        plain: bool,
    },
    Seq(Vec<Node>),
    Map(Vec<Entry>),
    /// Something with a tag of its own (`!name`), or a key that is no scalar.
    Foreign,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    pub key_at: Span,
    pub value: Node,
}

/// A text that is no YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub at: Option<Span>,
    pub message: String,
}

/// A text's first document, and whether others follow.
pub(super) struct Parsed {
    pub root: Node,
    pub more_documents: bool,
}

const START: Span = Span { line: 1, column: 1 };

/// Reads a text. Merge keys (`<<`) and aliases are resolved.
pub(super) fn parse(text: &str) -> Result<Parsed, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let Some(first) = documents.next() else {
        return Ok(Parsed { root: null(START), more_documents: false });
    };
    let shape = Shape::deserialize(first).map_err(syntax)?;
    let more_documents = documents
        .next()
        .is_some_and(|d| Shape::deserialize(d).is_ok_and(|s| !matches!(s, Shape::Nothing)));
    let Some(again) = serde_yaml::Deserializer::from_str(text).next() else {
        return Ok(Parsed { root: null(START), more_documents });
    };
    let lines = Lines::new(text);
    let slot = RefCell::new(None);
    let fill = Fill { shape: &shape, at: START, lines: &lines, slot: &slot };
    match fill.deserialize(again) {
        Ok(node) => Ok(Parsed { root: node.unwrap_or_else(|| null(START)), more_documents }),
        Err(e) => match slot.take() {
            Some(taken) => Ok(Parsed { root: lines.scalar(taken, &e), more_documents }),
            None => Err(syntax(e)),
        },
    }
}

fn null(at: Span) -> Node {
    Node { at, data: Data::Scalar { text: String::new(), plain: true } }
}

fn syntax(error: serde_yaml::Error) -> SyntaxError {
    let at = error.location().map(|l| Span { line: to_u32(l.line()), column: to_u32(l.column()) });
    SyntaxError { at, message: error.to_string() }
}

fn to_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// What a value is, as the first pass finds it.
enum Shape {
    Scalar,
    /// An empty document.
    Nothing,
    Seq(Vec<Shape>),
    /// For each entry, whether its key is a scalar, and its value.
    Map(Vec<(bool, Shape)>),
    Foreign,
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

macro_rules! scalars {
    ($($method:ident: $type:ty),+ $(,)?) => {
        $(fn $method<E>(self, _: $type) -> Result<Shape, E> { Ok(Shape::Scalar) })+
    };
}

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    scalars!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_i128: i128, visit_u128: u128,
        visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_none<E>(self) -> Result<Shape, E> {
        Ok(Shape::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Shape::Seq(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Shape>()? {
            entries.push((matches!(key, Shape::Scalar), map.next_value()?));
        }
        Ok(Shape::Map(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Shape, A::Error> {
        let (_, variant) = data.variant::<IgnoredAny>()?;
        variant.newtype_variant::<IgnoredAny>()?;
        Ok(Shape::Foreign)
    }
}

/// The second pass over one value. For a scalar it puts the text in `slot` and fails; the caller
/// takes the text and reads the position from the error.
struct Fill<'a> {
    shape: &'a Shape,
    /// Where the value counts as beginning when it is a container.
    at: Span,
    lines: &'a Lines<'a>,
    slot: &'a RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Fill<'_> {
    type Value = Option<Node>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Node>, D::Error> {
        match self.shape {
            Shape::Scalar => deserializer.deserialize_str(Take(self.slot)).map(|()| None),
            Shape::Seq(_) => deserializer.deserialize_seq(self).map(Some),
            Shape::Map(_) => deserializer.deserialize_map(self).map(Some),
            Shape::Nothing | Shape::Foreign => {
                IgnoredAny::deserialize(deserializer)?;
                let data = match self.shape {
                    Shape::Foreign => Data::Foreign,
                    _ => null(self.at).data,
                };
                Ok(Some(Node { at: self.at, data }))
            }
        }
    }
}

impl<'a> Fill<'a> {
    fn inside(&self, shape: &'a Shape, at: Span) -> Fill<'a> {
        Fill { shape, at, lines: self.lines, slot: self.slot }
    }

    /// A scalar's node out of the failure that brought it; any other failure is passed on.
    fn taken<E: fmt::Display>(&self, result: Result<Option<Node>, E>) -> Result<Option<Node>, E> {
        match result {
            Ok(node) => Ok(node),
            Err(e) => match self.slot.take() {
                Some(text) => Ok(Some(self.lines.scalar(text, &e))),
                None => Err(e),
            },
        }
    }
}

impl<'de> Visitor<'de> for Fill<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the same document as before")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let Shape::Seq(shapes) = self.shape else { return Err(A::Error::custom("a new shape")) };
        let mut items = Vec::with_capacity(shapes.len());
        for shape in shapes {
            let item = seq.next_element_seed(self.inside(shape, self.at)).map(Option::flatten);
            let Some(item) = self.taken(item)? else {
                return Err(A::Error::custom("a list changed its length"));
            };
            items.push(Node { at: begin(&item).unwrap_or(item.at), ..item });
        }
        Ok(Node { at: self.at, data: Data::Seq(items) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let Shape::Map(shapes) = self.shape else { return Err(A::Error::custom("a new shape")) };
        let mut entries = Vec::with_capacity(shapes.len());
        let (scalar, foreign) = (Shape::Scalar, Shape::Foreign);
        for (scalar_key, shape) in shapes {
            let shape_of_key = if *scalar_key { &scalar } else { &foreign };
            let key = map.next_key_seed(self.inside(shape_of_key, self.at)).map(Option::flatten);
            let Some(key) = self.taken(key)? else {
                return Err(A::Error::custom("a mapping changed its length"));
            };
            let value = map.next_value_seed(self.inside(shape, key.at));
            let Some(value) = self.taken(value)? else {
                return Err(A::Error::custom("a mapping changed its length"));
            };
            let (key, key_at) = match key.data {
                Data::Scalar { text, .. } => (text, key.at),
                _ => ("?".to_owned(), key.at),
            };
            entries.push(Entry { key, key_at, value });
        }
        Ok(Node { at: self.at, data: Data::Map(merged(entries)) })
    }
}

/// Where the first thing inside a container stands.
fn begin(node: &Node) -> Option<Span> {
    match &node.data {
        Data::Scalar { .. } | Data::Foreign => Some(node.at),
        Data::Seq(items) => begin(items.first()?),
        Data::Map(entries) => Some(entries.first()?.key_at),
    }
}

/// Resolves merge keys: what a mapping has itself goes before what it takes over.
fn merged(entries: Vec<Entry>) -> Vec<Entry> {
    if entries.iter().all(|e| e.key != "<<") {
        return entries;
    }
    let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|e| {
        e.key == "<<" && !matches!(e.value.data, Data::Scalar { .. } | Data::Foreign)
    });
    let mut take = |node: Node| {
        if let Data::Map(entries) = node.data {
            for entry in entries {
                if own.iter().all(|e| e.key != entry.key) {
                    own.push(entry);
                }
            }
        }
    };
    for merge in merges {
        match merge.value.data {
            Data::Seq(items) => items.into_iter().for_each(&mut take),
            _ => take(merge.value),
        }
    }
    own
}

/// Takes a scalar's text, and fails.
struct Take<'a>(&'a RefCell<Option<String>>);

impl Visitor<'_> for Take<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.0.replace(Some(text.to_owned()));
        Err(E::custom("taken"))
    }
}

/// The text by lines, to see how a scalar is written. With each line, whether each character of it is one
/// byte: then a place in a long one need not be counted out.
struct Lines<'a>(Vec<(&'a str, bool)>);

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        // Both YAML's line breaks and the library's count of them.
        let breaks = |c| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
        let push = |lines: &mut Vec<_>, line: &'a str| lines.push((line, line.is_ascii()));
        let mut lines = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(breaks) {
            push(&mut lines, rest.get(..at).unwrap_or(""));
            let after = rest.get(at..).unwrap_or("");
            let width = if after.starts_with("\r\n") {
                2
            } else {
                after.chars().next().map_or(1, char::len_utf8)
            };
            rest = after.get(width..).unwrap_or("");
        }
        push(&mut lines, rest);
        Self(lines)
    }

    /// A scalar's node: its text, its place out of the library's error, and how it is written.
    fn scalar(&self, text: String, error: &impl fmt::Display) -> Node {
        let at = place(&error.to_string());
        Node { at, data: Data::Scalar { text, plain: self.is_plain(at) } }
    }

    /// Whether the scalar that begins here is written without quotes.
    fn is_plain(&self, at: Span) -> bool {
        let (line, ascii) = self.0.get(at.line as usize - 1).copied().unwrap_or(("", true));
        let before = at.column as usize - 1;
        let start = match ascii {
            true => Some(before),
            false => line.char_indices().nth(before).map(|(i, _)| i),
        };
        let mut rest = start.and_then(|i| line.get(i..)).unwrap_or("");
        // An anchor or a tag may stand before the scalar itself.
        while rest.starts_with(['&', '!']) {
            rest = rest.split_once(char::is_whitespace).map_or("", |(_, r)| r.trim_start());
        }
        !rest.starts_with(['"', '\'', '|', '>'])
    }
}

/// The place that the library's error ends with: `... at line 3 column 7`. It leaves out the very
/// first place of a text.
fn place(error: &str) -> Span {
    let read = || {
        let (_, tail) = error.rsplit_once(" at line ")?;
        let (line, column) = tail.split_once(" column ")?;
        let (line, column) = (line.parse().ok()?, column.parse().ok()?);
        (line > 0 && column > 0).then_some(Span { line, column })
    };
    read().unwrap_or(START)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(line: u32, column: u32) -> Span {
        Span { line, column }
    }

    fn map(node: &Node) -> &[Entry] {
        match &node.data {
            Data::Map(entries) => entries,
            other => panic!("no mapping: {other:?}"),
        }
    }

    fn scalar(node: &Node) -> (&str, bool, Span) {
        match &node.data {
            Data::Scalar { text, plain } => (text, *plain, node.at),
            other => panic!("no scalar: {other:?}"),
        }
    }

    #[test]
    fn every_scalar_has_its_text_and_place() {
        let text =
            "a: 0123\n# comment\nb:\n  - 'x'\n  - yes\n  - {c: \"1\", d: ~}\ne:\nf: |\n  long\n";
        let root = parse(text).unwrap().root;
        let entries = map(&root);
        assert_eq!(scalar(&entries[0].value), ("0123", true, span(1, 4)));
        let Data::Seq(items) = &entries[1].value.data else { panic!() };
        assert_eq!(scalar(&items[0]), ("x", false, span(4, 5)));
        assert_eq!(scalar(&items[1]), ("yes", true, span(5, 5)));
        let inner = map(&items[2]);
        assert_eq!(items[2].at, span(6, 6));
        assert_eq!(scalar(&inner[0].value), ("1", false, span(6, 9)));
        assert_eq!(scalar(&inner[1].value).0, "~");
        assert_eq!(entries[2].key_at, span(7, 1));
        assert_eq!(scalar(&entries[2].value).0, "");
        assert_eq!(scalar(&entries[3].value), ("long\n", false, span(8, 4)));
    }

    #[test]
    fn duplicate_keys_are_kept() {
        let root = parse("a: 1\nb: 2\na: 3\n").unwrap().root;
        let keys: Vec<_> = map(&root).iter().map(|e| (e.key.as_str(), e.key_at.line)).collect();
        assert_eq!(keys, [("a", 1), ("b", 2), ("a", 3)]);
    }

    #[test]
    fn aliases_and_merge_keys_are_resolved() {
        let text = "base: &b {x: 1, y: &q \"2\"}\nmore:\n  <<: *b\n  x: 5\nlast: *q\n";
        let root = parse(text).unwrap().root;
        let more = map(&map(&root)[1].value);
        assert_eq!(scalar(&more[0].value).0, "5");
        assert_eq!((more[1].key.as_str(), scalar(&more[1].value).0), ("y", "2"));
        assert_eq!(scalar(&map(&root)[2].value), ("2", false, span(1, 20)));
        assert_eq!(more.len(), 2);
    }

    #[test]
    fn odd_documents() {
        assert_eq!(scalar(&parse("").unwrap().root).0, "");
        assert_eq!(scalar(&parse("# nothing\n").unwrap().root).0, "");
        assert_eq!(scalar(&parse("word").unwrap().root).0, "word");
        assert!(matches!(parse("[]").unwrap().root.data, Data::Seq(_)));
        let parsed = parse("\u{feff}a: 1\r\nb: \"2\"\n...\n").unwrap();
        assert!(!parsed.more_documents);
        assert_eq!(scalar(&map(&parsed.root)[1].value), ("2", false, span(2, 4)));
        assert!(parse("a: 1\n---\nb: 2\n").unwrap().more_documents);
        let root = parse("a: !odd 1\n? [x]\n: 2\n").unwrap().root;
        assert_eq!(map(&root)[0].value.data, Data::Foreign);
        assert_eq!(map(&root)[1].key, "?");
    }

    #[test]
    fn syntax_errors_name_their_line() {
        let error = parse("a: 1\nb: [1, 2\nc: 3\n").err().unwrap();
        assert!(error.at.is_some_and(|s| s.line >= 2), "{error:?}");
        assert!(parse("a: *nowhere\n").is_err());
        assert!(parse("a: &a [*a]\n").is_err(), "an alias inside its own anchor");
        assert!(parse("a:\n\t- b\n").is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a-c:\\- \n\"'\\[\\]{}&*!<|>#~,?%@`0-9é\t]{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn places_point_at_the_text(words in proptest::collection::vec("[a-zé]{1,8}", 1..20)) {
            let text: String = words.iter().enumerate().map(|(i, w)| format!("k{i}: {w}\n")).collect();
            let root = parse(&text).unwrap().root;
            for (i, entry) in map(&root).iter().enumerate() {
                let (word, plain, at) = scalar(&entry.value);
                proptest::prop_assert_eq!(word, &words[i]);
                proptest::prop_assert!(plain);
                let line = text.lines().nth(at.line as usize - 1).unwrap();
                let rest: String = line.chars().skip(at.column as usize - 1).collect();
                proptest::prop_assert_eq!(&rest, &words[i]);
            }
        }
    }
}
