//! Tests of the whole reader: files in, samples or messages out.

mod errors;
mod golden;
mod properties;
mod text_errors;

use super::*;
use tempfile::TempDir;

/// What a file holds, read to its end.
#[derive(Debug, PartialEq)]
enum Content {
    Norms(Vec<f64>),
    Rows(Vec<Vec<f64>>, Vec<(String, usize)>),
}

/// Reads a file, gradients twice; an error as its message, without the folder.
fn content(name: &str, bytes: &[u8], options: &Options) -> Result<Content, String> {
    thread_local!(static FOLDER: TempDir = TempDir::new().unwrap());
    let path = FOLDER.with(|folder| folder.path().join(name));
    let _ = std::fs::remove_file(&path); // faster than to cut what is there
    std::fs::write(&path, bytes).unwrap();
    let folder = format!("{}/", path.parent().unwrap().display());
    let message = |error: InputError| error.to_string().replace(&folder, "");
    match read(&path, options).map_err(message)? {
        Sample::Norms(norms) => Ok(Content::Norms(norms)),
        Sample::Vectors(vectors) => {
            let rows = rows(&vectors).map_err(message)?;
            assert_eq!(rows, self::rows(&vectors).unwrap(), "the second pass");
            let mut end = 0;
            let length = |(name, range): &(String, Range<usize>)| {
                assert_eq!(range.start, end);
                end = range.end;
                (name.clone(), range.len())
            };
            let layers = vectors.layers().iter().map(length).collect();
            assert_eq!((end, rows.len()), (vectors.d(), vectors.n()));
            Ok(Content::Rows(rows, layers))
        }
    }
}

fn rows(vectors: &Vectors) -> Result<Vec<Vec<f64>>, InputError> {
    let mut rows = vectors.rows()?;
    let mut all = Vec::new();
    while let Some(row) = rows.next_row()? {
        assert_eq!(row.len(), vectors.d());
        all.push(row.to_vec());
    }
    assert!(rows.next_row()?.is_none());
    Ok(all)
}

fn options(shape: Option<Shape>, column: Option<&str>) -> Options {
    Options {
        shape,
        column: column.map(str::to_owned),
    }
}

/// The message of a file that must be refused.
fn error(name: &str, bytes: impl AsRef<[u8]>, asked: &Options) -> String {
    match content(name, bytes.as_ref(), asked) {
        Ok(content) => panic!("{name} was read as {content:?}"),
        Err(message) => message,
    }
}
