//! Reading a corpus from a file or a folder of UTF-8 text.

use crate::{Corpus, Document, Error};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A text file without blank lines is cut at the first line end after this many bytes.
const PIECE_BYTES: usize = 4096;

impl Corpus {
    /// Reads a text file, or every file of a folder.
    ///
    /// * **A folder**: one document per file, folders inside it included, in the order of their paths.
    ///   Names that begin with a dot are skipped, and so are blank files, links to folders, and whatever
    ///   is not a file. Everything else must be text.
    /// * **A file**: one document between two blank lines (a line of white space is blank). A file without
    ///   blank lines, such as one with a verse a line, is cut at line ends into documents of about 4 KiB,
    ///   so that some of them can be held out; a short one is a single document.
    ///
    /// A byte-order mark is dropped, and `\r\n` and `\r` become `\n`.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Io`]; [`Error::NotUtf8`] and [`Error::Binary`] with the file and the
    /// byte; [`Error::Empty`].
    pub fn read(path: impl AsRef<Path>) -> Result<Corpus, Error> {
        let path = path.as_ref();
        let kind = metadata(path)?;
        let documents = if kind.is_dir() {
            read_folder(path)?
        } else if !kind.is_file() {
            // A pipe would wait for its writer, and could not be read again to resume.
            let source = std::io::Error::other("neither a file nor a folder");
            return Err(io_error(path, "read", source));
        } else {
            let name = path
                .file_name()
                .unwrap_or(path.as_os_str())
                .to_string_lossy();
            split_text(&name, &read_text(path)?)
        };
        Corpus::from_place(documents, &path.display().to_string())
    }
}

/// One document per file below `root`, named by its path below `root`.
fn read_folder(root: &Path) -> Result<Vec<Document>, Error> {
    let mut files = Vec::new();
    list_files(root, &mut files)?;
    files.sort();
    files
        .iter()
        .map(|file| {
            let parts = file.strip_prefix(root).unwrap_or(file).iter();
            let name: Vec<_> = parts.map(|part| part.to_string_lossy()).collect();
            Ok(Document::new(name.join("/"), read_text(file)?))
        })
        .collect()
}

pub(crate) fn list_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let failed = |source| io_error(folder, "read", source);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if entry.file_type().map_err(failed)?.is_dir() {
            list_files(&path, files)?;
        } else if metadata(&path)?.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

/// The documents of one file: `name:line` for each, or just `name` if there is only one.
fn split_text(name: &str, text: &str) -> Vec<Document> {
    let is_blank = |line: &str| line.trim().is_empty();
    let has_blank_lines = text.trim().split('\n').any(is_blank);

    let mut documents = Vec::new();
    let mut open: Option<Document> = None;
    for (i, line) in text.split_inclusive('\n').enumerate() {
        if is_blank(line) {
            documents.extend(open.take());
            continue;
        }
        let document = open.get_or_insert_with(|| Document::new(format!("{name}:{}", i + 1), ""));
        document.text.push_str(line);
        if !has_blank_lines && document.text.len() >= PIECE_BYTES {
            documents.extend(open.take());
        }
    }
    documents.extend(open);
    if let [only] = documents.as_mut_slice() {
        only.name = name.into();
    }
    documents
}

/// The text of a file: checked UTF-8, no byte-order mark, `\n` line ends.
pub(crate) fn read_text(path: &Path) -> Result<String, Error> {
    if !metadata(path)?.is_file() {
        let source = io::Error::other("not a file");
        return Err(io_error(path, "read", source));
    }
    let bytes = fs::read(path).map_err(|source| io_error(path, "read", source))?;
    // UTF-16 and most binary formats hold zero bytes, and the first of them says more than a broken
    // character further on.
    if let Some(byte) = bytes.iter().position(|&b| b == 0) {
        return Err(Error::Binary {
            path: path.into(),
            byte,
        });
    }
    let text = String::from_utf8(bytes).map_err(|error| Error::NotUtf8 {
        path: path.into(),
        byte: error.utf8_error().valid_up_to(),
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

pub(crate) fn metadata(path: &Path) -> Result<fs::Metadata, Error> {
    fs::metadata(path).map_err(|source| io_error(path, "read", source))
}

pub(crate) fn io_error(path: &Path, action: &'static str, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::NotFound if action == "read" => Error::Missing { path: path.into() },
        _ => Error::Io {
            path: path.into(),
            action,
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::{TempDir, tempdir};

    /// A folder with these files.
    fn folder(files: &[(&str, &[u8])]) -> TempDir {
        let folder = tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn read_file(bytes: &[u8]) -> Result<Vec<Document>, Error> {
        let folder = folder(&[("a.txt", bytes)]);
        Ok(Corpus::read(folder.path().join("a.txt"))?
            .documents()
            .to_vec())
    }

    fn documents(expected: &[(&str, &str)]) -> Vec<Document> {
        expected
            .iter()
            .map(|(name, text)| Document::new(*name, *text))
            .collect()
    }

    #[test]
    fn blank_lines_separate_documents() {
        let text = b"\n\nfirst\nstill first\n\n \t\nsecond\n\nthird";
        let expected = [
            ("a.txt:3", "first\nstill first\n"),
            ("a.txt:7", "second\n"),
            ("a.txt:9", "third"),
        ];
        assert_eq!(read_file(text).unwrap(), documents(&expected));
    }

    #[test]
    fn a_short_text_without_blank_lines_is_one_document() {
        assert_eq!(
            read_file(b"one\ntwo\n").unwrap(),
            documents(&[("a.txt", "one\ntwo\n")])
        );
        assert_eq!(
            read_file(b"\n\none\ntwo\n\n").unwrap(),
            documents(&[("a.txt", "one\ntwo\n")])
        );
    }

    #[test]
    fn a_long_text_without_blank_lines_is_cut_at_line_ends() {
        let verse = "0123456 89abcde\n"; // 16 bytes: 256 lines are 4096
        let text = verse.repeat(600);
        let documents = read_file(text.as_bytes()).unwrap();
        let names: Vec<&str> = documents.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["a.txt:1", "a.txt:257", "a.txt:513"]);
        assert_eq!(
            documents.iter().map(|d| d.text.len()).collect::<Vec<_>>(),
            [4096, 4096, 1408]
        );
        assert_eq!(
            documents
                .iter()
                .map(|d| d.text.as_str())
                .collect::<String>(),
            text
        );
        // Blank lines at the beginning and the end separate nothing.
        assert_eq!(
            read_file(format!("\n{text}\n\n").as_bytes()).unwrap().len(),
            3
        );
        // A long text with blank lines is cut at those alone.
        assert_eq!(
            read_file(format!("{text}\n{text}").as_bytes())
                .unwrap()
                .len(),
            2
        );
    }

    #[test]
    fn line_ends_and_byte_order_mark() {
        let text = "\u{feff}one\r\ntwo\r\n\r\nthree\rfour".as_bytes();
        let expected = [("a.txt:1", "one\ntwo\n"), ("a.txt:4", "three\nfour")];
        assert_eq!(read_file(text).unwrap(), documents(&expected));
    }

    #[test]
    fn a_folder_is_one_document_a_file_by_path() {
        let folder = folder(&[
            ("b.txt", b"second\n\nstill second"),
            ("a/z.txt", b"first"),
            ("c/deep/er.md", b"third"),
            ("blank.txt", b" \n"),
            (".hidden", b"\xff"),
            (".git/object", b"\x00"),
        ]);
        let corpus = Corpus::read(folder.path()).unwrap();
        let expected = [
            ("a/z.txt", "first"),
            ("b.txt", "second\n\nstill second"),
            ("c/deep/er.md", "third"),
        ];
        assert_eq!(corpus.documents(), documents(&expected));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_named() {
        // Latin-1 "é" after a two-byte UTF-8 "é" and the byte-order mark: 3 + 2 + 1 bytes.
        let Err(Error::NotUtf8 { path, byte }) = read_file(b"\xef\xbb\xbf\xc3\xa9 \xe9t\xe9")
        else {
            panic!("accepted");
        };
        assert_eq!(
            (byte, path.file_name().unwrap().to_str().unwrap()),
            (6, "a.txt")
        );
        // A character that is cut off at the end of the file.
        assert!(matches!(
            read_file(b"abc\xe2\x82"),
            Err(Error::NotUtf8 { byte: 3, .. })
        ));

        let folder = folder(&[("good.txt", b"text"), ("sub/bad.txt", b"ab\xffcd")]);
        let message = Corpus::read(folder.path()).unwrap_err().to_string();
        assert!(
            message.contains("sub/bad.txt: not UTF-8 at byte 2"),
            "{message}"
        );
        assert!(message.contains("convert the file to UTF-8"), "{message}");
    }

    #[test]
    fn binary_files_are_named() {
        let folder = folder(&[
            ("good.txt", b"text"),
            ("image.png", b"\x89PNG\r\n\x1a\n\x00\x00"),
        ]);
        let message = Corpus::read(folder.path()).unwrap_err().to_string();
        assert!(
            message.contains("image.png: not a text file (zero byte at byte 8"),
            "{message}"
        );
        // UTF-16, which would otherwise be reported as a broken character.
        assert!(matches!(
            read_file(b"\xff\xfea\x00b\x00"),
            Err(Error::Binary { byte: 3, .. })
        ));
    }

    #[test]
    fn missing_and_empty_are_errors() {
        let folder = folder(&[("blank.txt", b"\xef\xbb\xbf \r\n\t\n"), ("none.txt", b"")]);
        for name in ["blank.txt", "none.txt", "."] {
            let path = folder.path().join(name);
            let error = Corpus::read(&path).unwrap_err();
            assert!(
                matches!(&error, Error::Empty { place } if *place == path.display().to_string())
            );
        }
        let nowhere = folder.path().join("nowhere");
        let error = Corpus::read(&nowhere).unwrap_err();
        assert!(matches!(&error, Error::Missing { path } if *path == nowhere));
        assert!(error.to_string().contains("check the path"));
    }

    #[cfg(unix)]
    #[test]
    fn links_to_folders_and_dangling_links() {
        let folder = folder(&[("a.txt", b"text")]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("a.txt"), folder.path().join("b.txt"))
            .unwrap();
        let corpus = Corpus::read(folder.path()).unwrap();
        assert_eq!(
            corpus.documents(),
            documents(&[("a.txt", "text"), ("b.txt", "text")])
        );

        let gone = folder.path().join("gone");
        std::os::unix::fs::symlink("nowhere", &gone).unwrap();
        assert!(
            matches!(Corpus::read(folder.path()), Err(Error::Missing { path }) if path == gone)
        );
    }
}
