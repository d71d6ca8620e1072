//! How does a listing stay readable?

use super::{Error, print};

/// A listing for people: a header, then aligned rows, page by page. A column only grows.
pub(super) struct Table {
    heads: Vec<&'static str>,
    widths: Vec<usize>,
    begun: bool,
}

impl Table {
    /// Begins a listing with these columns.
    pub(super) fn new(heads: &[&'static str]) -> Self {
        Self {
            heads: heads.to_vec(),
            widths: heads.iter().map(|head| width(head)).collect(),
            begun: false,
        }
    }

    /// Prints a page of rows; the header goes before the first.
    pub(super) fn page(&mut self, rows: &[Vec<String>]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        print::raw(&self.render(rows))
    }

    fn render(&mut self, rows: &[Vec<String>]) -> String {
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| cell_of(cell)).collect())
            .collect();
        for row in &rows {
            for (widest, cell) in self.widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell));
            }
        }
        let mut text = String::new();
        if !std::mem::replace(&mut self.begun, true) {
            let heads: Vec<String> = self.heads.iter().map(|head| head.to_uppercase()).collect();
            self.add(&mut text, &heads);
        }
        for row in &rows {
            self.add(&mut text, row);
        }
        text
    }

    fn add(&self, text: &mut String, row: &[String]) {
        let mut line = String::new();
        for (cell, widest) in row.iter().zip(&self.widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', widest - width(cell) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// Prints facts about one thing, a line each.
pub(super) fn facts(facts: &[(&str, String)]) -> Result<(), Error> {
    let widest = facts.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    for (name, value) in facts {
        let pad = " ".repeat(widest - width(name));
        for (at, line) in value.lines().enumerate() {
            let head = if at == 0 { *name } else { "" };
            let pad = if at == 0 { &pad } else { &" ".repeat(widest) };
            print::line(format!("{head}{pad}  {line}").trim_end())?;
        }
    }
    Ok(())
}

/// A cell is one line, and an empty one is seen to be empty.
fn cell_of(text: &str) -> String {
    let text = print::plain(&text.replace('\n', " "));
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn columns_stand_below_each_other_whatever_is_in_them() {
        let mut table = Table::new(&["id", "name", "code"]);

        insta::assert_snapshot!(table.render(&[row(&["1", "Café Zoë", "A"]), row(&["12", "", "B\u{1b}"])]), @r"
        ID  NAME      CODE
        1   Café Zoë  A
        12  -         B�
        ");
    }

    #[test]
    fn a_later_page_has_no_header_and_no_narrower_column() {
        let mut table = Table::new(&["id", "name"]);
        table.render(&[row(&["1000", "a"])]);

        assert_eq!(table.render(&[row(&["1", "b"])]), "1     b\n");
    }
}
