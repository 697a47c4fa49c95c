//! TensorBoard's event file, for scalars.
//!
//! The file is a sequence of records: length (u64), its checksum, data, its checksum, all little-endian, where a
//! checksum is a CRC-32C rotated and offset (TensorFlow's `record_writer`). The data is a protocol buffer `Event`, of
//! which four fields are needed here:
//!
//! ```text
//! Event   { 1: double wall_time, 2: int64 step, 3: string file_version, 5: Summary }
//! Summary { 1: repeated Value },  Value { 1: string tag, 2: float simple_value }
//! ```
//!
//! Written out by hand, since the crates that do it bring a protocol-buffer compiler along for these four fields.

use crate::Error;
use crc::{CRC_32_ISCSI, Crc};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const CASTAGNOLI: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// An event file that grows.
pub(crate) struct EventFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl EventFile {
    /// Makes the event file of a folder, in place of one that is there.
    pub fn create(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let path = folder.join("events.out.tfevents.0.acclip");
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        let mut events = Self {
            path,
            file: BufWriter::new(file),
        };
        let mut version = wall_time();
        bytes_field(3, b"brain.Event:2", &mut version);
        events.record(&version)?;
        Ok(events)
    }

    /// Adds the scalars of a step.
    pub fn write(&mut self, step: u64, scalars: &[(String, f64)]) -> Result<(), Error> {
        let mut summary = Vec::new();
        for (tag, value) in scalars {
            let mut entry = Vec::new();
            bytes_field(1, tag.as_bytes(), &mut entry);
            entry.push(2 << 3 | 5); // 32 bits
            entry.extend((*value as f32).to_le_bytes());
            bytes_field(1, &entry, &mut summary);
        }
        let mut event = wall_time();
        event.push(2 << 3);
        varint(step, &mut event);
        bytes_field(5, &summary, &mut event);
        self.record(&event)
    }

    /// Hands everything to the system.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.file.flush().map_err(Error::io("write", &self.path))
    }

    fn record(&mut self, data: &[u8]) -> Result<(), Error> {
        let length = (data.len() as u64).to_le_bytes();
        let parts: [&[u8]; 4] = [&length, &masked(&length), data, &masked(data)];
        self.file
            .write_all(&parts.concat())
            .map_err(Error::io("write", &self.path))
    }
}

/// The checksum as the format has it.
fn masked(data: &[u8]) -> [u8; 4] {
    let crc = CASTAGNOLI.checksum(data);
    crc.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// The field of the present time, which begins an event.
fn wall_time() -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.map_or(0.0, |now| now.as_secs_f64());
    let mut field = vec![1 << 3 | 1]; // 64 bits
    field.extend(seconds.to_le_bytes());
    field
}

/// A field of bytes with their length.
fn bytes_field(number: u8, bytes: &[u8], to: &mut Vec<u8>) {
    to.push(number << 3 | 2);
    varint(bytes.len() as u64, to);
    to.extend(bytes);
}

fn varint(mut value: u64, to: &mut Vec<u8>) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Step 300 is the varint ac 02; 1.5 is 3fc00000. `reference/train/events.py` has TensorBoard read a whole run's file.
    #[test]
    fn a_record_has_the_bytes_that_tensorboard_reads() {
        let folder = tempfile::tempdir().unwrap();
        let mut events = EventFile::create(folder.path()).unwrap();
        events.write(300, &[("a".into(), 1.5)]).unwrap();
        events.flush().unwrap();
        let file = fs::read(&events.path).unwrap();
        let version = 12 + 9 + 15 + 4;
        let mut event = file[version + 12..file.len() - 4].to_vec();
        event[1..9].fill(0); // the time
        let expected = [
            &[0x09, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &[0x10, 0xac, 0x02],
            &[
                0x2a, 0x0a, 0x0a, 0x08, 0x0a, 0x01, b'a', 0x15, 0, 0, 0xc0, 0x3f,
            ],
        ];
        assert_eq!(event, expected.concat());
        assert_eq!(
            file[version..version + 8],
            (event.len() as u64).to_le_bytes()
        );
    }

    /// The check value of the algorithm (`123456789`), masked by hand.
    #[test]
    fn the_checksum_is_castagnoli_s_masked() {
        assert_eq!(CASTAGNOLI.checksum(b"123456789"), 0xe306_9283);
        // 1110 0011 0000 0110 1 | 001 0010 1000 0011, its halves exchanged.
        let rotated: u32 = 0x2507_c60d;
        let expected = rotated.wrapping_add(0xa282_ead8);
        assert_eq!(masked(b"123456789"), expected.to_le_bytes());
    }
}
