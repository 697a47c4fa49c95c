//! What text is refused, in which words, and what is read when it is said to be meant.

use super::*;

#[test]
fn text() {
    let cases: [(&str, &[u8], &str); 30] = [
        (
            "empty",
            b"",
            "holds no bytes; a sample needs at least one number",
        ),
        (
            "blank",
            b"\n # c\n\r\n",
            "holds only blank lines and comments; a sample needs at least one number",
        ),
        (
            "header only",
            b"norm\n",
            "holds a header and no numbers; a sample needs at least one number",
        ),
        (
            "headers only",
            b"g0,g1\n",
            "holds a header and no numbers; a sample needs at least one number",
        ),
        (
            "nan",
            b"norm\n1\n\nNaN\n",
            "line 4, column 1 ('norm'): NaN is not finite; leave such values out, and find out which batch they come from",
        ),
        (
            "inf",
            b"1,2.5\r\n#\r\n3,-inf",
            "line 3, column 2: -inf is not finite; leave such values out, and find out which batch they come from",
        ),
        (
            "too large",
            b"1\n1e999\n",
            "line 2, column 1: 1e999 is not finite; leave such values out, and find out which batch they come from",
        ),
        (
            "negative",
            b"\xef\xbb\xbf# c\n1.5\n-0.5\n",
            "line 3, column 1: -0.5 is negative, and a norm cannot be; if these are gradients of a single parameter and not norms, say --vectors",
        ),
        (
            "ragged",
            b"1.5,2\n\n3,4\n5\n",
            "line 4 has 1 column, line 1 has 2 columns; every line needs as many",
        ),
        (
            "ragged blanks",
            b"1.5 2\n3 4 5\n",
            "line 2 has 3 columns, line 1 has 2 columns; every line needs as many",
        ),
        (
            "decimal commas",
            b"norm\n1,5\n2,5\n",
            "line 2 has 2 columns, line 1 has 1 column; with a decimal comma, write 1.5 for 1,5",
        ),
        (
            "decimal commas, no header",
            b"3,5\n2,5\n",
            "has two columns of whole numbers, which may be norms with decimal commas; write 1.5 for 1,5, or say --vectors if each row is a gradient of two entries",
        ),
        (
            "decimal commas, semicolons",
            b"1,5;2,5\n3,5;1\n",
            "line 1, column 1: '1,5' is not a number; with a decimal comma, write 1.5 for 1,5",
        ),
        (
            "decimal commas, quoted",
            b"norm\n\"1,5\"\n",
            "line 2, column 1 ('norm'): '1,5' is not a number; with a decimal comma, write 1.5 for 1,5",
        ),
        (
            "mixed separators",
            b"1;2\n3;4\n5;6\t7\n",
            "line 3, column 2: '6\u{fffd}7' is not a number; use the same separator in every line",
        ),
        (
            "no number",
            b"1\n2\nthree\n",
            "line 3, column 1: 'three' is not a number; leave out missing values, and choose a column of numbers with --column",
        ),
        (
            "missing in the first line",
            b"NA\n1.5\n",
            "line 1, column 1: 'NA' is not a number; leave out missing values, and choose a column of numbers with --column",
        ),
        (
            "typo in the first line",
            b"1.5x\n1.5\n",
            "line 1, column 1: '1.5x' is not a number; leave out missing values, and choose a column of numbers with --column",
        ),
        (
            "empty field",
            b"1.5,,2\n1,2,3\n",
            "line 1, column 2: '' is not a number; every row needs a number in each column",
        ),
        (
            "trailing separator",
            b"1.5,\n",
            "line 1, column 2: '' is not a number; every row needs a number in each column",
        ),
        (
            "encoding",
            b"1\n2\n\xe9\n",
            "line 3 is not UTF-8 text; save the file as UTF-8",
        ),
        (
            "utf-16",
            b"\xff\xfe1\0\n\0",
            "line 1 is not UTF-8 text; save the file as UTF-8",
        ),
        (
            "open quote",
            b"1\n\"2\n3\"\n",
            "line 2: a quote is opened and not closed on the line; numbers need no quotes",
        ),
        (
            "behind a quote",
            b"\"1\"2,3\n",
            "line 1: something stands between a closing quote and the next separator",
        ),
        (
            "names",
            b"batch,grad_norm,noise_norm\n0,1.5,2.5\n",
            "has the columns 'batch', 'grad_norm', 'noise_norm'; choose the one with the norms with --column NAME, or say --vectors if each row is a gradient",
        ),
        (
            "counted",
            b"1,2.5\n2,3.5\n3,1.5\n",
            "the first of 2 columns only counts the rows; choose the column with the norms with --column (a name, or a number from 1), or say --vectors if each row is a gradient",
        ),
        (
            "pandas",
            b",0\n0,0.25\n1,0.5\n",
            "has the columns '', '0'; choose the one with the norms with --column NAME, or say --vectors if each row is a gradient",
        ),
        (
            "pandas, one column",
            b"0\n0.25\n",
            "line 1: '0' may be a norm, or the header that pandas writes; write header=False, or put a line with a name, such as noise_norm, above it",
        ),
        (
            "one row",
            b"1.5,2.5,3.5\n",
            "has one row of 3 numbers; say --norms if they are norms; a single gradient (--vectors) tells nothing about noise",
        ),
        (
            "r",
            b"\"\",\"x\"\n\"1\",0.5\n",
            "has the columns '', 'x'; choose the one with the norms with --column NAME, or say --vectors if each row is a gradient",
        ),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(
            error(name, bytes, &Options::default()),
            format!("{name}: {expected}")
        );
    }
}

#[test]
fn columns() {
    let table = "batch;loss;noise norm;loss\n0;low;1.5;x\n1;high;2.5;y\n";
    let ask = |column| options(None, Some(column));
    let norms = Ok(Content::Norms(vec![1.5, 2.5]));
    assert_eq!(content("a", table.as_bytes(), &ask("noise norm")), norms);
    assert_eq!(content("a", table.as_bytes(), &ask("3")), norms);
    assert_eq!(content("a", b"0 1.5\n1 2.5\n", &ask("2")), norms);
    let rows = Content::Rows(vec![vec![1.5], vec![2.5]], vec![("all".to_owned(), 1)]);
    let vectors = options(Some(Shape::Vectors), Some("noise norm"));
    assert_eq!(content("a", table.as_bytes(), &vectors), Ok(rows));
    for (column, expected) in [
        (
            "norm",
            "a: has no column 'norm'; it has 4 columns: 'batch', 'loss', 'noise norm', 'loss'",
        ),
        (
            "5",
            "a: has no column '5'; it has 4 columns: 'batch', 'loss', 'noise norm', 'loss'",
        ),
        (
            "loss",
            "a: has several columns 'loss'; it has 4 columns: 'batch', 'loss', 'noise norm', 'loss'",
        ),
        (
            "2",
            "a: line 2, column 2 ('loss'): 'low' is not a number; leave out missing values, and choose a column of numbers with --column",
        ),
    ] {
        assert_eq!(error("a", table, &ask(column)), expected);
    }
    let expected = "a: has no column '3'; it has 2 columns and no header: give a number from 1";
    assert_eq!(error("a", "1,2\n3,4\n", &ask("3")), expected);
}

/// What is refused when nothing is said is read when it is said.
#[test]
fn said() {
    let vectors = options(Some(Shape::Vectors), None);
    for (text, expected) in [
        ("1,5\n2,5\n", vec![vec![1.0, 5.0], vec![2.0, 5.0]]),
        ("1\n-2\n", vec![vec![1.0], vec![-2.0]]),
        ("1 2 3\n", vec![vec![1.0, 2.0, 3.0]]),
        ("a,b\n0,1\n1,2\n", vec![vec![0.0, 1.0], vec![1.0, 2.0]]),
        ("0,1\n0.5,1.5\n", vec![vec![0.5, 1.5]]),
        ("0,1\n2,3\n", vec![vec![0.0, 1.0], vec![2.0, 3.0]]),
        (",0,1\n0,2,3\n", vec![vec![0.0, 2.0, 3.0]]),
    ] {
        let layers = vec![("all".to_owned(), expected[0].len())];
        assert_eq!(
            content("a", text.as_bytes(), &vectors),
            Ok(Content::Rows(expected, layers)),
            "{text}"
        );
    }
    let norms = options(Some(Shape::Norms), None);
    assert_eq!(
        content("a", b"1.5,2,-0\n", &norms),
        Ok(Content::Norms(vec![1.5, 2.0, 0.0]))
    );
    let expected = "a: line 1, column 2: -2 is negative, and a norm cannot be; if these are gradients of a \
                    single parameter and not norms, say --vectors";
    assert_eq!(error("a", "1.5,-2\n", &norms), expected);
    let expected = "a: has 2 rows of 2 numbers, and norms are one number a row; choose a column of a CSV file \
                    with --column, or leave out --norms";
    assert_eq!(error("a", "1.5,2\n2,3\n", &norms), expected);
}
