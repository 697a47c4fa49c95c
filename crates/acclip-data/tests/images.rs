//! Images from disk to a batch: formats, errors, augmentation, order.
//!
//! Golden files: reference/images/generate.py (Pillow, torchvision). PNG, IDX and CIFAR files are written here.

use acclip_data::{
    Error, Purpose,
    images::{Augment, ImageDataset, ImageOptions, Images, Normalization},
    rng::stream,
};
use flate2::{Compression, write::GzEncoder};
use rand::{Rng, RngExt};
use std::{
    collections::HashSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
};
use tempfile::{TempDir, tempdir};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../reference/images")
        .join(name)
}

fn golden_bytes(name: &str) -> Vec<u8> {
    fs::read(golden(name)).unwrap()
}

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

/// A PNG file of these samples.
fn png(
    height: u32,
    width: u32,
    color: png::ColorType,
    depth: png::BitDepth,
    data: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == png::ColorType::Indexed {
        encoder.set_palette(vec![10, 20, 30, 40, 50, 60, 70, 80, 90]);
    }
    encoder
        .write_header()
        .unwrap()
        .write_image_data(data)
        .unwrap();
    bytes
}

/// An RGB image of one colour.
fn plain(height: u32, width: u32, value: u8) -> Vec<u8> {
    let data = vec![value; (height * width * 3) as usize];
    png(
        height,
        width,
        png::ColorType::Rgb,
        png::BitDepth::Eight,
        &data,
    )
}

fn read(folder: &TempDir) -> Result<ImageDataset, Error> {
    Images::read(folder.path(), &ImageOptions::default())
}

fn read_sized(folder: &TempDir, size: usize) -> Result<ImageDataset, Error> {
    let size = Some(size);
    Images::read(
        folder.path(),
        &ImageOptions {
            size,
            ..Default::default()
        },
    )
}

/// All images as they are stored, side by side.
fn pixels(images: &Images) -> Vec<u8> {
    (0..images.len())
        .flat_map(|i| images.image(i).unwrap().pixels.into_owned())
        .collect()
}

/// Makes the values of a batch the bytes of its images.
fn bytes_as_they_are(channels: usize) -> Normalization {
    Normalization::new(vec![0.0; channels], vec![1.0 / 255.0; channels]).unwrap()
}

/// The image `i` in a batch, back as bytes.
fn output(images: &Images, i: usize, augment: Augment, step: u64) -> Vec<u8> {
    let normalization = bytes_as_they_are(images.channels());
    let batch = images
        .batch(&[i], augment, &normalization, 7, Purpose::AUGMENT, step)
        .unwrap();
    batch
        .pixels
        .iter()
        .map(|&value| value.round() as u8)
        .collect()
}

// ---- folders ----

#[test]
fn a_folder_of_classes_is_sorted_and_counted() {
    let folder = folder(&[
        ("train/cat/b.PNG", &plain(2, 3, 1)),
        ("train/cat/a.png", &plain(2, 3, 2)),
        ("train/ant/deep/z.png", &plain(2, 3, 3)),
        ("train/ant/.hidden.png", b"not read"),
        ("train/ant/notes.txt", b"x"),
        ("train/ant/labels.csv", b"x"),
        ("train/loose.png", b"not read"),
        ("train/.cache/x.png", b"not read"),
        ("val/cat/1.jpeg", &plain(2, 3, 4)), // a PNG by its content
        ("val/ant/1.png", &plain(2, 3, 5)),
        ("other/x.txt", b"x"),
    ]);
    let data = read(&folder).unwrap();
    assert_eq!(data.classes, ["ant", "cat"]);
    assert_eq!(data.train.labels(), [0, 1, 1]);
    assert_eq!(data.test.labels(), [0, 1]);
    assert_eq!(
        (
            data.train.height(),
            data.train.width(),
            data.train.channels()
        ),
        (2, 3, 3)
    );
    assert_eq!(pixels(&data.train), [[3; 18], [2; 18], [1; 18]].concat());
    assert_eq!(pixels(&data.test), [[5; 18], [4; 18]].concat());
    let notes = data.notes.join("\n");
    assert_eq!(data.notes.len(), 3, "{notes}");
    assert!(notes.contains("other: not read"), "{notes}");
    assert!(
        notes.contains("skipped 1 images that lie outside"),
        "{notes}"
    );
    assert!(
        notes.contains("skipped 2 files that do not end in .jpg"),
        "{notes}"
    );
    assert!(notes.contains("labels.csv"), "{notes}");
}

#[test]
fn without_a_test_split_the_seed_holds_images_out() {
    let files: Vec<(String, Vec<u8>)> = (0..40)
        .map(|i| {
            (
                format!("{}/{i:02}.png", ["x", "y"][i % 2]),
                plain(1, 1, i as u8),
            )
        })
        .collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (n.as_str(), &b[..])).collect();
    let direct = folder(&files);
    let below: Vec<(String, &[u8])> = files
        .iter()
        .map(|(n, b)| (format!("train/{n}"), *b))
        .collect();
    let below: Vec<(&str, &[u8])> = below.iter().map(|(n, b)| (n.as_str(), *b)).collect();
    let below = folder(&below);

    let split = |folder: &TempDir, seed, held_out| {
        let options = ImageOptions {
            seed,
            held_out,
            ..Default::default()
        };
        let data = Images::read(folder.path(), &options).unwrap();
        assert_eq!(data.classes, ["x", "y"]);
        assert!(data.notes[0].contains("images held out with seed"));
        let values =
            |images: &Images| -> Vec<u8> { pixels(images).iter().step_by(3).copied().collect() };
        for images in [&data.train, &data.test] {
            assert!(
                images
                    .labels()
                    .iter()
                    .zip(values(images))
                    .all(|(&l, v)| l == u32::from(v % 2))
            );
        }
        (values(&data.train), values(&data.test), data.crc32)
    };
    let (train, test, crc) = split(&direct, 3, 0.25);
    assert_eq!((train.len(), test.len()), (30, 10));
    assert_eq!(train.iter().chain(&test).collect::<HashSet<_>>().len(), 40);
    assert_eq!(split(&direct, 3, 0.25), (train.clone(), test.clone(), crc));
    assert_eq!(split(&below, 3, 0.25), (train, test.clone(), crc));
    assert_ne!(split(&direct, 4, 0.25).1, test);
    assert_ne!(split(&direct, 4, 0.25).2, crc);
    assert_eq!(split(&direct, 0, 0.001).1.len(), 1);
    assert_eq!(split(&direct, 0, 0.999).0.len(), 1);
}

#[test]
fn the_checksum_sees_one_pixel_and_one_label() {
    let crc = |value, name: &str| {
        let files: &[(&str, &[u8])] = &[("a/1.png", &plain(1, 2, 9)), (name, &plain(1, 2, value))];
        let data = read(&folder(files)).unwrap();
        data.crc32
    };
    let base = crc(1, "b/2.png");
    assert_eq!(base, crc(1, "b/2.png"));
    assert_ne!(base, crc(2, "b/2.png"));
    assert_ne!(base, crc(1, "a/2.png"));
}

#[test]
fn every_kind_of_png_becomes_rgb() {
    use png::{BitDepth::*, ColorType::*};
    let cases: [(&str, Vec<u8>, [u8; 6]); 7] = [
        (
            "grey",
            png(1, 2, Grayscale, Eight, &[5, 200]),
            [5, 5, 5, 200, 200, 200],
        ),
        (
            "bits",
            png(1, 2, Grayscale, One, &[0b0100_0000]),
            [0, 0, 0, 255, 255, 255],
        ),
        (
            "grey and alpha",
            png(1, 2, GrayscaleAlpha, Eight, &[5, 0, 7, 9]),
            [5, 5, 5, 7, 7, 7],
        ),
        (
            "palette",
            png(1, 2, Indexed, Eight, &[2, 0]),
            [70, 80, 90, 10, 20, 30],
        ),
        (
            "rgb",
            png(1, 2, Rgb, Eight, &[1, 2, 3, 4, 5, 6]),
            [1, 2, 3, 4, 5, 6],
        ),
        (
            "rgba",
            png(1, 2, Rgba, Eight, &[1, 2, 3, 0, 4, 5, 6, 9]),
            [1, 2, 3, 4, 5, 6],
        ),
        (
            "16 bits",
            png(
                1,
                2,
                Rgb,
                Sixteen,
                &[1, 99, 2, 99, 3, 99, 4, 99, 5, 99, 6, 99],
            ),
            [1, 2, 3, 4, 5, 6],
        ),
    ];
    for (kind, bytes, expected) in cases {
        let files: &[(&str, &[u8])] = &[("train/a/1.png", &bytes), ("test/a/1.png", &bytes)];
        let data = read(&folder(files)).unwrap();
        assert_eq!(pixels(&data.train), expected, "{kind}");
    }
}

/// Largest and mean difference from Pillow (libjpeg-turbo): JPEG does not define pixels to the bit.
#[test]
fn jpeg_pixels_are_those_of_pillow_within_a_few_levels() {
    for (name, largest, mean) in JPEG_DIFFERENCES {
        let files: &[(&str, &[u8])] = &[
            ("train/a/1.jpg", &golden_bytes(&format!("{name}.jpg"))),
            (
                "test/a/1.png",
                &golden_bytes(&format!("{name}.decoded.png")),
            ),
        ];
        let data = read(&folder(files)).unwrap();
        let (got, expected) = (pixels(&data.train), pixels(&data.test));
        let differences = got.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b));
        let total: f64 = differences.clone().map(f64::from).sum();
        let found = (differences.max().unwrap(), total / got.len() as f64);
        println!("{name}: {found:?}");
        assert!(found.0 <= largest && found.1 <= mean, "{name}: {found:?}");
    }
}
/// Full and halved resolution of colour, baseline and progressive, and grey.
const JPEG_DIFFERENCES: [(&str, u8, f64); 4] = [
    ("full", 2, 0.04),
    ("half", 3, 0.4),
    ("progressive", 5, 0.5),
    ("grey", 1, 0.02),
];

#[test]
fn mixed_sizes_need_a_size() {
    let folder = folder(&[
        ("a/1.png", &plain(4, 6, 1)),
        ("a/2.png", &plain(4, 6, 1)),
        ("b/3.png", &plain(5, 6, 1)),
    ]);
    let message = read(&folder).unwrap_err().to_string();
    for part in [
        "1.png is 4 × 6 pixels",
        "3.png is 5 × 6",
        "ask for one with images.size",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let data = read_sized(&folder, 3).unwrap();
    assert_eq!((data.train.height(), data.test.width()), (3, 3));
    assert_eq!(output(&data.train, 0, Augment::None, 0), [1; 27]);
}

#[test]
fn what_is_no_image_folder_is_said() {
    let error = |files: &[(&str, &[u8])]| read(&folder(files)).unwrap_err();
    let text = |files: &[(&str, &[u8])]| error(files).to_string();
    let image = plain(1, 1, 1);

    let nothing = text(&[("notes.txt", b"x"), ("lone.png", &image)]);
    for part in [
        "train-images-idx3-ubyte",
        "data_batch_*.bin",
        "train/",
        ".jpeg",
    ] {
        assert!(nothing.contains(part), "{nothing}");
    }
    assert!(matches!(
        error(&[("train/x.txt", b"x"), ("test/a/x.png", &image)]),
        Error::NotImages { .. }
    ));
    let empty = text(&[
        ("b/x.txt", b"x"),
        ("a/x.png", &image),
        ("c/y.txt", b"y"),
        ("c/z.txt", b"y"),
    ]);
    assert!(
        empty.contains("no .jpg, .jpeg or .png file in b, c,"),
        "{empty}"
    );
    let unknown = text(&[("train/a/x.png", &image), ("test/b/x.png", &image)]);
    assert!(
        unknown.contains("test/b: a class that the training images do not have"),
        "{unknown}"
    );
    assert!(matches!(error(&[("a/x.png", &image)]), Error::OneImage));
    let missing = read(&folder(&[
        ("train/a/x.png", &image),
        ("train/b/x.png", &image),
        ("test/b/x.png", &image),
    ]));
    assert!(missing.unwrap().notes[0].contains("no test images of class a"));

    let folder = folder(&[("a/x.png", &image)]);
    let at = |path: PathBuf| Images::read(path, &ImageOptions::default()).unwrap_err();
    assert!(matches!(
        at(folder.path().join("gone")),
        Error::Missing { .. }
    ));
    assert!(matches!(
        at(folder.path().join("a/x.png")),
        Error::NotImages { .. }
    ));
}

#[test]
fn options_out_of_range_are_errors() {
    let folder = folder(&[("a/1.png", &plain(1, 1, 1)), ("a/2.png", &plain(1, 1, 1))]);
    for size in [0, 16385] {
        let error = read_sized(&folder, size).unwrap_err();
        assert!(matches!(error, Error::Setting { name: "size", .. }));
    }
    for held_out in [0.0, 1.0, -0.1, f64::NAN] {
        let options = ImageOptions {
            held_out,
            ..Default::default()
        };
        let error = Images::read(folder.path(), &options).unwrap_err();
        assert!(matches!(
            error,
            Error::Setting {
                name: "held_out",
                ..
            }
        ));
    }
}

/// More on damage in `src/images/decode.rs`.
#[test]
fn a_damaged_image_is_an_error_that_names_it() {
    for (name, bytes) in [
        ("a/damaged.jpg", golden_bytes("half.jpg")),
        ("a/damaged.png", golden_bytes("source.png")),
    ] {
        for len in [0, 1, 30, bytes.len() / 2, bytes.len() - 1] {
            let files: &[(&str, &[u8])] =
                &[("b/sound.png", &plain(2, 2, 1)), (name, &bytes[..len])];
            let folder = folder(files);
            match read_sized(&folder, 4) {
                Err(Error::BadImage { path, .. }) => assert_eq!(path, folder.path().join(name)),
                other => panic!("{name} cut at {len}: {other:?}"),
            }
        }
    }
}

/// A header may promise anything: no memory is taken for it.
#[test]
fn a_huge_header_is_an_error() {
    let mut bytes = plain(1, 1, 1);
    bytes[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]); // 65536 × 65536
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    let message = read(&folder(&[("a/1.png", &bytes)]))
        .unwrap_err()
        .to_string();
    assert!(message.contains("65536 × 65536 pixels"), "{message}");
    let line = folder(&[
        ("a/1.png", &plain(1, 129, 1)),
        ("a/2.png", &plain(1, 128, 1)),
    ]);
    let message = read_sized(&line, 9).unwrap_err().to_string();
    assert!(
        message.contains("1.png: ") && message.contains("1 × 129 pixels"),
        "{message}"
    );
}

#[test]
fn a_large_folder_stays_on_disk_and_gives_the_same_batches() {
    let names = ["wide.png", "tall.png", "half.jpg", "full.jpg"];
    let files: Vec<(String, Vec<u8>)> = names
        .iter()
        .flat_map(|name| {
            ["train", "test"].map(|split| (format!("{split}/a/{name}"), golden_bytes(name)))
        })
        .collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (n.as_str(), &b[..])).collect();
    let folder = folder(&files);
    let sides = [(37, 64), (50, 21), (33, 29), (20, 17)];
    let bytes: u64 = 2 * sides.iter().map(|(h, w)| h * w * 3).sum::<u64>();

    let with = |memory| {
        let options = ImageOptions {
            size: Some(24),
            memory,
            ..Default::default()
        };
        Images::read(folder.path(), &options).unwrap()
    };
    let (memory, disk) = (with(bytes), with(bytes - 1));
    // One whose header alone is whole.
    let broken = folder.path().join("train/a/wide.png");
    let whole = fs::read(&broken).unwrap();
    fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
    let checked = |check| {
        let options = ImageOptions {
            size: Some(24),
            memory: 0,
            check,
            ..Default::default()
        };
        Images::read(folder.path(), &options).map(drop)
    };
    let message = checked(true).unwrap_err().to_string();
    assert!(message.contains("wide.png"), "{message}");
    checked(false).unwrap();
    fs::write(&broken, whole).unwrap();
    assert!(memory.train.in_memory() && memory.notes.is_empty());
    assert!(!disk.train.in_memory() && !disk.test.in_memory());
    assert!(disk.notes[0].contains("stay on disk"));
    assert_ne!(disk.crc32, memory.crc32);
    assert_eq!(pixels(&memory.test), pixels(&disk.test));
    assert_eq!(
        Normalization::of(&memory.train).unwrap(),
        Normalization::of(&disk.train).unwrap()
    );
    for augment in [
        Augment::None,
        Augment::Center,
        Augment::Cifar,
        Augment::ImageNet,
    ] {
        for i in 0..4 {
            let out = output(&memory.train, i, augment, 3);
            assert_eq!(out, output(&disk.train, i, augment, 3), "{augment:?}");
        }
    }

    // A file that changes later is an error that names it, when its batch is made.
    let path = folder.path().join("train/a/full.jpg");
    fs::write(&path, b"gone bad").unwrap();
    let batch = |i| {
        let normalization = Normalization::imagenet();
        disk.train
            .batch(&[i], Augment::Cifar, &normalization, 0, Purpose::AUGMENT, 0)
    };
    assert!(matches!(batch(0), Err(Error::BadImage { path: named, .. }) if named == path));
    fs::remove_file(&path).unwrap();
    assert!(matches!(batch(0), Err(Error::Missing { path: named }) if named == path));
    assert!(batch(1).is_ok());
}

// ---- CIFAR ----

/// A record whose pixel (y, x) is (value + y, 100 + x, 200): planes, as in the files.
fn record(labels: &[u8], value: u8) -> Vec<u8> {
    let mut bytes = labels.to_vec();
    bytes.extend((0..1024).map(|i| value + (i / 32) as u8));
    bytes.extend((0..1024).map(|i| 100 + (i % 32) as u8));
    bytes.extend([200; 1024]);
    bytes
}

fn unpacked(value: u8) -> Vec<u8> {
    (0..1024)
        .flat_map(|i| [value + (i / 32) as u8, 100 + (i % 32) as u8, 200])
        .collect()
}

#[test]
fn cifar_10_is_read() {
    let names = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";
    let folder = folder(&[
        ("data_batch_2.bin", &record(&[4], 30)),
        (
            "data_batch_1.bin",
            &[record(&[9], 10), record(&[0], 20)].concat(),
        ),
        ("test_batch.bin", &record(&[7], 40)),
        ("batches.meta.txt", names.as_bytes()),
    ]);
    let data = read(&folder).unwrap();
    assert_eq!(data.train.labels(), [9, 0, 4]);
    assert_eq!(
        pixels(&data.train),
        [unpacked(10), unpacked(20), unpacked(30)].concat()
    );
    assert_eq!(
        (data.test.labels(), pixels(&data.test)),
        (&[7][..], unpacked(40))
    );
    assert_eq!(
        (data.classes.len(), data.classes[9].as_str()),
        (10, "truck")
    );
    assert!(data.notes[0].contains("2 of CIFAR-10's 5 training files"));

    fs::remove_file(folder.path().join("test_batch.bin")).unwrap();
    fs::remove_file(folder.path().join("batches.meta.txt")).unwrap();
    let data = read(&folder).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (2, 1));
    assert_eq!(data.classes[9], "9");
}

#[test]
fn cifar_100_takes_the_fine_label() {
    let folder = folder(&[
        (
            "train.bin",
            &[record(&[3, 99], 1), record(&[19, 0], 2)].concat(),
        ),
        ("test.bin", &record(&[200, 50], 3)),
    ]);
    let data = read(&folder).unwrap();
    assert_eq!(
        (data.train.labels(), data.test.labels()),
        (&[99, 0][..], &[50][..])
    );
    assert_eq!(pixels(&data.train), [unpacked(1), unpacked(2)].concat());
    assert_eq!((data.classes.len(), data.notes.len()), (100, 0));
}

#[test]
fn malformed_cifar_is_an_error_with_its_place() {
    let sound = record(&[1], 1);
    let error = |files: &[(&str, &[u8])]| read(&folder(files)).unwrap_err().to_string();
    for len in [0, 1, 3072, 3074, 6145] {
        let bytes = [&sound[..], &sound].concat();
        let message = error(&[("data_batch_1.bin", &bytes[..len])]);
        let begins = format!("begins at byte {}", len / 3073 * 3073);
        assert!(
            message.contains("data_batch_1.bin: ") && message.contains(&begins),
            "{message}"
        );
    }
    let bad = [record(&[1], 1), record(&[10], 1)].concat();
    let message = error(&[("data_batch_1.bin", &sound), ("data_batch_2.bin", &bad)]);
    assert!(
        message.contains("data_batch_2.bin: label 10 at byte 3073 (image 1"),
        "{message}"
    );
    let bad = [record(&[1, 99], 1), record(&[0, 100], 1)].concat();
    let message = error(&[("train.bin", &bad)]);
    assert!(message.contains("label 100 at byte 3075"), "{message}");
    let message = error(&[
        ("data_batch_1.bin", &sound),
        ("batches.meta.txt", b"one\ntwo\n"),
    ]);
    assert!(message.contains("batches.meta.txt: 2 names"), "{message}");
}

// ---- IDX ----

fn idx(sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, sizes.len() as u8];
    file.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    file.extend(bytes);
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn idx_files_are_read_plain_and_packed() {
    let images = idx(&[3, 2, 4], &(0..24).collect::<Vec<u8>>());
    let labels = idx(&[3], &[2, 0, 7]);
    let test = (idx(&[1, 2, 4], &[9; 8]), idx(&[1], &[8]));
    let folder = folder(&[
        ("train-images-idx3-ubyte.gz", &gzip(&images)),
        ("train-labels.idx1-ubyte", &labels),
        ("t10k-images-idx3-ubyte", &test.0),
        ("t10k-labels-idx1-ubyte.gz", &gzip(&test.1)),
    ]);
    let data = read(&folder).unwrap();
    assert_eq!(
        (data.train.labels(), data.test.labels()),
        (&[2, 0, 7][..], &[8][..])
    );
    assert_eq!(
        (
            data.train.height(),
            data.train.width(),
            data.train.channels()
        ),
        (2, 4, 1)
    );
    assert_eq!(pixels(&data.train), (0..24).collect::<Vec<u8>>());
    assert_eq!(data.classes.len(), 9);
    assert_eq!(read_sized(&folder, 5).unwrap().train.height(), 5);

    fs::remove_file(folder.path().join("t10k-images-idx3-ubyte")).unwrap();
    assert_eq!(read(&folder).unwrap().test.len(), 1);
}

#[test]
fn malformed_idx_is_an_error_with_its_place() {
    let images = idx(&[2, 2, 2], &[1; 8]);
    let labels = idx(&[2], &[0, 1]);
    let error = |images: &[u8], labels: &[u8]| {
        let files: &[(&str, &[u8])] = &[
            ("train-images-idx3-ubyte", images),
            ("train-labels-idx1-ubyte", labels),
        ];
        read(&folder(files)).unwrap_err().to_string()
    };
    for len in 0..images.len() {
        let message = error(&images[..len], &labels);
        let part = if len < 16 {
            "begins with"
        } else {
            "promise an end at byte 24"
        };
        assert!(
            message.contains("train-images") && message.contains(part),
            "{len}: {message}"
        );
    }
    for len in 0..labels.len() {
        let message = error(&images, &labels[..len]);
        assert!(message.contains("train-labels"), "{len}: {message}");
    }
    let longer = [&images[..], &[0]].concat();
    assert!(error(&longer, &labels).contains("promise an end at byte 24, and the file goes on"));
    assert!(error(&labels, &labels).contains("begins with [00, 00, 08, 01]"));
    for (sizes, bytes) in [([2, 0, 2], 0), ([0, 2, 2], 0), ([1, 129, 1], 129)] {
        assert!(
            error(&idx(&sizes, &vec![0; bytes]), &labels)
                .contains("there must be at least 1 image")
        );
    }
    let huge = idx(&[u32::MAX, u32::MAX, u32::MAX], &[1; 8]);
    assert!(error(&huge, &labels).contains("there must be at least 1 image"));
    let huge = idx(&[u32::MAX, 16384, 16384], &[1; 8]);
    assert!(error(&huge, &labels).contains("ends at byte 24"));
    assert!(error(&images, &idx(&[3], &[0, 1, 2])).contains("3 labels for the 2 images"));

    let missing = read(&folder(&[("train-images-idx3-ubyte", &images)])).unwrap_err();
    assert!(
        matches!(missing, Error::Missing { path } if path.ends_with("train-labels-idx1-ubyte"))
    );
    let files: &[(&str, &[u8])] = &[
        ("train-images-idx3-ubyte", &images),
        ("train-labels-idx1-ubyte", &labels),
        ("t10k-images-idx3-ubyte", &idx(&[1, 3, 2], &[0; 6])),
        ("t10k-labels-idx1-ubyte", &idx(&[1], &[0])),
    ];
    let message = read(&folder(files)).unwrap_err().to_string();
    assert!(
        message.contains("3 × 2 pixels, training images of 2 × 2"),
        "{message}"
    );
}

#[test]
fn damaged_gzip_is_an_error() {
    let images = idx(
        &[40, 3, 5],
        &(0..600u32).map(|i| (i * i % 251) as u8).collect::<Vec<_>>(),
    );
    let labels = idx(&[40], &[1; 40]);
    let packed = gzip(&images);
    let error = |bytes: &[u8]| {
        let files: &[(&str, &[u8])] = &[
            ("train-images-idx3-ubyte.gz", bytes),
            ("train-labels-idx1-ubyte", &labels),
        ];
        read(&folder(files)).map(drop)
    };
    error(&packed).unwrap();
    for len in 0..packed.len() {
        let message = error(&packed[..len]).unwrap_err().to_string();
        assert!(
            message.contains("train-images-idx3-ubyte.gz: "),
            "{len}: {message}"
        );
        assert!(message.contains("get the file again"), "{len}: {message}");
    }
    let mut wrong = packed.clone();
    let crc = packed.len() - 8;
    wrong[crc] ^= 1;
    assert!(
        error(&wrong)
            .unwrap_err()
            .to_string()
            .contains("cannot be unpacked")
    );
}

// ---- images in memory, normalisation ----

#[test]
fn own_images_are_checked() {
    assert!(Images::new(vec![0; 24], vec![0, 1], 2, 2, 3).is_ok());
    for (bytes, labels, height) in [(23, 2, 2), (25, 2, 2), (24, 1, 2), (0, 0, 2), (0, 2, 0)] {
        let error = Images::new(vec![0; bytes], vec![0; labels], height, 2, 3).unwrap_err();
        assert!(matches!(error, Error::Setting { name: "pixels", .. }));
    }
    assert!(Images::new(vec![], vec![0], usize::MAX, usize::MAX, 3).is_err());
}

/// Against two passes in f64.
#[test]
fn mean_and_deviation_are_those_of_the_pixels() {
    let bytes: Vec<u8> = (0..7 * 20u32).map(|i| (i * i * 7 % 255) as u8).collect();
    let mut pixels: Vec<u8> = bytes
        .chunks(2)
        .flat_map(|pair| [pair[0], pair[1], 60])
        .collect();
    pixels.truncate(7 * 10 * 3);
    let images = Images::new(pixels.clone(), vec![0; 7], 2, 5, 3).unwrap();
    let normalization = Normalization::of(&images).unwrap();
    for channel in 0..2 {
        let values: Vec<f64> = pixels[channel..]
            .iter()
            .step_by(3)
            .map(|&p| f64::from(p) / 255.0)
            .collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        assert!((normalization.mean()[channel] - mean).abs() < 1e-14);
        assert!((normalization.std()[channel] - variance.sqrt()).abs() < 1e-14);
    }
    assert_eq!(
        (normalization.mean()[2], normalization.std()[2]),
        (60.0 / 255.0, 1.0)
    );

    let batch = images
        .batch(
            &[0, 1, 2, 3, 4, 5, 6],
            Augment::None,
            &normalization,
            0,
            Purpose::AUGMENT,
            0,
        )
        .unwrap();
    for channel in 0..3 {
        let values: Vec<f64> = batch.pixels[channel..]
            .iter()
            .step_by(3)
            .map(|&v| f64::from(v))
            .collect();
        let mean = values.iter().sum::<f64>() / 70.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 70.0;
        let expected = if channel == 2 { 0.0 } else { 1.0 };
        assert!(
            mean.abs() < 1e-6 && (variance - expected).abs() < 1e-6,
            "{mean} {variance}"
        );
    }
}

#[test]
fn normalizations_are_checked() {
    for (mean, std) in [
        (vec![0.5], vec![0.0]),
        (vec![0.5], vec![-1.0]),
        (vec![0.5], vec![f64::NAN]),
        (vec![0.5], vec![f64::INFINITY]),
        (vec![f64::NAN], vec![1.0]),
        (vec![0.5, 0.5], vec![1.0]),
    ] {
        assert!(matches!(
            Normalization::new(mean, std),
            Err(Error::Setting { .. })
        ));
    }
    let grey = Images::new(vec![0; 4], vec![0], 2, 2, 1).unwrap();
    let colour = Normalization::imagenet();
    let error = grey
        .batch(&[0], Augment::None, &colour, 0, Purpose::AUGMENT, 0)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("normalization is for 3 channels"),
        "{error}"
    );
}

// ---- augmentation ----

/// Noise, so that no two crops or flips of an image are alike.
fn noise(n: usize, height: usize, width: usize, channels: usize) -> Images {
    let mut pixels = vec![0; n * height * width * channels];
    stream(1, Purpose::SPLIT, 0, 0).fill_bytes(&mut pixels);
    Images::new(pixels, (0..n as u32).collect(), height, width, channels).unwrap()
}

#[test]
fn an_image_does_not_depend_on_its_batch() {
    let images = noise(12, 9, 11, 3);
    let normalization = Normalization::imagenet();
    for augment in [
        Augment::None,
        Augment::Center,
        Augment::Cifar,
        Augment::ImageNet,
    ] {
        let batch = |indices: &[usize], seed, purpose, step| {
            let batch = images
                .batch(indices, augment, &normalization, seed, purpose, step)
                .unwrap();
            assert_eq!((batch.height, batch.width, batch.channels), (9, 11, 3));
            assert!(
                batch
                    .labels
                    .iter()
                    .zip(indices)
                    .all(|(&label, &i)| label as usize == i)
            );
            batch.pixels
        };
        let all: Vec<usize> = (0..12).collect();
        let together = batch(&all, 1, Purpose::AUGMENT, 2);
        let order = [7, 0, 11, 3, 3];
        for (pixels, i) in batch(&order, 1, Purpose::AUGMENT, 2).chunks(297).zip(order) {
            assert_eq!(pixels, &together[i * 297..][..297]);
        }
        let random = matches!(augment, Augment::Cifar | Augment::ImageNet);
        for other in [
            batch(&all, 2, Purpose::AUGMENT, 2),
            batch(&all, 1, Purpose::NOISE, 2),
            batch(&all, 1, Purpose::AUGMENT, 3),
        ] {
            assert_eq!(other != together, random, "{augment:?}");
        }
    }
    let nothing = images
        .batch(&[], Augment::Cifar, &normalization, 1, Purpose::AUGMENT, 0)
        .unwrap();
    assert!(nothing.pixels.is_empty() && nothing.labels.is_empty());
}

/// Pads, cuts and mirrors one after the other, with arrays in between.
#[test]
fn cifar_is_pad_crop_flip() {
    let (height, width, channels) = (6, 8, 3);
    let images = noise(50, height, width, channels);
    for i in 0..50 {
        let stored = images.image(i).unwrap();
        let (padded_height, padded_width) = (height + 8, width + 8);
        let mut padded = vec![[0u8; 3]; padded_height * padded_width];
        for y in 0..height {
            for x in 0..width {
                let pixel = &stored.pixels[(y * width + x) * channels..][..channels];
                padded[(y + 4) * padded_width + x + 4].copy_from_slice(pixel);
            }
        }
        let rng = &mut stream(7, Purpose::AUGMENT, 5, i as u64);
        let top: usize = rng.random_range(0..9);
        let left: usize = rng.random_range(0..9);
        let flip: bool = rng.random();
        let mut expected = Vec::new();
        for row in padded.chunks(padded_width).skip(top).take(height) {
            let mut row = row[left..left + width].to_vec();
            if flip {
                row.reverse();
            }
            expected.extend(row.concat());
        }
        assert_eq!(output(&images, i, Augment::Cifar, 5), expected);
    }
}

/// The image's own pixels say where it was cut: red is 100 + y, green 100 + x.
#[test]
fn cifar_shifts_and_flips_are_uniform() {
    let pixels: Vec<u8> = (0..32)
        .flat_map(|y| (0..32).flat_map(move |x| [100 + y, 100 + x, 255]))
        .collect();
    let images = Images::new(pixels, vec![0], 32, 32, 3).unwrap();
    let mut counts = [[[0u32; 2]; 9]; 9];
    let steps = 16_200;
    for step in 0..steps {
        let out = output(&images, 0, Augment::Cifar, step);
        // The middle always shows the image.
        let at = |y: usize, x: usize| [0, 1].map(|c| usize::from(out[(y * 32 + x) * 3 + c]));
        let (middle, right) = (at(16, 16), at(16, 17));
        let flip = right[1] < middle[1];
        let x = if flip { 15 } else { 16 };
        counts[middle[0] + 4 - 116][middle[1] + 4 - 100 - x][flip as usize] += 1;
    }
    // 162 cells of 100 on average: χ² with 161 degrees of freedom, mean 161, deviation 17.9.
    let chi: f64 = counts
        .iter()
        .flatten()
        .flatten()
        .map(|&c| (f64::from(c) - 100.0).powi(2) / 100.0)
        .sum();
    assert!((90.0..250.0).contains(&chi), "χ² = {chi}");
}

/// An image of another size is first brought to the output's size, and the padding goes around that.
#[test]
fn cifar_pads_the_output_not_what_was_cut_off() {
    let files: &[(&str, &[u8])] = &[
        ("a/1.png", &plain(16, 60, 50)),
        ("a/2.png", &plain(16, 60, 50)),
    ];
    let data = read_sized(&folder(files), 16).unwrap();
    let (mut shifted, mut whole) = (0, 0);
    for step in 0..300 {
        let out = output(&data.train, 0, Augment::Cifar, step);
        let edge = |x: usize| (0..16).all(|y| out[(y * 16 + x) * 3] == 0);
        match edge(0) || edge(15) {
            true => shifted += 1,
            false => whole += 1,
        }
    }
    // One shift in nine leaves the columns where they are: 33 of 300, deviation 5.4.
    assert!(
        (10..60).contains(&whole) && shifted > 200,
        "{shifted} {whole}"
    );
}

/// `Resize` and `CenterCrop` of torchvision on PNG images, to the bit: reference/images/generate.py.
#[test]
fn evaluation_is_torchvisions_to_the_bit() {
    for name in ["wide", "tall"] {
        for size in [16, 32, 45] {
            for (augment, kind) in [(Augment::None, "fit"), (Augment::Center, "center")] {
                let files: &[(&str, &[u8])] = &[
                    ("train/a/1.png", &golden_bytes(&format!("{name}.png"))),
                    (
                        "test/a/1.png",
                        &golden_bytes(&format!("{name}_{kind}_{size}.png")),
                    ),
                ];
                let data = read_sized(&folder(files), size).unwrap();
                let (got, expected) = (output(&data.train, 0, augment, 0), pixels(&data.test));
                assert!(got == expected, "{name}, {kind}, {size}");
            }
        }
    }
}

/// A random window of an image with a slope stays within the slope, and is mirrored half of the time.
#[test]
fn imagenet_windows_are_pieces_of_the_image() {
    let pixels: Vec<u8> = (0..40)
        .flat_map(|y| (0..60).flat_map(move |x| [4 * x, 6 * y, 9]))
        .collect();
    let images = Images::new(pixels, vec![0], 40, 60, 3).unwrap();
    let (mut flips, mut outputs) = (0, HashSet::new());
    for step in 0..2000 {
        let out = output(&images, 0, Augment::ImageNet, step);
        assert_eq!(out.len(), 40 * 60 * 3);
        let at = |y: usize, x: usize, channel: usize| out[(y * 60 + x) * 3 + channel];
        assert!((0..40).all(|y| at(y, 0, 0) == at(0, 0, 0) && at(y, 30, 2) == 9));
        assert!((1..40).all(|y| at(y, 5, 1) >= at(y - 1, 5, 1)) && at(39, 5, 1) > at(0, 5, 1));
        flips += usize::from(at(0, 0, 0) > at(0, 59, 0));
        outputs.insert(out);
    }
    assert!((900..1100).contains(&flips), "{flips} of 2000"); // deviation 22
    assert!(outputs.len() > 1900, "{} different ones", outputs.len());
}

/// Pinned: another version of the random crates must not silently change the batches of a stored run.
#[test]
fn the_draws_are_pinned() {
    let images = noise(1, 32, 32, 3);
    let crc = |augment| {
        let mut crc = flate2::Crc::new();
        for step in 0..20 {
            crc.update(&output(&images, 0, augment, step));
        }
        crc.sum()
    };
    assert_eq!([Augment::Cifar, Augment::ImageNet].map(crc), PINNED);
}
const PINNED: [u32; 2] = [108_772_927, 49_071_036];

#[test]
fn evaluation_goes_with_training() {
    assert_eq!(Augment::ImageNet.evaluation(), Augment::Center);
    assert_eq!(Augment::Cifar.evaluation(), Augment::None);
    for (augment, name) in [
        (Augment::None, "none"),
        (Augment::Center, "center"),
        (Augment::Cifar, "cifar"),
        (Augment::ImageNet, "imagenet"),
    ] {
        assert_eq!(serde_json::to_value(augment).unwrap(), name);
    }
}
