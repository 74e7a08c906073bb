//! What a benchmark leaves: Markdown for people on the standard output, JSON for machines in a folder.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::trouble::{Doing, Trouble};

/// Prints a line for people.
pub(crate) fn say(line: &str) -> Result<(), Trouble> {
    writeln!(std::io::stdout(), "{line}").doing("print a line")
}

/// Writes `content` as `<folder>/<name>.json` and says where.
pub(crate) fn keep(folder: &Path, name: &str, content: &impl Serialize) -> Result<(), Trouble> {
    let file = folder.join(format!("{name}.json"));
    std::fs::create_dir_all(folder).doing("make the folder of the results")?;
    let mut text = serde_json::to_string_pretty(content).doing("write the results as JSON")?;
    text.push('\n');
    std::fs::write(&file, text).doing(format!("write {}", file.display()))?;
    say(&format!("\nThe same as JSON: {}", file.display()))
}

/// A table in Markdown, its columns padded so that it also reads as text.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|heading| (*heading).to_owned()).collect()] }
    }

    /// Adds a row; a missing cell is empty.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines of the table.
    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(1);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            for (column, width) in widths.iter().enumerate() {
                // Writing to a String cannot fail.
                let _ = write!(text, "| {:width$} ", row.get(column).map_or("", String::as_str));
            }
            text.push_str("|\n");
            if number == 0 {
                for width in &widths {
                    let _ = write!(text, "| {} ", "-".repeat(*width));
                }
                text.push_str("|\n");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown_with_padded_columns() {
        let mut table = Table::new(&["store", "events/s"]);
        table.row(vec!["SQLite".to_owned(), "40000".to_owned()]);
        table.row(vec!["x".to_owned()]);
        assert_eq!(table.render(), "| store  | events/s |\n| ------ | -------- |\n| SQLite | 40000    |\n| x      |          |\n");
    }

    #[test]
    fn results_are_kept_in_a_folder_that_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        keep(&inner, "append", &serde_json::json!({"x": 1})).unwrap();
        assert_eq!(std::fs::read_to_string(inner.join("append.json")).unwrap(), "{\n  \"x\": 1\n}\n");
    }
}
