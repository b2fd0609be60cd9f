use std::path::Path;

use crate::file::Lines;
use crate::refused::Refused;
use crate::{Origin, Problem};

/// More problems than anyone reads: beyond it they are only counted.
const MOST: usize = 100;

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// Nowhere: it is missing, or a default.
    Nowhere,
    /// At this byte of the file.
    File(usize),
    /// In this variable.
    Variable(String),
}

/// Collects problems and warnings, and knows how offsets of the file become lines.
#[derive(Debug)]
pub(crate) struct Findings<'a> {
    file: Option<(&'a Path, Lines<'a>)>,
    problems: Vec<Problem>,
    uncounted: usize,
    warnings: Vec<Problem>,
}

// === impl Findings ===

impl<'a> Findings<'a> {
    /// Collects for a file, or for none.
    pub(crate) fn new(file: Option<(&'a Path, &'a str)>) -> Self {
        let file = file.map(|(path, text)| (path, Lines::new(text)));
        Self { file, problems: Vec::new(), uncounted: 0, warnings: Vec::new() }
    }

    pub(crate) fn problem(&mut self, spot: &Spot, key: &str, refused: Refused) {
        if self.is_full() {
            self.uncounted += 1;
        } else {
            let problem = self.place(spot, key, refused);
            self.problems.push(problem);
        }
    }

    pub(crate) fn warning(&mut self, spot: &Spot, key: &str, refused: Refused) {
        if self.warnings.len() < MOST {
            let warning = self.place(spot, key, refused);
            self.warnings.push(warning);
        }
    }

    /// Takes a warning that was made elsewhere.
    pub(crate) fn warn(&mut self, warning: Problem) {
        self.warnings.push(warning);
    }

    /// Where a value at this spot comes from.
    pub(crate) fn origin(&self, spot: &Spot) -> Origin {
        match spot {
            Spot::Nowhere => Origin::Default,
            Spot::Variable(name) => Origin::Env(name.clone()),
            Spot::File(offset) => {
                let line = self.file.as_ref().map_or(0, |(_, lines)| lines.position(*offset).0);
                Origin::File { line }
            }
        }
    }

    /// Whether further problems are only counted, so that their advice need not be worked out.
    pub(crate) fn is_full(&self) -> bool {
        self.problems.len() >= MOST
    }

    /// Problems and warnings, in the order of the file; what stands nowhere comes last.
    pub(crate) fn into_parts(mut self) -> (Vec<Problem>, Vec<Problem>) {
        let order = |problem: &Problem| (problem.line.is_none(), problem.line, problem.column);
        self.problems.sort_by_key(order);
        self.warnings.sort_by_key(order);
        if self.uncounted > 0 {
            self.problems.push(Problem::general(format!("and {} more problems", self.uncounted), ""));
        }
        (self.problems, self.warnings)
    }

    fn place(&self, spot: &Spot, key: &str, refused: Refused) -> Problem {
        let Refused { message, advice } = refused;
        let mut problem = Problem { key: key.to_owned(), message, advice, ..Problem::default() };
        match (spot, &self.file) {
            (Spot::File(offset), Some((path, lines))) => {
                let (line, column) = lines.position(*offset);
                problem.file = Some((*path).to_owned());
                problem.line = Some(line);
                problem.column = Some(column);
            }
            (Spot::Variable(name), _) => problem.variable = Some(name.clone()),
            (Spot::Nowhere | Spot::File(_), _) => {}
        }
        problem
    }
}
