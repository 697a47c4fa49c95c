//! Files that are either whole or not there.

use crate::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// Writes a file under a temporary name, syncs it, and renames it: whoever reads `path` sees the old
/// content or the new, never a part.
pub fn write_atomic(path: &Path, content: &[u8]) -> Result<(), Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = Path::new(&name);
    let written = File::create(temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    if let Err(error) = written {
        let _ = fs::remove_file(temporary); // a full disk: leave no half file behind
        return Err(Error::io("write", path)(error));
    }
    fs::rename(temporary, path).map_err(Error::io("write", path))?;
    if let Some(folder) = path.parent() {
        // The new name itself is durable once the folder is; not every system can sync a folder.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

/// Writes a value as indented JSON, atomically.
pub(crate) fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), Error> {
    let mut text = serde_json::to_string_pretty(value).expect("our own records are valid JSON");
    text.push('\n');
    write_atomic(path, text.as_bytes())
}

/// Reads a whole file as text.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::io("read", path))
}

/// Removes a folder, if it is there.
pub(crate) fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", folder)(error))
        }
        _ => Ok(()),
    }
}
