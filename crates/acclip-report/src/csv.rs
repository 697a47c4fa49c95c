//! Tables as comma-separated values.
//!
//! Reference: Y. Shafranovich, RFC 4180, 2005.

use crate::Table;

/// Writes a table as RFC 4180: header first, fields in quotes where they hold a comma, a quote or a line break,
/// quotes doubled, every line ended by CR LF and of equally many fields. The caption is left out.
pub fn to_csv(table: &Table) -> String {
    let columns = table.columns();
    let mut csv = String::new();
    for row in std::iter::once(&table.header).chain(&table.rows) {
        for column in 0..columns {
            if column > 0 {
                csv.push(',');
            }
            let field = row.get(column).map_or("", String::as_str);
            // A lone empty field would be an empty line, which many readers skip.
            if field.contains([',', '"', '\r', '\n']) || (field.is_empty() && columns == 1) {
                csv.push('"');
                csv.push_str(&field.replace('"', "\"\""));
                csv.push('"');
            } else {
                csv.push_str(field);
            }
        }
        csv.push_str("\r\n");
    }
    csv
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|&cell| cell.to_owned()).collect()
    }

    fn table(header: &[&str], rows: &[&[&str]]) -> Table {
        Table {
            header: strings(header),
            rows: rows.iter().map(|row| strings(row)).collect(),
            ..Table::default()
        }
    }

    #[test]
    fn quotes_only_what_needs_it() {
        let table = table(
            &["name", "note"],
            &[&["a,b", "say \"hi\""], &["two\nlines", "plain text"]],
        );
        assert_eq!(
            to_csv(&table),
            "name,note\r\n\"a,b\",\"say \"\"hi\"\"\"\r\n\"two\nlines\",plain text\r\n"
        );
    }

    #[test]
    fn every_line_has_equally_many_fields() {
        let table = table(&["a"], &[&[], &["1", "2", "3"]]);
        assert_eq!(to_csv(&table), "a,,\r\n,,\r\n1,2,3\r\n");
    }

    #[test]
    fn an_empty_cell_of_a_single_column_is_not_an_empty_line() {
        assert_eq!(
            to_csv(&table(&["a"], &[&[""], &["1"]])),
            "a\r\n\"\"\r\n1\r\n"
        );
    }
}
