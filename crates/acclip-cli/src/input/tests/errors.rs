//! What else is refused, and in which words.

use super::*;

/// Headers that lie about lengths are caught before anything of that length is allocated.
#[test]
fn binary() {
    let npy = |length: &[u8], header: &str| [b"\x93NUMPY", length, header.as_bytes()].concat();
    let header =
        |shape: &str| format!("{{'descr': '<f4', 'fortran_order': True, 'shape': {shape}, }}\n");
    let v1 = |shape: &str| npy(&[1, 0, header(shape).len() as u8, 0], &header(shape));
    let tensors = |length: u64, json: &str| [&length.to_le_bytes(), json.as_bytes()].concat();
    let huge =
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1000000000000],\"data_offsets\":[0,4000000000000]}}";
    let gap = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}12345678";
    let cases = [
        (
            "a.npy",
            npy(&[2, 0, 255, 255, 255, 255], ""),
            "is not a valid NPY file: its header would have 4294967295 bytes, and the file has 12 in all; write it again",
        ),
        (
            "a.npy",
            npy(&[9, 0, 1, 0], "{"),
            "is not a valid NPY file: version 9 is unknown; write it again",
        ),
        (
            "a.npy",
            npy(&[1, 0, 2, 0], "{}"),
            "is not a valid NPY file: its header cannot be read: {}; write it again",
        ),
        (
            "a.npy",
            npy(&[2, 0, 17, 39, 0, 0], &" ".repeat(10_001)),
            "is not a valid NPY file: its header has 10001 bytes; write it again",
        ),
        (
            "a.npy",
            b"hello".to_vec(),
            "is not a valid NPY file: it does not begin as one does; write it again",
        ),
        (
            "a",
            v1("(1000000000000, 3)"),
            "its header promises 12000000000081 bytes, and the file has 81; it has been cut short: copy or save it again",
        ),
        (
            "a",
            v1("(10000000000, 10000000000)"),
            "has the impossible shape [10000000000, 10000000000]",
        ),
        (
            "a.safetensors",
            vec![1, 0],
            "is not a valid safetensors file: it has only 2 bytes; write it again",
        ),
        (
            "a",
            tensors(1 << 31, "{}"),
            "is not a valid safetensors file: its header would have 2147483648 bytes, and the file has 10 in all; write it again",
        ),
        (
            "a",
            tensors(huge.len() as u64, huge),
            "its header promises 4000000000086 bytes, and the file has 86; it has been cut short: copy or save it again",
        ),
        (
            "a",
            tensors(gap.len() as u64 - 8, gap),
            "is not a valid safetensors file: its header: invalid offset for tensor `a`; write it again",
        ),
        (
            "a",
            b"\x93NUM".to_vec(),
            "is not a valid NPY file: it does not begin as one does; write it again",
        ),
        (
            "a",
            tensors(2, "{}1"),
            "its header promises 10 bytes, and the file has 11; something has been added behind it: save it again",
        ),
        (
            "a",
            tensors(1_000, "{}"),
            "is not a valid safetensors file: its header would have 1000 bytes, and the file has 10 in all; write it again",
        ),
        (
            "a",
            b"\x1f\x8b\x08".to_vec(),
            "is compressed with gzip; decompress it first; the formats are CSV text, NPY (numpy.save) and safetensors",
        ),
        (
            "a",
            b"\x80\x04\x95".to_vec(),
            "looks like a Python pickle, which is never loaded; save the array with numpy.save; the formats are CSV text, NPY (numpy.save) and safetensors",
        ),
        (
            "a",
            b"1\x002".to_vec(),
            "holds bytes that are no text; the formats are CSV text, NPY (numpy.save) and safetensors",
        ),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(
            error(name, bytes, &Options::default()),
            format!("{name}: {expected}")
        );
    }
    let column = options(None, Some("x"));
    let expected = "a.npy: is an NPY file, which has no names; leave out --column";
    assert_eq!(error("a.npy", v1("(3,)"), &column), expected);
}

#[test]
fn paths() {
    let folder = tempfile::TempDir::new().unwrap();
    let message = |path: &Path| {
        read(path, &Options::default())
            .unwrap_err()
            .problem
            .to_string()
    };
    let expected = "there is no such file; check the name, and the folder that you are in";
    assert_eq!(message(&folder.path().join("a.csv")), expected);
    let expected = "is a folder; name the CSV, NPY or safetensors file in it";
    assert_eq!(message(folder.path()), expected);
}

/// A file that changes between two passes is noticed: shorter, longer, or as long with other rows.
#[test]
fn changed() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("a.csv");
    for after in [
        "1.5,2\n",
        "1.5,2\n3,4\n5,6\n",
        "1.5,2.00000",
        "1.5,2\n3 x 4",
        "1,2,3\n4,5,6",
    ] {
        std::fs::write(&path, "1.5,2\n3.5,4").unwrap();
        let Sample::Vectors(vectors) = read(&path, &Options::default()).unwrap() else {
            panic!("vectors")
        };
        rows(&vectors).unwrap();
        std::fs::write(&path, after).unwrap();
        let error = rows(&vectors).unwrap_err();
        assert!(matches!(error.problem, Problem::Changed), "{after} {error}");
    }
}

#[test]
fn pipes() {
    let message = |bytes: &[u8]| match read_pipe(bytes, &Options::default()) {
        Ok(sample) => panic!("{sample:?}"),
        Err(problem) => InputError {
            path: "-".into(),
            problem,
        }
        .to_string(),
    };
    assert!(
        matches!(read_pipe(&b"1\n2\n"[..], &Options::default()), Ok(Sample::Norms(norms)) if norms == [1.0, 2.0])
    );
    let only = "; a pipe gives only norms as CSV: save it as a file and name that";
    for (bytes, expected) in [
        (
            &b"1.5 2\n3 4\n"[..],
            "holds gradients, which are read twice",
        ),
        (b"\x93NUMPY\x01", "holds an NPY file"),
        (b"\x02\0\0\0\0\0\0\0{}", "holds a safetensors file"),
    ] {
        assert_eq!(message(bytes), format!("standard input: {expected}{only}"));
    }
    let expected = "standard input: holds no bytes; a sample needs at least one number";
    assert_eq!(message(b""), expected);
}
