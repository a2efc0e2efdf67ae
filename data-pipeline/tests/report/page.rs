//! A page as a browser's parser understands it.

use html5ever::tendril::TendrilSink;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

/// What the parser made of a page.
pub(crate) struct Page {
    /// What it had to complain of.
    pub(crate) errors: Vec<String>,
    elements: Vec<(usize, Element)>,
}

/// An element, its attributes, and its text with that of all in it.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(each, _)| each == name).map(|(_, value)| value.as_str())
    }

    /// An attribute that is a percentage; not a number where it is none.
    pub(crate) fn percent(&self, name: &str) -> f64 {
        let value = self.attribute(name).and_then(|value| value.strip_suffix('%'));
        value.map_or(Ok(0.0), str::parse).unwrap_or(f64::NAN)
    }
}

impl Page {
    pub(crate) fn parse(page: &str) -> Self {
        let mut options = ParseOpts::default();
        options.tokenizer.exact_errors = true;
        options.tree_builder.exact_errors = true;
        let dom = parse_document(RcDom::default(), options).one(page);
        let errors = dom.errors.borrow().iter().map(ToString::to_string).collect();
        let mut elements = Vec::new();
        walk(&dom.document, 0, &mut elements);
        Self { errors, elements }
    }

    pub(crate) fn elements(&self) -> impl Iterator<Item = &Element> {
        self.elements.iter().map(|(_, element)| element)
    }

    /// The elements of this name, and those directly in them.
    pub(crate) fn with_children(&self, name: &str) -> Vec<(&Element, Vec<&Element>)> {
        let mut found = Vec::new();
        for (at, (depth, element)) in self.elements.iter().enumerate().filter(|(_, each)| each.1.name == name)
        {
            let inside = self.elements[at + 1..].iter().take_while(|(inner, _)| inner > depth);
            found.push((
                element,
                inside.filter(|(inner, _)| *inner == depth + 1).map(|each| &each.1).collect(),
            ));
        }
        found
    }

    /// The shapes of the chart whose title begins so.
    pub(crate) fn chart(&self, title: &str) -> Option<Vec<Element>> {
        let charts = self.with_children("svg").into_iter().map(|(_, children)| children);
        let chart = charts.into_iter().find(|children| children[0].text.starts_with(title))?;
        Some(chart[1..].iter().map(|element| (*element).clone()).collect())
    }

    /// The tree without its words.
    pub(crate) fn shape(&self) -> Vec<(usize, &str, Vec<&str>)> {
        self.elements
            .iter()
            .map(|(depth, element)| {
                let attributes = element.attributes.iter().map(|(name, _)| name.as_str()).collect();
                (*depth, element.name.as_str(), attributes)
            })
            .collect()
    }

    /// All that can be read.
    pub(crate) fn text(&self) -> String {
        self.elements().find(|each| each.name == "html").map(|html| html.text.clone()).unwrap_or_default()
    }
}

fn walk(node: &Handle, depth: usize, elements: &mut Vec<(usize, Element)>) {
    if let NodeData::Element { name, attrs, .. } = &node.data {
        let attributes =
            attrs.borrow().iter().map(|each| (each.name.local.to_string(), each.value.to_string())).collect();
        elements.push((depth, Element { name: name.local.to_string(), attributes, text: text(node) }));
    }
    node.children.borrow().iter().for_each(|child| walk(child, depth + 1, elements));
}

fn text(node: &Handle) -> String {
    match &node.data {
        NodeData::Text { contents } => contents.borrow().to_string(),
        NodeData::Element { name, .. } if &name.local == "style" => String::new(),
        _ => node.children.borrow().iter().map(text).collect(),
    }
}
