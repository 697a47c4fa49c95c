//! Everything that can go wrong, with what was wrong, where, and what to do.

use std::path::PathBuf;

/// An error of this crate. Every message names the place and a remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The corpus or the vocabulary is not there.
    #[error("{}: no such file or folder; check the path", path.display())]
    Missing {
        /// The path as it was given.
        path: PathBuf,
    },

    /// The operating system refused to read or write.
    #[error("{}: cannot {action} it: {source}; check that it exists and its permissions", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// `read` or `write`.
        action: &'static str,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// A text file holds bytes that are not UTF-8.
    #[error("{}: not UTF-8 at byte {byte} (counted from 0); convert the file to UTF-8, or take it out of the corpus", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Offset of the first byte that is not part of a valid character.
        byte: usize,
    },

    /// A file holds a zero byte, which no text does.
    #[error("{}: not a text file (zero byte at byte {byte}, counted from 0); take it out of the corpus, or convert it to UTF-8", path.display())]
    Binary {
        /// The file.
        path: PathBuf,
        /// Offset of the first zero byte.
        byte: usize,
    },

    /// There is no text at all.
    #[error(
        "{place}: no text, only white space or nothing; give a UTF-8 text file, or a folder of them"
    )]
    Empty {
        /// The file, the folder, or a description.
        place: String,
    },

    /// The corpus built into the program could not be unpacked.
    #[error("the embedded corpus is damaged ({detail}); build the program again from a clean copy")]
    Embedded {
        /// What failed.
        detail: String,
    },

    /// Fewer than two documents cannot be split.
    #[error(
        "the corpus is one document, and a held-out split needs two; give a folder of files, or put blank lines between documents"
    )]
    OneDocument,

    /// A setting lies outside its range.
    #[error("{name} is {value}; it must be {range}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// The values that are allowed.
        range: &'static str,
    },

    /// The vocabulary asked for does not even hold the single characters of the corpus.
    #[error(
        "a vocabulary of {asked} tokens is too small: the special tokens and the single characters of this corpus take {least}; ask for at least that many, better several thousand"
    )]
    VocabTooSmall {
        /// The size that was asked for.
        asked: usize,
        /// The smallest size that works.
        least: usize,
    },

    /// A vocabulary file is malformed.
    #[error("{}: {detail}", path.display())]
    Vocab {
        /// The file.
        path: PathBuf,
        /// What is wrong in it, where, and what to do.
        detail: String,
    },

    /// A vocabulary has no entry for a special token.
    #[error("{}: the vocabulary has no {token}; it needs [PAD], [UNK], [CLS], [SEP] and [MASK], as BERT's has", path.display())]
    MissingSpecial {
        /// The file.
        path: PathBuf,
        /// The token that is missing.
        token: &'static str,
    },

    /// The tokenizer library failed.
    #[error("the tokenizer failed: {source}; check the vocabulary, or train one on the corpus")]
    Tokenizer {
        /// What the library said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// No window of the text is long enough to be a sequence.
    #[error(
        "no document has a run of {needed} ordinary tokens, so there is no sequence to train on; give more text, or a vocabulary that fits it"
    )]
    NoSequence {
        /// Ordinary (non-special) tokens that a window must hold.
        needed: usize,
    },

    /// Fewer than two documents have tokens, so no random second segment can be drawn.
    #[error(
        "{documents} of the documents has text, and a pair of segments needs another document to draw from; give a folder of files, or put blank lines between documents"
    )]
    NoOtherDocument {
        /// Documents that are not blank: 0 or 1.
        documents: usize,
    },

    /// A folder has no text for a language model of words.
    #[error(
        "{}: none of {} is there; give a folder with one of them, and with the validation and test files that go with it", folder.display(), looked_for.join(", ")
    )]
    NoWordFiles {
        /// The folder.
        folder: PathBuf,
        /// The names that were looked for.
        looked_for: Vec<&'static str>,
    },

    /// A vocabulary of words holds no word.
    #[error(
        "the vocabulary has no word besides <eos> and <unk>: none of the {distinct} different words occurs {min_count} times; lower min_count, or give more text"
    )]
    NoWords {
        /// Different words in the training text.
        distinct: usize,
        /// How often a word must occur.
        min_count: u64,
    },

    /// A text has fewer words than one segment takes.
    #[error(
        "the text has {words} words, line ends counted, and a batch of {batch_size} takes {needed}; give more text, a smaller batch or a shorter target length"
    )]
    TooFewWords {
        /// Words there are.
        words: usize,
        /// Columns of the batch.
        batch_size: usize,
        /// Words that are needed.
        needed: usize,
    },

    /// There are fewer sequences than a batch holds.
    #[error(
        "{sequences} sequences do not fill one batch of {batch_size}; give more text, a shorter sequence length or a smaller batch"
    )]
    LessThanOneBatch {
        /// Sequences there are.
        sequences: usize,
        /// Sequences in a batch.
        batch_size: usize,
    },

    /// A SQuAD file, or a file of predictions, is malformed.
    #[error("{place}: {detail}")]
    Squad {
        /// The file, and the field, article and question in it.
        place: String,
        /// What is wrong there, and what to do.
        detail: String,
    },

    /// Logits that no answer can be read from.
    #[error("{detail}; give a finite start and end logit for every place of every window")]
    Logits {
        /// What is wrong with them, and where.
        detail: String,
    },

    /// A path is none of the image data sets that can be read.
    #[error(
        "{}: no image data; looked for train-images-idx3-ubyte[.gz] (IDX: MNIST, Fashion-MNIST), for data_batch_*.bin or train.bin (CIFAR-10 and CIFAR-100: the binary version, not the Python one), and for one folder of .jpg, .jpeg and .png files a class, also below train/ and test/ or val/", path.display()
    )]
    NotImages {
        /// The path as it was given.
        path: PathBuf,
    },

    /// Folders that stand for a class hold no image.
    #[error(
        "{}: no .jpg, .jpeg or .png file in {}, and each folder is a class; take the empty ones out, or give the folder above the classes", root.display(), classes.join(", ")
    )]
    EmptyClasses {
        /// The folder of classes.
        root: PathBuf,
        /// The classes without an image, all of them.
        classes: Vec<String>,
    },

    /// Images differ in size, and no common size was asked for.
    #[error(
        "{} is {} × {} pixels and {} is {} × {}, but a batch needs one size; ask for one with images.size", first.display(), first_size.0, first_size.1, second.display(), second_size.0, second_size.1
    )]
    MixedSizes {
        /// The first image.
        first: PathBuf,
        /// Its height and width.
        first_size: (usize, usize),
        /// The first image of another size.
        second: PathBuf,
        /// Its height and width.
        second_size: (usize, usize),
    },

    /// An image file cannot be decoded.
    #[error("{}: not an image that can be read ({detail}); replace it, or take it out", path.display())]
    BadImage {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        detail: String,
    },

    /// A file of images or labels is malformed.
    #[error("{}: {detail}", path.display())]
    ImageFile {
        /// The file.
        path: PathBuf,
        /// What is wrong in it, where, and what to do.
        detail: String,
    },

    /// A single image cannot be split.
    #[error(
        "there is one image and no test split, and a held-out split needs two; give more images"
    )]
    OneImage,
}
