//! The icons that the UI uses, from their SVG files into one module of shapes.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};

/// The icons in use.
const NAMES: [&str; 44] = [
    "activity",
    "arrow-right",
    "ban",
    "book-open",
    "boxes",
    "braces",
    "check",
    "chevron-down",
    "chevron-left",
    "chevron-right",
    "circle-alert",
    "circle-check",
    "circle-help",
    "circle-x",
    "copy",
    "download",
    "external-link",
    "eye",
    "gauge",
    "key-round",
    "list",
    "log-out",
    "menu",
    "message-square",
    "monitor",
    "moon",
    "network",
    "pause",
    "pencil",
    "play",
    "plug",
    "plus",
    "refresh-cw",
    "route",
    "search",
    "send",
    "server",
    "settings",
    "square",
    "sun",
    "trash-2",
    "triangle-alert",
    "users",
    "x",
];

/// `export const icons = {"check":[["path",{"d":"…"}]],…}`: plain data, from which elements are made.
pub(super) fn module(folder: &Path) -> anyhow::Result<String> {
    let mut text = String::from(
        "/** Lucide's icons (ISC, lucide.LICENSE): the shapes inside a 24 × 24 view box. */\nexport const icons = {\n",
    );
    for name in NAMES {
        let path = folder.join(format!("{name}.svg"));
        let svg = fs::read_to_string(&path).with_context(|| format!("there is no icon {name}"))?;
        let shapes = shapes(&svg);
        ensure!(!shapes.is_empty(), "the icon {name} has no shapes");
        writeln!(text, "  {name:?}: [{}],", shapes.join(", "))?;
    }
    text.push_str("};\n");
    Ok(text)
}

/// The elements inside `<svg>`, each as `["tag", {"attribute": "value"}]`.
fn shapes(svg: &str) -> Vec<String> {
    let inside =
        svg.split_once("<svg").and_then(|(_, rest)| rest.split_once('>')).map_or("", |(_, rest)| rest);
    let elements = inside.split('<').skip(1).filter(|element| !element.starts_with('/'));
    elements
        .filter_map(|element| {
            let (tag, rest) = element.split_once(' ')?;
            let attributes: Vec<String> = rest
                .split("\" ")
                .filter_map(|pair| pair.trim().split_once("=\""))
                .map(|(name, value)| format!("{name:?}: {:?}", value.trim_end_matches(['"', '/', ' ', '>'])))
                .collect();
            Some(format!("[{tag:?}, {{ {} }}]", attributes.join(", ")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_read_as_they_stand() {
        let svg = "<svg\n  width=\"24\"\n>\n  <path d=\"M1 2 3\" />\n  <rect x=\"1\" rx=\"2\" />\n</svg>\n";
        assert_eq!(shapes(svg), [r#"["path", { "d": "M1 2 3" }]"#, r#"["rect", { "x": "1", "rx": "2" }]"#]);
    }
}
